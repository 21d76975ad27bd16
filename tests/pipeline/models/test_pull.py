"""Fetching from a real server that can resume, lie, and die."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.errors import ChecksumMismatch, ModelDownloadError, ModelNotFound, StorageError
from pipeline.models import ModelCard, pull

MakeCard = Callable[..., ModelCard]


class FileServer(ThreadingHTTPServer):
    """Serves `content` under any path.

    Attributes:
        dies_after: Bytes after which it drops the connection, one entry a request; then it lives.
        honours_ranges: Whether it can resume.
        status: What it answers, if not the file.
        ranges: The ``Range`` headers that it was sent.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.dies_after: list[int] = []
        self.honours_ranges = True
        self.status: int | None = None
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/net.bin"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if self.server.status:
            self.send_error(self.server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.honours_ranges else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if start:
            last = len(self.server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{last + 1}")
        self.end_headers()
        if self.server.dies_after:
            body = body[: self.server.dies_after.pop(0)]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def server(content: bytes) -> Iterator[FileServer]:
    with FileServer(content) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file_is_fetched_verified_and_reported(
    make_card: MakeCard, server: FileServer, content: bytes, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int | None]] = []
    (path,) = pull(make_card(url=server.url), tmp_path, progress=lambda *step: seen.append(step))
    assert path == tmp_path / "net.bin"
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]
    assert seen[-1] == ("net.bin", len(content), len(content))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_what_is_here_already_is_not_fetched_again(
    make_card: MakeCard, server: FileServer, folder: Path
) -> None:
    assert pull(make_card(url=server.url), folder) == [folder / "net.bin"]
    assert server.ranges == []


def test_a_wrong_file_that_is_here_is_replaced(
    make_card: MakeCard, server: FileServer, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "net.bin").write_bytes(b"old")
    pull(make_card(url=server.url), tmp_path)
    assert (tmp_path / "net.bin").read_bytes() == content


def test_a_server_that_dies_midway_is_taken_up_where_it_stopped(
    make_card: MakeCard, server: FileServer, content: bytes, tmp_path: Path
) -> None:
    server.dies_after = [100_000, 70_000]
    (path,) = pull(make_card(url=server.url), tmp_path)
    assert path.read_bytes() == content
    starts = [int(wanted[6:-1]) for wanted in server.ranges[1:] if wanted]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(content)


def test_what_has_come_is_kept_for_the_next_call(
    make_card: MakeCard, server: FileServer, content: bytes, tmp_path: Path
) -> None:
    server.dies_after = [100_000]
    with pytest.raises(ModelDownloadError, match="kept") as caught:
        pull(make_card(url=server.url), tmp_path, attempts=1)
    assert caught.value.retriable
    kept = (tmp_path / "net.bin.part").stat().st_size
    assert 0 < kept <= 100_000
    assert not (tmp_path / "net.bin").exists()
    pull(make_card(url=server.url), tmp_path)
    assert (tmp_path / "net.bin").read_bytes() == content
    assert server.ranges[-1] == f"bytes={kept}-"


def test_a_server_that_cannot_resume_sends_all_again(
    make_card: MakeCard, server: FileServer, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "net.bin.part").write_bytes(content[:1000])
    server.honours_ranges = False
    pull(make_card(url=server.url), tmp_path)
    assert (tmp_path / "net.bin").read_bytes() == content


def test_a_beginning_that_does_not_fit_is_thrown_away(
    make_card: MakeCard, server: FileServer, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "net.bin.part").write_bytes(b"the beginning of another version")
    pull(make_card(url=server.url), tmp_path)
    assert (tmp_path / "net.bin").read_bytes() == content
    assert server.ranges == ["bytes=32-", None]


def test_a_part_that_is_too_long_is_thrown_away(
    make_card: MakeCard, server: FileServer, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "net.bin.part").write_bytes(content + b"more")
    pull(make_card(url=server.url), tmp_path)
    assert (tmp_path / "net.bin").read_bytes() == content


def test_a_complete_part_needs_no_request(
    make_card: MakeCard, server: FileServer, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "net.bin.part").write_bytes(content)
    pull(make_card(url=server.url), tmp_path)
    assert server.ranges == []
    assert [path.name for path in tmp_path.iterdir()] == ["net.bin"]


def test_a_wrong_checksum_is_refused_and_leaves_nothing(
    make_card: MakeCard, server: FileServer, tmp_path: Path
) -> None:
    server.content = b"not the file of the card"
    with pytest.raises(ChecksumMismatch, match=r"net\.bin"):
        pull(make_card(url=server.url), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_server_names_the_address(
    make_card: MakeCard, server: FileServer, tmp_path: Path
) -> None:
    server.status = 404
    with pytest.raises(ModelDownloadError, match=r"net\.bin answers 404"):
        pull(make_card(url=server.url), tmp_path, attempts=1)


def test_nobody_there_is_a_download_error(make_card: MakeCard, tmp_path: Path) -> None:
    with FileServer(b"") as closed:
        url = closed.url
    with pytest.raises(ModelDownloadError, match=r"net\.bin failed"):
        pull(make_card(url=url), tmp_path, attempts=1)


def test_without_an_address_the_way_out_is_named(make_card: MakeCard, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="--from DIR"):
        pull(make_card(), tmp_path)


def test_from_a_folder_no_network_is_needed(
    make_card: MakeCard, folder: Path, content: bytes, tmp_path: Path
) -> None:
    (path,) = pull(make_card(), tmp_path / "data" / "models", source_dir=folder)
    assert path.read_bytes() == content


def test_a_wrong_file_in_the_folder_is_refused(make_card: MakeCard, folder: Path, tmp_path: Path) -> None:
    (folder / "net.bin").write_bytes(b"other")
    with pytest.raises(ChecksumMismatch):
        pull(make_card(), tmp_path / "new", source_dir=folder)
    with pytest.raises(ModelNotFound, match=r"there is no net\.bin in"):
        pull(make_card(), tmp_path / "new", source_dir=tmp_path)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("source", ["network", "folder"])
def test_a_full_disk_is_told_as_such(
    make_card: MakeCard,
    server: FileServer,
    folder: Path,
    tmp_path: Path,
    full_disk: Callable[[int], contextlib.AbstractContextManager[None]],
    source: str,
) -> None:
    source_dir = folder if source == "folder" else None
    with full_disk(100_000), pytest.raises(StorageError, match="cannot write"):
        pull(make_card(url=server.url), tmp_path / "new", source_dir=source_dir, attempts=1)
    assert not (tmp_path / "new" / "net.bin").exists()


def test_a_destination_that_is_a_file_is_refused(make_card: MakeCard, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"):
        pull(make_card(), tmp_path / "taken", source_dir=folder)
