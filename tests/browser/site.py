"""A console on a port of its own, over a database on disk, for real browsers."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from gallery.database import DATABASE_NAME, Database
from tests.workers.console.world import PASSWORD, World
from workers.console.access.login import LoggedIn
from workers.console.access.origins import origins
from workers.console.access.roles import Role
from workers.console.server import ConsoleServer

HOST = "127.0.0.1"
_END_S = 20.0
_TOKEN = 'name="form_token" value="'


class Site:
    """The console, and who may use it: one user of each role, called like it.

    Args:
        world: Behind the console.
        port: Where it listens.
        beside: Ends with the site: what its content needs.
    """

    def __init__(self, world: World, port: int, beside: ExitStack) -> None:
        self.world, self.origin, self.beside = world, f"http://{HOST}:{port}", beside
        for role in Role:
            world.user(role.value, role)

    def cookie(self, role: Role) -> str:
        """The cookie of a new session of the user with that role."""
        entered = self.world.access.login.enter(role.value, PASSWORD, HOST, None)
        assert isinstance(entered, LoggedIn)
        return entered.cookie

    @property
    def cookie_name(self) -> str:
        """What the session's cookie is called."""
        return self.world.access.cookies.session

    @contextmanager
    def session(self, role: Role) -> Iterator[requests.Session]:
        """A client of a user with that role, which brings along what forms bring along."""
        with requests.Session() as made:
            made.cookies.set(self.cookie_name, self.cookie(role))
            page = made.get(f"{self.origin}/account", timeout=30).text
            made.headers["x-form-token"] = page.partition(_TOKEN)[2].partition('"')[0]
            made.headers["origin"] = self.origin
            yield made


@contextmanager
def served(database: Database) -> Iterator[Site]:
    """A site that answers, as long as the block lasts."""
    port = _free_port()
    world = World(database, origins=origins(HOST, port, None))
    server = ConsoleServer(world.console.app, HOST, port, on_stop=world.console.hub.close)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with ExitStack() as beside:
            yield Site(world, port, beside)
    finally:
        server.stop()
        thread.join(_END_S)
        assert not thread.is_alive(), "the console did not end"


@contextmanager
def empty_site(empty_database: Path, folder: Path) -> Iterator[Site]:
    """A site with nothing in it but a user of each role, kept in `folder`."""
    shutil.copyfile(empty_database, folder / DATABASE_NAME)
    database = Database.open(folder)
    try:
        with served(database) as made:
            yield made
    finally:
        database.close()


def _free_port() -> int:
    """The console must know its port before it listens: forms and hosts are held against it."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port
