"""`pinwatch console`: pages and an API for operators, auditors and administrators."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.common import context, err, needing, out, until_told

if TYPE_CHECKING:
    from workers.console.app import Console


def console(
    ctx: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="What to watch besides the cameras of the database: a video or a folder of images, which is "
            "played as if it were a camera, an rtsp:// address, or a camera index.",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Where to listen (console.host, 127.0.0.1).", metavar="HOST")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="On which port (console.port, 8080).", metavar="PORT", min=1, max=65535)
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Play files again and again.")] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the footage, so that it can be looked at again.")
    ] = False,
    no_watch: Annotated[
        bool, typer.Option("--no-watch", help="Serve the pages only: others watch the cameras.")
    ] = False,
    link_for: Annotated[
        str | None,
        typer.Option(
            help="Print a one-time link with which this user sets a new password, and end.", metavar="USER"
        ),
    ] = None,
) -> None:
    """Watch cameras, and serve the console: live pictures, who is seen and why, alerts, people; and an API.

    The first start prints a one-time link, with which the first administrator is made. For others than
    this machine, put a proxy that speaks HTTPS in front and set `console.public_url` to its address.

    Example: `pinwatch console lobby.mp4 --loop`
    """
    program = context(ctx)
    settings = program.settings.console
    at_host, at_port = host or settings.host, port or settings.port
    with needing("console"):
        from workers.console.access.login import link_of
        from workers.console.embedded import LiveRequest
        from workers.console.users.service import link_address
        from workers.console.wiring import console_of, watching

        made = console_of(program, at_host, at_port)
    if link_for is not None:
        users, links = made.access.users, made.access.links
        out.print(link_address(made.public, link_of(users, links, link_for)), markup=False)
        return
    if not no_watch:
        made = watching(program, LiveRequest(tuple(sources or ()), loop, record), made)
    serve(made, at_host, at_port)


def serve(made: Console, host: str, port: int) -> None:
    """Serve a console, and have working what belongs beside it, until a signal comes.

    Raises:
        UsageError: the port is taken.
    """
    from workers.console.access.login import first_link
    from workers.console.beside import working
    from workers.console.server import ConsoleServer
    from workers.console.users.service import link_address

    server = ConsoleServer(made.app, host, port, on_stop=made.hub.close)
    first = first_link(made.access.users, made.access.links)
    if first is not None:
        err.print("Nobody can log in yet. Make the first administrator here, within a day:", markup=False)
        out.print(link_address(made.public, first), markup=False)
    problem = None if made.access.provider is None else made.access.provider.problem()
    if problem is not None:
        err.print(f"nobody can log in through the identity provider now: {problem}", markup=False)
    err.print(f"console on {made.public}, until Ctrl-C", markup=False)
    with working(made.beside), until_told(server.stop, signal.SIGINT, signal.SIGTERM):
        server.serve()
