"""What every answer says to browsers: run nothing that is not ours, show us in no frame, keep nothing."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.console.access.origins import Origins

HEALTH = "/healthz"

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_ALWAYS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With less, browsers send `Origin: null` with forms, and we could not tell that they are ours.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def add_headers(headers: MutableHeaders, secure: bool) -> None:
    """Add what is not there."""
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", "no-store")
    if secure:
        headers.setdefault("strict-transport-security", "max-age=31536000")


class SecureHeaders:
    """Adds the headers to every answer, and refuses requests that were meant for another host.

    Args:
        app: Answers.
        origins: Where we are.
    """

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app, self._origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not self._meant_for_us(scope):
            await send({"type": "websocket.close", "code": 1008})  # before it is open: 403
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(MutableHeaders(scope=message), self._origins.secure)
            await send(message)

        answer = self._app if self._meant_for_us(scope) else PlainTextResponse("unknown host\n", 400)
        await answer(scope, receive, send_with_headers)

    def _meant_for_us(self, scope: Scope) -> bool:
        """Whoever asks whether we are well comes by any name."""
        host = Headers(scope=scope).get("host", "").lower()
        return scope["path"] == HEALTH or host in self._origins.hosts
