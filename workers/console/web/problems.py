"""How the schema describes answers that are no JSON of ours: problem details (RFC 9457), pictures, files."""

from __future__ import annotations

from typing import Any

PROBLEM = "application/problem+json"

_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "Always `about:blank`: the status says which kind it is."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "description": "HTTP's status."},
        "detail": {"type": "string", "description": "What went wrong and the way out, in one sentence."},
    },
}


_OBJECT = {"type": "object"}
_STRUCTURED = ("application/json", "application/yaml")
_BYTES = {"type": "string", "format": "binary"}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {PROBLEM: {"schema": _SCHEMA}}}


PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: _problem("There is no session and no token, or none that is still good."),
    403: _problem("The user, or the token, may not do this."),
    422: _problem("Something in the request cannot be."),
    "4XX": _problem("Not found, changed meanwhile, gone, too large, or too often."),
    "5XX": _problem("This cannot be done at the moment; 503 may be tried again."),
}
"""Of every operation of the API."""


def brings(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """What a route says as `responses` that answers with something else than JSON.

    Args:
        kinds: Of content, such as ``image/jpeg``.
    """
    content = {kind: {"schema": _OBJECT if kind in _STRUCTURED else _BYTES} for kind in kinds}
    return {200: {"description": "The content itself.", "content": content}}
