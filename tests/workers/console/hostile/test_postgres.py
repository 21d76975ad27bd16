"""What SQLite takes and PostgreSQL does not: NUL, half characters, numbers that are too large."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gallery.database import Database
from tests.conftest import Requirement, need
from tests.postgres.server import running
from tests.workers.console.asking import operations_of
from tests.workers.console.hostile.judging import TEXTS, ask, faults
from tests.workers.console.world import Browser, World
from workers.console.access.roles import Role


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    need(Requirement.POSTGRES)
    with running() as server:
        opened = Database.connect(server.address(), tmp_path_factory.mktemp("data"))
        yield World(opened).logged_in(Role.ADMINISTRATOR)
        opened.close()


@pytest.mark.parametrize("kind", ["nul", "not text", "numbers", "quotes"])
def test_no_text_is_too_much(browser: Browser, kind: str) -> None:
    found, asked = [], 0
    for operation in operations_of(browser.client.get("/openapi.json").json()):
        try:
            answer = ask(browser, operation.filled(TEXTS[kind]))
        except UnicodeEncodeError:
            continue
        asked += 1
        found += [f"{operation} {fault}" for fault in faults(answer, TEXTS[kind])]
    assert asked > 5
    assert found == []
