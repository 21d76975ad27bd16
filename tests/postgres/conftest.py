"""One server for all tests; every test has a database of its own, copied from one with the schema."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gallery.database import Database
from tests.conftest import Requirement, need
from tests.postgres.server import Server, running

_TEMPLATE = "with_schema"
_number = itertools.count(1)


def execute(server: Server, statement: str) -> None:
    with psycopg.connect(server.address(), autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    need(Requirement.POSTGRES)
    with running() as started:
        execute(started, f"CREATE DATABASE {_TEMPLATE}")
        Database.connect(started.address(_TEMPLATE), tmp_path_factory.mktemp("schema")).close()
        yield started


@pytest.fixture
def address(server: Server) -> str:
    """Of a new database with the schema."""
    name = f"test{next(_number)}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    return server.address(name)


@pytest.fixture
def database(address: str, tmp_path: Path) -> Iterator[Database]:
    opened = Database.connect(address, tmp_path / "data")
    yield opened
    opened.close()
