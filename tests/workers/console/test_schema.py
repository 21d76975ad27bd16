"""The schema of the API says everything: what comes back, and what does when it goes wrong."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gallery.database import DATABASE_NAME, Database
from tests.workers.console.world import World
from workers.console.web.problems import PROBLEM

Operation = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[World]:
    """One for all: building it takes longer than any of these tests, and none changes anything."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copyfile(empty_database, folder / DATABASE_NAME)
    opened = Database.open(folder)
    yield World(opened)
    opened.close()


@pytest.fixture(scope="module")
def schema(world: World) -> dict[str, Any]:
    found = world.browser().get("/openapi.json").json()
    assert isinstance(found, dict)
    return found


def operations(schema: dict[str, Any], prefix: str = "") -> Iterator[Operation]:
    for path, methods in schema["paths"].items():
        if path.startswith(prefix):
            for method, described in methods.items():
                yield f"{method.upper()} {path}", described


def lacking(described: dict[str, Any]) -> Iterator[str]:
    """What the description of an operation of the API lacks."""
    for key in ("summary", "description", "operationId", "tags"):
        if not described.get(key):
            yield key
    responses = described["responses"]
    good = {status: answer for status, answer in responses.items() if status.startswith("2")}
    if not good:
        yield "an answer that is good"
    for status, answer in good.items():
        yield from (f"{status}: {what}" for what in lacking_content(status, answer.get("content") or {}))
    for status in ("401", "403", "422", "4XX", "5XX"):
        if list(responses.get(status, {}).get("content", {})) != [PROBLEM]:
            yield f"problem details for {status}"


def lacking_content(status: str, content: dict[str, Any]) -> Iterator[str]:
    if status in ("202", "204"):
        return
    if not content:
        yield "what kind of content"
    for kind, media in content.items():
        if kind == "application/json" and not media.get("schema"):
            yield "a model"


def test_every_operation_of_the_api_is_described(schema: dict[str, Any]) -> None:
    found = {name: list(lacking(described)) for name, described in operations(schema, "/api/v1/")}
    assert len(found) > 20
    assert {name: what for name, what in found.items() if what} == {}


def test_no_operation_id_repeats(schema: dict[str, Any]) -> None:
    counted = Counter(described["operationId"] for _, described in operations(schema))
    assert [one for one, times in counted.items() if times > 1] == []


def test_what_goes_wrong_is_as_the_schema_says(world: World, schema: dict[str, Any]) -> None:
    described = schema["paths"]["/api/v1/sightings"]["get"]["responses"]["401"]["content"][PROBLEM]["schema"]
    answer = world.browser().get("/api/v1/sightings")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == PROBLEM
    assert set(answer.json()) == set(described["required"]) == set(described["properties"])


def test_every_operation_says_what_it_needs(schema: dict[str, Any]) -> None:
    assert not [name for name, described in operations(schema) if "x-permission" not in described]
