"""The application with its headers outside of everything else."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from workers.console.access.origins import Origins
from workers.console.web.headers import SecureHeaders


class ConsoleApp(FastAPI):
    """FastAPI refuses bodies that are too large outside of all middleware; that answer has our headers too.

    Args:
        origins: Where we are.
        options: See :class:`fastapi.FastAPI`.
    """

    def __init__(self, origins: Origins, **options: Any) -> None:
        super().__init__(**options)
        self._origins = origins

    def build_middleware_stack(self) -> ASGIApp:
        """What a request goes through."""
        return SecureHeaders(super().build_middleware_stack(), self._origins)
