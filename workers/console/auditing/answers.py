"""What pages and API of the audit say alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from pipeline.errors import LedgerCorrupt
from workers.console.auditing.cases import CaseFile

Found = TypeVar("Found")


def readable(ask: Callable[[], Found]) -> Found:
    """What was asked for. Raises ``HTTPException`` 409 where the ledger cannot be read, and says why."""
    try:
        return ask()
    except LedgerCorrupt as error:
        raise HTTPException(409, str(error)) from None


def attachment(data: bytes, kind: str, name: str) -> Response:
    """As a file."""
    return Response(data, media_type=kind, headers=_as_file(name))


def case_answer(made: CaseFile) -> Response:
    """A case, as it is read."""
    headers = {"content-length": str(made.size_bytes), **_as_file(made.name)}
    return StreamingResponse(made.blocks(), media_type="application/zip", headers=headers)


def _as_file(name: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="{name}"'}
