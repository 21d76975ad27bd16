"""The application with its headers, and its words for what is too large, outside of everything else."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.console.access.origins import Origins
from workers.console.web.failures import Failures
from workers.console.web.headers import SecureHeaders

_TOO_LARGE = HTTPException(
    413, "what was sent is larger than is taken here: send less at a time, or smaller files"
)


class ConsoleApp(FastAPI):
    """FastAPI refuses bodies that are too large outside of all middleware; that answer has our headers too.

    Args:
        origins: Where we are.
        failures: Answers for every error.
        options: See :class:`fastapi.FastAPI`.
    """

    def __init__(self, origins: Origins, failures: Failures, **options: Any) -> None:
        super().__init__(**options)
        self._origins, self._failures = origins, failures
        failures.register(self)

    def build_middleware_stack(self) -> ASGIApp:
        """What a request goes through."""
        return SecureHeaders(AnswersTooLarge(super().build_middleware_stack(), self._failures), self._origins)


class AnswersTooLarge:
    """Says of a body that is too large what is said of every failure, in the place of Starlette's two words.

    Args:
        app: Answers.
        failures: Answers for every error.
    """

    def __init__(self, app: ASGIApp, failures: Failures) -> None:
        self._app, self._failures = app, failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = False

        async def send_ours(message: Message) -> None:
            nonlocal replaced
            if _is_starlettes(message):
                replaced = True
                answer = self._failures.answer(Request(scope), _TOO_LARGE)
                await answer(scope, receive, send)
            elif not replaced:
                await send(message)

        await self._app(scope, receive, send_ours)


def _is_starlettes(message: Message) -> bool:
    if message["type"] != "http.response.start" or message["status"] != _TOO_LARGE.status_code:
        return False
    return Headers(raw=message["headers"]).get("content-type", "").startswith("text/plain")
