"""The certified OpenID provider of npm on this machine, and somebody who logs in at it by its forms."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from httpx2 import Client, Response

from tests.kafka.broker import free_port
from tests.oidc.fake import CLIENT_ID, CLIENT_SECRET

_HERE = Path(__file__).parent
_FILES = ("package.json", "package-lock.json", "provider.mjs")
_ACTION = re.compile(r'<form[^>]*action="([^"]+)"')
_INPUT = re.compile(r"<input[^>]*>")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


def packages_folder() -> Path:
    """Where provider and packages are kept from one run to the next; named after what is in them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    text = "".join((_HERE / name).read_text(encoding="utf-8") for name in _FILES)
    return cache / "pinwatch-tests" / f"oidc-{uuid.uuid5(uuid.NAMESPACE_URL, text).hex[:8]}"


def fetch_packages() -> Path:
    """The folder with the provider, fetched by npm the first time.

    Raises:
        RuntimeError: node or npm is missing, or npm cannot fetch the packages.
    """
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise RuntimeError(f"no {tool} on this machine (Debian: nodejs, npm)")
    folder = packages_folder()
    if folder.is_dir():
        return folder
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(_HERE / name, part)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=part, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        shutil.rmtree(part, ignore_errors=True)
        raise RuntimeError(f"npm cannot fetch the provider: {(done.stdout + done.stderr)[-400:]}")
    with contextlib.suppress(OSError):  # somebody else was faster
        part.rename(folder)
    return folder


@contextlib.contextmanager
def running_provider(console: str, accounts: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The provider on a free port; its address.

    Args:
        console: Address of the console, to which it sends browsers back.
        accounts: Claims by name.
    """
    port = free_port()
    settings = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "console": console,
        "accounts": accounts,
    }
    command = ["node", "provider.mjs", str(port), json.dumps(settings)]
    folder = fetch_packages()
    with (
        contextlib.closing(_LogFile(folder.with_name(f"{folder.name}.{port}.log"))) as log,
        subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log.file
        ) as process,
    ):
        assert process.stdout is not None
        try:
            if process.stdout.readline().strip() != b"ready":
                raise RuntimeError(f"the provider does not start: {log.text()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


class _LogFile:
    """What the provider says of itself; gone when closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file = path.open("wb")

    def text(self) -> str:
        return self._path.read_text(errors="replace")[-2000:]

    def close(self) -> None:
        self.file.close()
        self._path.unlink()


class Person:
    """Somebody's browser, at the provider.

    Args:
        provider: Its address.
    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._client = Client(follow_redirects=False, timeout=20)

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def log_in(self, address: str, name: str) -> str:
        """Go to `address`, log in and agree; where one is sent back to."""
        return self._go(self._client.get(address), {"login": name, "password": "any"})

    def decline(self, address: str) -> str:
        """Go to `address` and leave by the way out."""
        page = self._follow(self._client.get(address))
        assert isinstance(page, Response)
        way_out = re.search(r'href="([^"]*abort)"', page.text)
        assert way_out is not None, page.text
        return self._go(self._client.get(urljoin(str(page.url), way_out.group(1))), {})

    def log_out(self, address: str) -> str:
        """Go to `address` and say yes; where one is sent back to."""
        return self._go(self._client.get(address), {"logout": "yes"})

    def _go(self, answer: Response, typed: Mapping[str, str]) -> str:
        """Through every form, until one is sent elsewhere."""
        for _ in range(10):
            came = self._follow(answer)
            if isinstance(came, str):
                return came
            answer = self._send_form(came, typed)
        raise AssertionError(f"the provider does not let go: {answer.text}")

    def _follow(self, answer: Response) -> Response | str:
        while answer.is_redirect:
            to = urljoin(str(answer.url), answer.headers["location"])
            if not to.startswith(self._provider):
                return to
            answer = self._client.get(to)
        return answer

    def _send_form(self, page: Response, typed: Mapping[str, str]) -> Response:
        action = _ACTION.search(page.text)
        assert action is not None, page.text
        fields = dict(typed)
        for found in _INPUT.findall(page.text):
            attributes = dict(_ATTRIBUTE.findall(found))
            if attributes.get("type") == "hidden":
                fields[attributes["name"]] = attributes["value"]
        to = urljoin(str(page.url), html.unescape(action.group(1)))
        return self._client.post(to, data=fields)
