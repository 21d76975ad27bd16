"""The style sheet and the script: read once, and served by name."""

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
    """A file that browsers may keep: its address changes with its content."""

    name: str
    kind: str
    data: bytes

    @property
    def address(self) -> str:
        return f"/static/{self.name}?v={hashlib.sha256(self.data).hexdigest()[:12]}"


class StaticFiles:
    """Only what is in the folder at the start can be asked for, by its bare name."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        found = (path for path in sorted(folder.iterdir()) if path.suffix in _KINDS)
        self._files = {
            path.name: StaticFile(path.name, _KINDS[path.suffix], path.read_bytes()) for path in found
        }

    def address(self, name: str) -> str:
        """Where browsers find the file."""
        return self._files[name].address

    @needs(Permission.ANYONE)
    def serve(self, name: str) -> Response:
        """One file."""
        file = self._files.get(name)
        if file is None:
            raise HTTPException(404, "there is no such file")
        return Response(file.data, media_type=file.kind, headers={"cache-control": _FOR_EVER})

    def router(self) -> APIRouter:
        """Its only route."""
        router = guarded_router(tags=["frame"])
        router.get("/static/{name}", response_class=Response)(self.serve)
        return router
