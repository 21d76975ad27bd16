"""Every operation of the schema is asked as nobody and as every role, and by tokens of every scope."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.websockets import WebSocket

from tests.workers.console.world import Browser, World
from workers.console.access.roles import PERMISSIONS, SCOPES, Permission, Role
from workers.console.web.guard import GuardedRoute, GuardedSocket, guarded_router

_PARAMETER = re.compile(r"\{\w+\}")
_ENDS_THE_SESSION = {("post", "/logout")}


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    needed: Permission

    @property
    def address(self) -> str:
        return _PARAMETER.sub("nothing", self.path)


def operations(schema: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in schema["paths"].items():
        for method, described in methods.items():
            yield Operation(method, path, Permission(described["x-permission"]))


@pytest.fixture
def all_operations(world: World) -> list[Operation]:
    found = list(operations(world.console.app.openapi()))
    assert len(found) > 40
    return [one for one in found if (one.method, one.path) not in _ENDS_THE_SESSION]


def ask(browser: Browser, operation: Operation, token: str) -> int:
    """The status of an answer to a request that is right in all but its content."""
    answer = browser.client.request(operation.method, operation.address, headers={"x-form-token": token})
    if answer.headers.get("location", "").startswith("/login"):
        return 401
    return answer.status_code


def test_whoever_is_not_logged_in_gets_only_what_anyone_may(
    world: World, all_operations: list[Operation]
) -> None:
    browser = world.browser()
    token = browser.form_token("/login")
    got = {operation: ask(browser, operation, token) for operation in all_operations}
    wrong = {one: code for one, code in got.items() if (code == 401) != (one.needed is not Permission.ANYONE)}
    assert not wrong


def test_every_role_gets_exactly_what_the_table_says(world: World, all_operations: list[Operation]) -> None:
    for role in Role:
        browser = world.logged_in(role)
        token = browser.form_token("/account")
        for operation in all_operations:
            code = ask(browser, operation, token)
            assert code != 401, (role, operation)
            assert (code == 403) == (operation.needed not in PERMISSIONS[role]), (role, operation)


def test_every_token_gets_exactly_its_scope(world: World, all_operations: list[Operation]) -> None:
    user_id = world.user("root", Role.ADMINISTRATOR)
    for scope in SCOPES:
        program = world.token(user_id, scope)
        may = {scope, Permission.ANYONE, Permission.SIGNED_IN}
        for operation in all_operations:
            code = program.request(operation.method, operation.address).status_code
            assert (code == 403) == (operation.needed not in may), (scope, operation)


def test_a_token_can_never_do_more_than_its_user(world: World) -> None:
    program = world.token(world.user("eve", Role.VIEWER), Permission.ADMIN, Permission.READ_SIGHTINGS)
    assert program.get("/api/v1/users").status_code == 403
    assert program.get("/api/v1/sightings").status_code == 200


def test_a_route_without_a_permission_cannot_be_made() -> None:
    def undeclared() -> None: ...

    async def undeclared_socket(websocket: WebSocket) -> None: ...

    with pytest.raises(TypeError, match="/open does not say which permission"):
        guarded_router().get("/open")(undeclared)
    with pytest.raises(TypeError, match="/open does not say which permission"):
        guarded_router().guarded_socket("/open", undeclared_socket)


def test_no_route_stands_beside_the_schema(world: World) -> None:
    def routes(holder: Any) -> Iterator[Any]:
        for route in holder.routes:
            inner = getattr(route, "original_router", None)
            yield from routes(inner) if inner is not None else [route]

    found = list(routes(world.console.app))
    assert found
    assert not [route for route in found if not isinstance(route, GuardedRoute | GuardedSocket)]
    assert not [route for route in found if isinstance(route, GuardedRoute) and not route.include_in_schema]
    sockets = {route.path: route.needed for route in found if isinstance(route, GuardedSocket)}
    assert sockets == {"/live/socket": Permission.READ_LIVE}, "the schema has no words for these: test each"


def test_what_is_open_is_named_here(all_operations: list[Operation]) -> None:
    """Whoever opens another route has to say so."""
    assert {(one.method, one.path) for one in all_operations if one.needed is Permission.ANYONE} == {
        ("get", "/healthz"),
        ("get", "/login"),
        ("get", "/openapi.json"),
        ("get", "/static/{state}/{name}"),
        ("get", "/welcome/{secret}"),
        ("post", "/login"),
        ("post", "/theme"),
        ("post", "/welcome/{secret}"),
    }


def test_health_and_schema_hold_no_data(world: World) -> None:
    world.user("somebody particular", Role.VIEWER)
    browser = world.browser()
    assert browser.get("/healthz").json() == {"well": True}
    schema = browser.get("/openapi.json")
    assert schema.json()["paths"]["/people"]["get"]["x-permission"] == "read:people"
    assert "particular" not in schema.text
