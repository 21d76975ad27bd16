"""Every operation, asked for what nobody should ask for: never an error of ours, never a way out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from httpx2 import Response

from tests.workers.console.asking import Operation, Request, administered, operations_of
from tests.workers.console.world import ORIGIN, Browser, World

SCRIPT = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
TEXTS = {
    "script": SCRIPT,
    "template": "{{ 7 * 7 }}${7*7}<%= 7 %>",
    "quotes": "' OR '1'='1'; DROP TABLE subjects; --",
    "bent": "\u202eecarG\u200b\u2066 \ufeffreppoH\u2028",
    "long": "x" * 10_000,
    "nul": "a\0b",
    "lines": "a\r\nset-cookie: pinwatch_session=mine\r\n\r\n<html>",
    "not text": "\ud800",
    "numbers": "9" * 400,
    "empty": "",
    "like": "%_%%\\",
    "wide": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 20,
}
PATHS = {
    "up": "../../../../etc/passwd",
    "up, in other slashes": "..\\..\\..\\etc\\passwd",
    "absolute": "/etc/passwd",
    "nul": "pinwatch.db\0.png",
    "dots": "..",
    "dot": ".",
    "twice": "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "address": "//evil.example/",
    "device": "CON",
    "home": "~root",
    "stream": "file:///etc/passwd",
}
_OUTSIDE = re.compile(rb"root:x?:0|SQLite format 3|Traceback \(most recent|site-packages")


Lasting = tuple[World, Browser]


@pytest.fixture(scope="module")
def lasting(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasting]:
    with administered(empty_database, tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture(scope="module")
def world(lasting: Lasting) -> World:
    return lasting[0]


@pytest.fixture(scope="module")
def browser(lasting: Lasting) -> Browser:
    return lasting[1]


@pytest.fixture(scope="module")
def operations(world: World) -> list[Operation]:
    return list(operations_of(world.console.app.openapi()))


def ask(browser: Browser, request: Request) -> Response:
    options = dict(request.options)
    headers = {"x-form-token": browser.form_token("/account"), **options.pop("headers", {})}
    return browser.client.request(request.method, request.address, headers=headers, **options)


def faults(answer: Response, text: str) -> Iterator[str]:
    """What is wrong with an answer to a request that held `text`."""
    if answer.status_code >= 500:
        yield f"answers {answer.status_code}"
    if _OUTSIDE.search(answer.content):
        yield "shows what is not its business"
    where = answer.headers.get("location", "/")
    if not re.match(rf"({ORIGIN})?/(?![/\\])", where):
        yield f"leads to {where}"
    if "mine" in answer.headers.get("set-cookie", "") or "\n" in str(answer.headers):
        yield "lets headers be written"
    is_page = answer.headers.get("content-type", "").startswith("text/html")
    if is_page and text == SCRIPT and SCRIPT.encode() in answer.content:
        yield "lets script in"
    if "content-security-policy" not in answer.headers:
        yield "has no policy"


@pytest.mark.parametrize("kind", TEXTS)
def test_no_text_is_too_much(browser: Browser, operations: list[Operation], kind: str) -> None:
    text = TEXTS[kind]
    found, asked = [], 0
    for operation in operations:
        try:
            answer = ask(browser, operation.filled(text))
        except UnicodeEncodeError:
            continue  # half a character goes through JSON only
        asked += 1
        found += [f"{operation} {fault}" for fault in faults(answer, text)]
    assert asked > 5
    assert found == []


@pytest.mark.parametrize("kind", PATHS)
def test_no_path_leads_out(browser: Browser, operations: list[Operation], kind: str) -> None:
    found, asked = [], 0
    for operation in operations:
        for name in operation.path_parameters:
            answer = ask(browser, Request(operation.method, operation.at(**{name: PATHS[kind]})))
            asked += 1
            found += [f"{operation} {fault}" for fault in faults(answer, "")]
            refused = 400 <= answer.status_code < 500 or answer.status_code == 307
            if not refused and operation.method == "get":
                found.append(f"{operation} answers {answer.status_code} for {PATHS[kind]}")
    assert asked > 20
    assert found == []
