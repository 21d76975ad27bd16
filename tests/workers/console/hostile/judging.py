"""What to ask that nobody should ask, and what is wrong with an answer to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from httpx2 import Response

from tests.workers.console.asking import Request
from tests.workers.console.world import ORIGIN, Browser

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
_OUTSIDE = re.compile(rb"root:x?:0|SQLite format 3|Traceback \(most recent|site-packages")


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
