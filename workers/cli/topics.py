"""`pinwatch topics`: the topics of a lane on Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from workers.cli.common import App, needing, out
from workers.cli.worker import JOB, lane_of

if TYPE_CHECKING:
    from workers.bus.kafka.lane import Lane
    from workers.bus.kafka.topics import TopicAdmin

app = App(help="Make, check and remove the topics of the workers.")


@app.command("create")
def create(ctx: typer.Context, job: JOB = None) -> None:
    """Make the topics that are missing, with partitions, retention and sizes as configured.

    The number of partitions is fixed from then on: a track's messages must stay in one partition.

    Example: `pinwatch topics create --job case-7`
    """
    with _lane(ctx, job) as (admin, lane):
        made = admin.create(lane)
    for name in made:
        out.print(f"made {name}", markup=False)
    if not made:
        out.print("all topics are there")


@app.command("check")
def check(ctx: typer.Context, job: JOB = None) -> None:
    """Compare the topics with the configuration; exit code 1 where they differ.

    Example: `pinwatch topics check`
    """
    with _lane(ctx, job) as (admin, lane):
        problems = admin.check(lane)
    for problem in problems:
        out.print(problem, markup=False)
    if problems:
        raise typer.Exit(1)
    out.print("all topics are as configured")


@app.command("remove")
def remove(
    ctx: typer.Context,
    job: Annotated[str, typer.Option(help="The audit job that is over.", metavar="ID")],
) -> None:
    """Remove the topics of an audit job, with everything that lies on them. Decisions stay in the database.

    Example: `pinwatch topics remove --job case-7`
    """
    with _lane(ctx, job) as (admin, lane):
        for name in admin.remove(lane):
            out.print(f"removed {name}", markup=False)


@contextmanager
def _lane(ctx: typer.Context, job: str | None) -> Iterator[tuple[TopicAdmin, Lane]]:
    with needing("kafka"):
        from workers.bus.kafka.topics import TopicAdmin
    options, lane = lane_of(ctx, job)
    with TopicAdmin(options) as admin:
        yield admin, lane
