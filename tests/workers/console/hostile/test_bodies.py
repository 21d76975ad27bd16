"""Bodies of every wrong kind to every operation, uploads that are no photographs, headers, ways elsewhere."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.gallery.fakes import write_person
from tests.workers.console.asking import FILES, FORM, JSON, Operation, Request, operations_of
from tests.workers.console.hostile.judging import ask, faults
from tests.workers.console.world import PASSWORD, Browser, World
from workers.console.access.roles import Role

BODIES: Mapping[str, tuple[str, bytes]] = {
    "deep lists": (JSON, b"[" * 100_000),
    "deep objects": (JSON, b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "cut JSON": (JSON, b'{"name": "'),
    "no JSON": (JSON, b"\xff\xfe\x00"),
    "numbers": (JSON, b'{"days": 1e999, "name": -0, "limit": ' + b"9" * 5000 + b"}"),
    "not a number": (JSON, b'{"days": NaN, "name": Infinity}'),
    "a list": (JSON, b"[]"),
    "null": (JSON, b"null"),
    "twice": (JSON, b'{"name": "a", "name": ["b"]}'),
    "XML": (
        "application/xml",
        b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    ),
    "no kind": ("", b"name=a"),
    "an unknown charset": (f"{JSON}; charset=utf-999", b'{"nothing": 1}'),
    "many fields": (FORM, b"&".join(b"a%d=1" % number for number in range(5000))),
    "a form without names": (FORM, b"=&=&&&%%%=%zz"),
    "no boundary": (FILES, b"--x\r\n\r\n"),
    "another boundary": (f"{FILES}; boundary=x", b"--y\r\ncontent-disposition: form-data\r\n\r\na\r\n--y--"),
    "an endless part": (f"{FILES}; boundary=x", b'--x\r\ncontent-disposition: form-data; name="photos"'),
    "many parts": (
        f"{FILES}; boundary=x",
        b"".join(
            b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n1\r\n' for _ in range(2000)
        )
        + b"--x--\r\n",
    ),
    "too much": (JSON, b" " * 600_000),
}
_CHANGES = ("post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def changing(world: World) -> list[Operation]:
    """Operations that take something."""
    found = [one for one in operations_of(world.console.app.openapi()) if one.method in _CHANGES]
    assert len(found) > 20
    return found


@pytest.mark.parametrize("kind", BODIES)
def test_no_body_is_an_error_of_ours(browser: Browser, changing: list[Operation], kind: str) -> None:
    said, body = BODIES[kind]
    found = []
    for operation in changing:
        headers = {"content-type": said} if said else {}
        answer = ask(
            browser, Request(operation.method, operation.at(), {"content": body, "headers": headers})
        )
        found += [f"{operation} {fault}" for fault in faults(answer, "")]
        if operation.content and not 400 <= answer.status_code < 500:
            found.append(f"{operation} takes it: {answer.status_code}")
    assert found == []


def bomb() -> bytes:
    """A PNG of a hundred kilobytes that is 30,000 pixels a side."""
    side = 30_000
    packed = zlib.compress(b"\0" * (side // 8 + 1) * side, 9)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)),
        (b"IDAT", packed),
        (b"IEND", b""),
    ]
    made = io.BytesIO()
    made.write(b"\x89PNG\r\n\x1a\n")
    for name, data in chunks:
        made.write(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)))
    return made.getvalue()


UPLOADS: Mapping[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"<?php system($_GET[0]); ?>",
    "a page": lambda: b"<html><script>alert(1)</script></html>",
    "a drawing": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "an archive": lambda: b"PK\x03\x04" + bytes(100),
    "a program": lambda: b"\x7fELF" + bytes(100),
    "a beginning": lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "a bomb": bomb,
    "too much": lambda: bytes(2_000_000),
}


@pytest.mark.parametrize("kind", UPLOADS)
def test_what_is_no_photograph_is_refused_wherever_files_are_taken(
    browser: Browser, changing: list[Operation], kind: str
) -> None:
    data = UPLOADS[kind]()
    takes = [operation for operation in changing if FILES in operation.content]
    assert len(takes) >= 3
    for operation in takes:
        request = operation.filled("somebody")
        files = [(name, ("a.png", data, "image/png")) for name, _ in request.options["files"]]
        answer = ask(browser, Request(request.method, request.address, {**request.options, "files": files}))
        assert list(faults(answer, "")) == []
        assert answer.status_code in (404, 413, 422) or "refused" in answer.text, (str(operation), answer)


def test_ten_thousand_files_are_too_many(browser: Browser, changing: list[Operation]) -> None:
    for operation in changing:
        if FILES in operation.content:
            files = [("photos", (f"{number}.png", b"1", "image/png")) for number in range(10_000)]
            answer = ask(browser, Request(operation.method, operation.at(), {"files": files}))
            assert answer.status_code in (400, 404, 413, 422), (str(operation), answer)


NAMES = ("../../up.png", "a\r\nset-cookie: x=mine.png", "a\0.png", "x" * 1000 + ".png", "CON")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_are_only_names(browser: Browser, world: World, tmp_path: Path, name: str) -> None:
    number = NAMES.index(name)
    data = write_person(tmp_path / "a.png", 30 + number).read_bytes()
    answer = browser.send("/people/enroll", name=f"Ada {number}", files={"photos": (name, data, "image/png")})
    assert list(faults(answer, "")) == []
    assert answer.status_code == 200
    kept = [
        template.photo.original_name
        for subject in world.gallery.subjects()
        if subject.name == f"Ada {number}"
        for template in world.gallery.templates(subject.id)
    ]
    assert len(kept) == 1
    assert len(kept[0]) <= 100
    assert not set(kept[0]) & set("/\\\0\r\n")


ELSEWHERE = (
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "\t//evil.example",
    "/\t/evil.example",
    "/%09/evil.example\r\nx: y",
    "http:evil.example",
    "///evil.example",
    "evil.example",
)


@pytest.mark.parametrize("wanted", ELSEWHERE[:3])
def test_no_parameter_leads_elsewhere(world: World, browser: Browser, wanted: str) -> None:
    for operation in operations_of(world.console.app.openapi()):
        answer = ask(browser, operation.filled(wanted))
        assert list(faults(answer, wanted)) == [], str(operation)


def test_nobody_is_led_elsewhere_after_logging_in(world: World) -> None:
    world.user("somebody", Role.VIEWER)
    for wanted in ELSEWHERE:
        for path, fields in (
            ("/login", {"name": "somebody", "password": PASSWORD}),
            ("/theme", {"theme": "dark"}),
        ):
            answer = world.browser("10.0.0.9").send(path, page="/login", next=wanted, **fields)
            assert answer.status_code == 303
            assert re.match(r"/(?![/\\\s])", answer.headers["location"]), (path, wanted)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1:8080@evil.example", "127.0.0.1:8080.evil.example", ""]
)
def test_another_host_gets_nothing_of_any_page(world: World, browser: Browser, host: str) -> None:
    for operation in operations_of(world.console.app.openapi()):
        if operation.path != "/healthz":
            answer = browser.client.request(operation.method, operation.at(), headers={"host": host})
            assert answer.status_code == 400, str(operation)
            assert "evil" not in answer.text


@pytest.mark.parametrize(
    "header",
    [
        {"authorization": "Bearer " + "x" * 10_000},
        {"authorization": "Basic OnRlc3Q="},
        {"authorization": "\xff"},
        {"cookie": "pinwatch_session=" + "%00" * 1000},
        {"cookie": "pinwatch_session=\xff; ; =; a"},
        {"range": "bytes=0-0,1-1," * 500},
        {"range": "bytes=9-1"},
        {"if-modified-since": "never"},
        {"accept": "*/*;q=" + "9" * 500},
        {"x-forwarded-for": "'", "x-forwarded-host": "evil.example", "x-forwarded-proto": "gopher"},
        {"x-http-method-override": "DELETE"},
        {"content-length": "-1"},
        {"origin": "null"},
    ],
    ids=lambda header: next(iter(header)),
)
def test_headers_are_no_way_in(world: World, browser: Browser, header: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in header.items()]
    for operation in operations_of(world.console.app.openapi()):
        if operation.method == "get":
            answer = browser.client.get(operation.at(), headers=raw)
            assert list(faults(answer, "")) == [], str(operation)
            assert "evil.example" not in answer.headers.get("location", "") + answer.text
