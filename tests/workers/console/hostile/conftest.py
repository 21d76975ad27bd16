"""One console for all questions of a module: what they leave behind is part of what is asked next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.console.asking import administered
from tests.workers.console.world import Browser, World

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
