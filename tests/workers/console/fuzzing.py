"""Sends what Schemathesis makes up to a console on a port, and holds the answers against the schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok

_WAIT_S = 60
_EVERY_SECOND = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom to ask, and how.

    Attributes:
        origin: Where the console is.
        session: Sends.
        ids: Of things that are there, by the path parameter that may carry them.
        checks: What every answer must hold.
        examples: For each operation.
    """

    origin: str
    session: requests.Session
    ids: Mapping[str, str]
    checks: tuple[CheckFunction, ...]
    examples: int


def fuzz(schema: dict[str, Any], wanted: Callable[[str], bool], asked: Asked, mode: GenerationMode) -> str:
    """Ask every operation at a `wanted` path; what is wrong, an operation a paragraph."""
    found = []
    for result in schemathesis.openapi.from_dict(schema).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if wanted(operation.path):
            try:
                _ask(operation, asked, mode)
            except Unsatisfiable:
                continue  # nothing can be wrong where nothing can be said
            except (Failure, FailureGroup) as failure:
                found.append(f"{operation.label}: {_told(failure)}")
    return "\n\n".join(found)


def _ask(operation: APIOperation[Any, Any, Any, Any], asked: Asked, mode: GenerationMode) -> None:
    sent = 0

    @hypothesis.settings(
        max_examples=asked.examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(mode))
    def send(case: Case[Any]) -> None:
        nonlocal sent
        sent += 1
        if sent % _EVERY_SECOND:  # else nothing but "there is none" would be seen
            case.path_parameters |= {
                name: value for name, value in asked.ids.items() if name in case.path_parameters
            }
        case.call_and_validate(
            base_url=asked.origin,
            session=asked.session,
            checks=list(asked.checks),
            timeout=_WAIT_S,
            allow_redirects=False,
        )

    send()


def _told(failure: Failure | FailureGroup) -> str:
    each = failure.exceptions if isinstance(failure, FailureGroup) else (failure,)
    return "; ".join(str(one)[:700] for one in each)
