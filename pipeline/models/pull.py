"""Gets a card's files: by HTTP, resuming what was begun, or from a folder; verified before they appear."""

from __future__ import annotations

import http
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ChecksumMismatch, ModelDownloadError, ModelNotFound, StorageError
from pipeline.models.card import ModelCard, ModelFile
from pipeline.models.checksum import verify_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes that are here so far, and how many there will be, if known."""

_CHUNK_BYTES = 1 << 16
_TIMEOUT_S = (10.0, 60.0)


def _silent(_name: str, _done: int, _total: int | None) -> None:
    return


def pull(
    card: ModelCard,
    destination: Path,
    *,
    source_dir: Path | None = None,
    progress: Progress = _silent,
    attempts: int = 3,
) -> list[Path]:
    """Put the card's files into `destination` and return where they are, in the card's order.

    A file that is there already, and right, is left alone. A download goes to ``NAME.part`` first; if
    it breaks, the next attempt or the next call goes on from there. The final name appears only when
    the checksum was right.

    Args:
        card: What to get.
        destination: Folder, made if need be.
        source_dir: Copy from here instead of the network.
        progress: See :data:`Progress`.
        attempts: How often a broken download is taken up again before giving up.

    Raises:
        ModelNotFound: a file has no public address, or `source_dir` does not hold it.
        ChecksumMismatch: what came is not the file of the card; it is deleted.
        ModelDownloadError: the server or the network failed (retriable).
        StorageError: `destination` cannot be written.
    """
    with _storage(destination):
        destination.mkdir(parents=True, exist_ok=True)
    paths = []
    for file in card.files:
        target = destination / file.name
        if _is_right(file, target):
            progress(file.name, target.stat().st_size, target.stat().st_size)
        else:
            part = destination / f"{file.name}.part"
            if source_dir is not None:
                _copy(card, file, source_dir / file.name, part, progress)
            else:
                _download_persistently(card, file, part, progress, attempts)
            with _storage(target):
                part.replace(target)
        paths.append(target)
    return paths


def _is_right(file: ModelFile, path: Path) -> bool:
    try:
        verify_file(file, path)
    except (ModelNotFound, ChecksumMismatch):
        return False
    return True


def _copy(card: ModelCard, file: ModelFile, source: Path, part: Path, progress: Progress) -> None:
    if not source.is_file():
        raise ModelNotFound(f"{card.name}: there is no {file.name} in {source.parent}")
    verify_file(file, source)
    with _storage(part):
        shutil.copyfile(source, part)
        size = part.stat().st_size
    progress(file.name, size, size)
    _verify_or_delete(file, part)


def _download_persistently(
    card: ModelCard, file: ModelFile, part: Path, progress: Progress, attempts: int
) -> None:
    if file.url is None:
        raise ModelNotFound(
            f"{card.name}: no public address of {file.name} is known (it comes from {card.source}). "
            f"Get it yourself, then `pinwatch models pull {card.name} --from DIR`"
        )
    if _is_right(file, part):  # the last run ended between the last byte and the rename
        return
    import tenacity

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(ModelDownloadError),
        stop=tenacity.stop_after_attempt(attempts),
        wait=tenacity.wait_exponential_jitter(multiplier=0.2, max=5.0, jitter=0.2),
        reraise=True,
    )
    retrying(_download, file, file.url, part, progress)


def _download(file: ModelFile, url: str, part: Path, progress: Progress) -> None:
    """One request: the rest of `part` if the server can do that, else all of it."""
    import requests

    here = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
            begun = _agree_on_start(response, part, here)
            _receive(response, file, part, begun, progress)
    except requests.RequestException as error:
        raise ModelDownloadError(
            f"downloading {file.name} failed: {error}. What has come is kept in {part}; run the same again"
        ) from error
    _verify_download(file, url, part, resumed=begun > 0)


def _agree_on_start(response: requests.Response, part: Path, here: int) -> int:
    """At which byte the response starts: `here` if the server honours the range, else 0."""
    if response.status_code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        part.unlink()
        raise ModelDownloadError(f"{part.name} is longer than what {response.url} has; begin again")
    if not response.ok:
        raise ModelDownloadError(f"{response.url} answers {response.status_code} {response.reason}")
    partial = response.status_code == http.HTTPStatus.PARTIAL_CONTENT
    resumes = partial and response.headers.get("Content-Range", "").startswith(f"bytes {here}-")
    return here if resumes else 0


def _receive(
    response: requests.Response, file: ModelFile, part: Path, begun: int, progress: Progress
) -> None:
    length = response.headers.get("Content-Length")
    total = begun + int(length) if length else file.size_bytes
    done = begun
    with _storage(part), part.open("r+b" if begun else "wb") as stream:
        stream.seek(begun)
        for chunk in response.iter_content(_CHUNK_BYTES):
            stream.write(chunk)
            done += len(chunk)
            progress(file.name, done, total)
        stream.truncate()


def _verify_download(file: ModelFile, url: str, part: Path, *, resumed: bool) -> None:
    try:
        _verify_or_delete(file, part)
    except ChecksumMismatch as error:
        if not resumed:
            raise
        # What was here may be the beginning of an older version: once more, from the first byte.
        raise ModelDownloadError(f"{file.name}: what {url} gave does not continue what was here") from error


def _verify_or_delete(file: ModelFile, part: Path) -> None:
    try:
        verify_file(file, part)
    except ChecksumMismatch:
        part.unlink()
        raise


@contextmanager
def _storage(path: Path) -> Iterator[None]:
    """Say which path could not be written; network errors, which are ``OSError`` too, pass through."""
    import requests

    try:
        yield
    except requests.RequestException:
        raise
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
