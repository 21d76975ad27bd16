"""Asks the provider for a document: bounded in time and size, and nowhere else than where it is."""

from __future__ import annotations

import json
import time
from typing import Any

import requests

from pipeline.redact import redact
from workers.console.oidc.refused import unreachable

MAX_BYTES = 1024 * 1024
_PIECE = 64 * 1024


def get_json(
    session: requests.Session, address: str, timeout_s: float, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """The JSON object at `address`.

    Args:
        session: Of requests.
        address: Already checked.
        timeout_s: For all of it.
        headers: That go along.

    Raises:
        NotAdmitted: there is none, or it does not come in time.
    """
    try:
        with session.get(
            address, headers=headers, timeout=timeout_s, allow_redirects=False, stream=True
        ) as answer:
            if answer.status_code != 200:
                raise unreachable(f"{redact(address)} answers {answer.status_code}")
            found = json.loads(_body(answer, address, time.monotonic() + timeout_s))
    except (requests.RequestException, ValueError, RecursionError) as error:
        raise unreachable(f"{redact(address)}: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise unreachable(f"{redact(address)} is no JSON object")
    return found


def _body(answer: requests.Response, address: str, until_s: float) -> bytes:
    read = bytearray()
    for piece in answer.iter_content(_PIECE):
        read += piece
        if len(read) > MAX_BYTES or time.monotonic() > until_s:
            raise unreachable(f"{redact(address)} is too large or too slow")
    return bytes(read)
