"""`pinwatch console`: pages and an API for operators, auditors and administrators."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from workers.cli.common import context, err, needing, out, until_told


def console(
    ctx: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Where to listen (console.host, 127.0.0.1).", metavar="HOST")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="On which port (console.port, 8080).", metavar="PORT", min=1, max=65535)
    ] = None,
    link_for: Annotated[
        str | None,
        typer.Option(
            help="Print a one-time link with which this user sets a new password, and end.", metavar="USER"
        ),
    ] = None,
) -> None:
    """Serve the console: sightings and why they were decided, people, users; and the same as an API.

    The first start prints a one-time link, with which the first administrator is made. For others than
    this machine, put a proxy that speaks HTTPS in front and set `console.public_url` to its address.

    Example: `pinwatch console --port 8080`
    """
    program = context(ctx)
    settings = program.settings.console
    at_host, at_port = host or settings.host, port or settings.port
    with needing("console"):
        from workers.console.access.login import first_link, link_of
        from workers.console.server import ConsoleServer
        from workers.console.users.service import link_address
        from workers.console.wiring import console_of

        made = console_of(program, at_host, at_port)
    users, links = made.access.users, made.access.links
    if link_for is not None:
        out.print(link_address(made.public, link_of(users, links, link_for)), markup=False)
        return
    server = ConsoleServer(made.app, at_host, at_port)
    first = first_link(users, links)
    if first is not None:
        err.print("Nobody can log in yet. Make the first administrator here, within a day:", markup=False)
        out.print(link_address(made.public, first), markup=False)
    err.print(f"console on {made.public}, until Ctrl-C", markup=False)
    with until_told(server.stop, signal.SIGINT, signal.SIGTERM):
        server.serve()
