"""`pinwatch dlq` and `pinwatch lag`: what workers refused, and how far they are behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipeline.errors import UsageError
from workers.bus.base import Topic
from workers.cli.common import App, context, needing, out, print_json
from workers.cli.worker import JOB, lane_of

if TYPE_CHECKING:
    from workers.dead_letters import Refusals

app = App(help="Messages that workers refused: list, look at, send again.")

NUMBER = Annotated[str, typer.Argument(metavar="ID", help="As `pinwatch dlq list` shows it, e.g. 3/17.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    job: JOB = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were sent again.")] = False,
) -> None:
    """List refused messages: where they lay, who refused them, why.

    Example: `pinwatch dlq list`
    """
    with _refusals(ctx, job) as refusals:
        letters = [each for each in refusals.letters() if all_ or not each.sent_again]
    table = Table("id", "lay at", "refused by", "attempts", "bytes", "why", box=None, pad_edge=False)
    for each in letters:
        letter = each.letter
        size = len(letter.message.value)
        table.add_row(
            each.number, letter.origin, letter.group, str(letter.attempts), str(size), escape(letter.error)
        )
    if letters:
        out.print(table)
    out.print(f"{len(letters)} refused messages")


@app.command("show")
def show(ctx: typer.Context, number: NUMBER, job: JOB = None) -> None:
    """Show one refused message: headers and, in hexadecimal, how it begins.

    Example: `pinwatch dlq show 3/17`
    """
    with _refusals(ctx, job) as refusals:
        each = refusals.letter(number)
    letter = each.letter
    print_json(
        {
            "id": each.number,
            "origin": letter.origin,
            "group": letter.group,
            "error": letter.error,
            "attempts": letter.attempts,
            "sent_again": each.sent_again,
            "key": letter.message.key.decode(errors="replace"),
            "headers": {name: value.decode(errors="replace") for name, value in letter.message.headers},
            "bytes": len(letter.message.value),
            "begins": letter.message.value[:64].hex(" "),
        }
    )


@app.command("redrive")
def redrive(
    ctx: typer.Context,
    number: Annotated[
        str | None, typer.Argument(metavar="ID", help="As `pinwatch dlq list` shows it.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that were not sent again yet.")] = False,
    job: JOB = None,
) -> None:
    """Send refused messages to their topics again, after what refused them was repaired.

    Example: `pinwatch dlq redrive 3/17`
    """
    if (number is None) != all_:
        raise UsageError("name one message, or --all of them")
    with _refusals(ctx, job) as refusals:
        wanted = (
            [each for each in refusals.letters() if not each.sent_again]
            if number is None
            else [refusals.letter(number)]
        )
        refusals.send_again(wanted)
    out.print(f"{len(wanted)} messages sent again")


def lag(ctx: typer.Context, job: JOB = None) -> None:
    """How far the workers are behind: messages, and the age of the oldest that waits.

    Example: `pinwatch lag`
    """
    with needing("kafka"):
        from workers.bus.kafka.browse import Browser
    options, lane = lane_of(ctx, job)
    now_ns = context(ctx).clock.now_ns()
    table = Table("worker", "reads", "behind, messages", "oldest, s", box=None, pad_edge=False)
    for step, topic in (("embed", Topic.FACES), ("match", Topic.EMBEDDINGS)):
        with Browser(options, lane, step) as browser:
            lags = browser.lags(topic)
        sent = [each.oldest_sent_at_ns for each in lags if each.oldest_sent_at_ns is not None]
        age = f"{(now_ns - min(sent)) / 1e9:.1f}" if sent else "-"
        table.add_row(step, lane.topic(topic), str(sum(each.messages for each in lags)), age)
    out.print(table)


@contextmanager
def _refusals(ctx: typer.Context, job: str | None) -> Iterator[Refusals]:
    with needing("kafka"):
        from workers.bus.kafka.browse import Browser
        from workers.bus.kafka.bus import KafkaBus
    from workers.dead_letters import Refusals

    options, lane = lane_of(ctx, job)
    with Browser(options, lane) as browser:
        yield Refusals(browser.messages, KafkaBus(options, lane).producer)
