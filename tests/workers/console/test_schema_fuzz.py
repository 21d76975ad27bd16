"""Schemathesis: what the schema allows, and what it does not, is answered as the schema says.

Seeded, and bounded by a number of examples for each operation: the same requests every time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.browser.seed import Seeds, seed
from tests.browser.site import Site, empty_site
from tests.workers.console.asking import ENDS_THE_SESSION
from tests.workers.console.fuzzing import Asked, fuzz
from workers.console.access.roles import SCOPES, Role

pytestmark = pytest.mark.slow

EXAMPLES = 4
_API = "/api/"
_OF_THE_API: tuple[CheckFunction, ...] = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Site]:
    with empty_site(empty_database, tmp_path_factory.mktemp("data")) as made:
        yield made


@pytest.fixture(scope="module")
def seeds(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Seeds:
    return seed(site, tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="module")
def schema(site: Site) -> dict[str, Any]:
    described: dict[str, Any] = json.loads(json.dumps(site.world.console.app.openapi()))
    method, path = ENDS_THE_SESSION
    del described["paths"][path][method]
    return described


@pytest.fixture(scope="module")
def session(site: Site) -> Iterator[requests.Session]:
    """The administrator's, with the token that forms bring along."""
    with site.session(Role.ADMINISTRATOR) as made:
        yield made


@pytest.fixture(scope="module")
def program(site: Site) -> Iterator[requests.Session]:
    """A program with a token of the administrator's that may do all that tokens may."""
    administrator = site.world.access.users.named(Role.ADMINISTRATOR.value)
    assert administrator is not None
    _, secret = site.world.access.tokens.issue(administrator.id, "fuzz", SCOPES, 30)
    with requests.Session() as made:
        made.headers["authorization"] = f"Bearer {secret}"
        yield made


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_pages_never_fail(
    site: Site, seeds: Seeds, schema: dict[str, Any], session: requests.Session, mode: GenerationMode
) -> None:
    asked = Asked(site.origin, session, seeds.values, (not_a_server_error,), EXAMPLES)
    assert fuzz(schema, lambda path: not path.startswith(_API), asked, mode) == ""


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_the_api_answers_as_its_schema_says(
    site: Site, seeds: Seeds, schema: dict[str, Any], program: requests.Session, mode: GenerationMode
) -> None:
    asked = Asked(site.origin, program, seeds.values, _OF_THE_API, EXAMPLES)
    assert fuzz(schema, lambda path: path.startswith(_API), asked, mode) == ""
