"""Every operation, asked for what nobody should ask for: never an error of ours, never a way out."""

from __future__ import annotations

import pytest

from tests.workers.console.asking import Operation, Request, operations_of
from tests.workers.console.hostile.judging import TEXTS, ask, faults
from tests.workers.console.world import Browser, World

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


@pytest.fixture(scope="module")
def operations(world: World) -> list[Operation]:
    return list(operations_of(world.console.app.openapi()))


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
