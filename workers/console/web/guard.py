"""Every route says what it needs, in one way: a route without a permission cannot be made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from workers.console.access.gate import Gate
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission

FORM_FIELD = "form_token"
FORM_HEADER = "x-form-token"
SCHEMA_KEY = "x-permission"

_ATTRIBUTE = "needed_permission"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def needs(permission: Permission) -> Callable[[Endpoint], Endpoint]:
    """Declare what a route needs."""

    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, permission)
        return endpoint

    return declare


class GuardedRoute(APIRoute):
    """Asks the gate before anything of the request is looked at, and says in the schema what it needs.

    Raises:
        TypeError: the endpoint does not declare a permission with :func:`needs`.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        needed = _needed(path, endpoint)
        options["openapi_extra"] = {**(options.get("openapi_extra") or {}), SCHEMA_KEY: needed.value}
        self.needed = needed
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the gate."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await _admit(request, self.needed)
            return await handle(request)

        return guarded


class GuardedSocket(WebSocketRoute):
    """The same for a WebSocket: whoever may not open it is refused before it is open.

    Raises:
        TypeError: the endpoint does not declare a permission with :func:`needs`.
    """

    def __init__(self, path: str, endpoint: Callable[[WebSocket], Awaitable[None]]) -> None:
        self.needed = needed = _needed(path, endpoint)

        async def guarded(websocket: WebSocket) -> None:
            try:
                await admit_socket(websocket, needed)
            except HTTPException as error:
                refusal = PlainTextResponse(f"{error.detail}\n", error.status_code)
                await websocket.send_denial_response(refusal)
                return
            await endpoint(websocket)

        super().__init__(path, guarded)


class GuardedRouter(APIRouter):
    """A router that makes no other routes than guarded ones."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=GuardedRoute, **options)

    def guarded_socket(self, path: str, endpoint: Callable[[WebSocket], Awaitable[None]]) -> None:
        """Add a WebSocket."""
        self.routes.append(GuardedSocket(f"{self.prefix}{path}", endpoint))


def guarded_router(**options: Any) -> GuardedRouter:
    """A router whose routes are guarded."""
    return GuardedRouter(**options)


def _needed(path: str, endpoint: Callable[..., Any]) -> Permission:
    needed = getattr(endpoint, _ATTRIBUTE, None)
    if not isinstance(needed, Permission):
        raise TypeError(f"the route {path} does not say which permission it needs")
    return needed


async def admit_socket(websocket: WebSocket, needed: Permission) -> Principal:
    """Who has opened, or holds open, a socket.

    Raises:
        HTTPException: 401, 403: they may not, or not any more.
    """
    gate: Gate = websocket.app.state.gate
    address = address_of(websocket)
    principal = await run_in_threadpool(gate.identify, websocket.headers, websocket.cookies, address)
    websocket.state.principal = principal
    gate.check_permission(principal, needed)
    gate.check_origin(principal, websocket.headers)
    return principal


async def _admit(request: Request, needed: Permission) -> None:
    gate: Gate = request.app.state.gate
    principal = await run_in_threadpool(gate.identify, request.headers, request.cookies, address_of(request))
    request.state.principal = principal
    gate.check_permission(principal, needed)
    if request.method not in _SAFE:
        given = request.headers.get(FORM_HEADER) or await _field(request, principal)
        gate.check_form(principal, request.headers, given)


async def _field(request: Request, principal: Principal) -> str | None:
    """The token in the form; what is read here is not read again."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if principal.form_token is None or kind not in _FORMS:
        return None
    form: FormData = await request.form(max_files=100, max_fields=1000)
    given = form.get(FORM_FIELD)
    return given if isinstance(given, str) else None


def address_of(request: HTTPConnection) -> str:
    """Where the request comes from; through a proxy, what that says (``console.trusted_proxy``)."""
    return request.client.host if request.client is not None else "unknown"


def principal_of(request: HTTPConnection) -> Principal:
    """Who sent the request, as the gate found."""
    principal = request.state.principal
    assert isinstance(principal, Principal)
    return principal


Caller = Annotated[Principal, Depends(principal_of)]
"""Who sent the request."""
