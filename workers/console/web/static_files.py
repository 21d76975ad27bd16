"""Style sheets and scripts: read once, and served by name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.console.access.roles import Permission
from workers.console.web.guard import guarded_router, needs

_FOLDER = Path(__file__).parent.parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """What the folder had when it was read."""

    kind: str
    data: bytes


class StaticFiles:
    """Only what is in the folder at the start can be asked for, by its bare name.

    Browsers may keep it: the address changes with what is in the folder. That stands before the name, so that
    modules which import each other by name get those of the same state.
    """

    def __init__(self, folder: Path = _FOLDER) -> None:
        found = (path for path in sorted(folder.iterdir()) if path.suffix in _KINDS)
        self._files = {path.name: StaticFile(_KINDS[path.suffix], path.read_bytes()) for path in found}
        named = (name.encode() + b"\0" + file.data for name, file in self._files.items())
        self._state = hashlib.sha256(b"\0".join(named)).hexdigest()[:12]

    def address(self, name: str) -> str:
        """Where browsers find the file. Raises ``KeyError``: there is none of that name."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self._state}/{name}"

    @needs(Permission.ANYONE)
    def serve(self, state: str, name: str) -> Response:
        """One file; to a page that is older than the program as it is now, but not to be kept."""
        file = self._files.get(name)
        if file is None:
            raise HTTPException(404, "there is no such file")
        kept = _FOR_EVER if state == self._state else "no-store"
        return Response(file.data, media_type=file.kind, headers={"cache-control": kept})

    def router(self) -> APIRouter:
        """Its only route."""
        router = guarded_router(tags=["frame"])
        router.get("/static/{state}/{name}", response_class=Response)(self.serve)
        return router
