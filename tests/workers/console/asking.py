"""Asks every operation of the schema for something: requests that are right in form, filled with a text."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gallery.database import DATABASE_NAME, Database
from tests.workers.console.world import Browser, World
from workers.console.access.roles import Role

_METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{(\w+)\}")
FORM, FILES, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
ENDS_THE_SESSION = ("post", "/logout")


@dataclass(frozen=True, slots=True)
class Request:
    """What to send.

    Attributes:
        method, address: Where to; the address is quoted.
        options: For the client: ``data``, ``files``, or ``content`` with ``headers``.
    """

    method: str
    address: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.address[:120]}"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the schema.

    Attributes:
        method, path: As there.
        described: What is said of it there.
        components: What references in it mean.
    """

    method: str
    path: str
    described: Mapping[str, Any]
    components: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def path_parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)

    @property
    def content(self) -> Mapping[str, Any]:
        """Kinds of bodies that it takes."""
        body: Mapping[str, Any] = self.described.get("requestBody", {}).get("content", {})
        return body

    def at(self, **values: str) -> str:
        """The address with these path parameters, quoted; others are called ``nothing``."""
        return _PARAMETER.sub(lambda found: _quoted(values.get(found[1], "nothing")), self.path)

    def filled(self, text: str) -> Request:
        """A request with `text` wherever a text may be."""
        address = self.at(**dict.fromkeys(self.path_parameters, text))
        query = [
            (one["name"], value)
            for one in self.described.get("parameters", ())
            if one["in"] == "query"
            for value in _several(self.value(one["schema"], text))
        ]
        asked = "&".join(f"{name}={quote(_plain(value), safe='')}" for name, value in query)
        return Request(self.method, f"{address}?{asked}" if asked else address, self._body(text))

    def _body(self, text: str) -> dict[str, Any]:
        for kind, how in self.content.items():
            value = self.value(how["schema"], text)
            if kind == JSON:  # written here: clients cannot send half a character
                return {"content": json.dumps(value), "headers": {"content-type": JSON}}
            if kind == FORM:
                return {"data": {name: _form(one) for name, one in value.items()}}
            if kind == FILES:
                return _multipart(value)
        return {}

    def value(self, schema: Mapping[str, Any], text: str) -> Any:
        """Something that fits `schema`, with `text` where it is a text; files are ``bytes``."""
        schema = self._resolved(schema)
        if "enum" in schema or "const" in schema:
            return schema.get("const", (schema.get("enum") or [None])[0])
        match schema.get("type"):
            case "string":
                binary = schema.get("format") == "binary" or "contentMediaType" in schema
                return text.encode("utf-8", "replace") if binary else text
            case "integer" | "number":
                return max(1, schema.get("minimum", 1))
            case "boolean":
                return True
            case "array":
                return [self.value(schema.get("items", {}), text)]
            case "object":
                named = schema.get("properties", {})
                return {name: self.value(one, text) for name, one in named.items()} or {text[:50]: text}
            case _:
                return text

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while True:
            if "$ref" in schema:
                schema = self.components[schema["$ref"].rpartition("/")[2]]
            elif choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
                schema = next(one for one in choices if one.get("type") != "null")
            else:
                return schema


def operations_of(schema: Mapping[str, Any]) -> Iterator[Operation]:
    """Every operation but the one that would end the session."""
    components = schema.get("components", {}).get("schemas", {})
    for path, methods in sorted(schema["paths"].items()):
        for method in _METHODS:
            if method in methods and (method, path) != ENDS_THE_SESSION:
                yield Operation(method, path, methods[method], components)


def _quoted(text: str) -> str:
    """Dots as well: clients take ``..`` out of addresses before they send them."""
    return quote(text, safe="").replace(".", "%2E")


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _form(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, list) else _plain(value)


def _multipart(fields: Mapping[str, Any]) -> dict[str, Any]:
    files: list[tuple[str, tuple[str, bytes, str]]] = []
    data: dict[str, Any] = {}
    for name, value in fields.items():
        contents = [one for one in _several(value) if isinstance(one, bytes)]
        files += [(name, ("picture.png", one, "image/png")) for one in contents]
        if not contents:
            data[name] = _form(value)
    return {"data": data, "files": files}


@contextmanager
def administered(empty_database: Path, folder: Path) -> Iterator[tuple[World, Browser]]:
    """A console for many questions, and its administrator's browser: one loop for all requests."""
    shutil.copyfile(empty_database, folder / DATABASE_NAME)
    database = Database.open(folder)
    try:
        world = World(database)
        browser = world.logged_in(Role.ADMINISTRATOR)
        with browser.client:
            yield world, browser
    finally:
        database.close()
