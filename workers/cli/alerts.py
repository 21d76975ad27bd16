"""`pinwatch alerts`: what was raised, by which rules, and whether others can be told."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from pipeline.errors import PinwatchError, UsageError
from workers.cli.common import App, context, err, needing, out, print_json

app = App(help="Alerts and their rules; rules are made in the console.")

JsonFlag = Annotated[bool, typer.Option("--json", help="A JSON line each.")]

_TEST_WITHIN_S = 40.0


@app.command("list")
def list_(
    ctx: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="Also those that need nobody any more.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    json: JsonFlag = False,
) -> None:
    """List alerts, the most urgent first; without names, see `pinwatch sightings` for who it was.

    Example: `pinwatch alerts list`
    """
    from workers.alerts.reading import AlertFilter, AlertStore
    from workers.alerts.records import State

    wanted = AlertFilter(states=() if all_ else (State.OPEN,))
    found = AlertStore(context(ctx).database()).find(wanted, None, 0, limit)
    if json:
        for alert in found:
            print_json({name: getattr(alert, name) for name in _SHOWN})
        return
    table = Table(
        "alert", "severity", "state", "rule", "camera", "last seen", "sightings", box=None, pad_edge=False
    )
    for alert in found:
        table.add_row(
            alert.id[:12],
            alert.severity,
            alert.state,
            escape(alert.rule),
            escape(alert.camera),
            alert.last_at,
            str(alert.sightings),
        )
    out.print(table)
    err.print(f"{len(found)} alerts")


_SHOWN = (
    "id", "rule", "kind", "severity", "state", "reason", "subject_id", "suspected", "first_at", "last_at",
    "camera", "cameras", "sightings",
)  # fmt: skip


@app.command("rules")
def rules(ctx: typer.Context, json: JsonFlag = False) -> None:
    """List the rules that raise alerts.

    Example: `pinwatch alerts rules`
    """
    from workers.alerts.rule_store import RuleStore

    found = RuleStore(context(ctx).database()).all()
    if json:
        for rule in found:
            schedule = rule.schedule.text().splitlines()
            print_json(
                {"id": rule.id, "name": rule.name, "kind": rule.when.kind, "cameras": rule.cameras,
                 "schedule": schedule, "severity": rule.severity, "enabled": rule.enabled}
            )  # fmt: skip
        return
    table = Table("rule", "when", "cameras", "hours", "severity", "holds", box=None, pad_edge=False)
    for rule in found:
        hours = "; ".join(rule.schedule.text().splitlines()) or "always"
        cameras = escape(", ".join(rule.cameras)) or "all"
        holds = "yes" if rule.enabled else "no"
        table.add_row(escape(rule.name), rule.when.kind, cameras, hours, rule.severity, holds)
    out.print(table)


@app.command("deliveries")
def deliveries(ctx: typer.Context) -> None:
    """List who is told of alerts elsewhere, and how that goes.

    Example: `pinwatch alerts deliveries`
    """
    from workers.alerts.deliveries.receiver_store import ReceiverStore

    table = Table("delivery", "way", "waiting", "given up", "last taken", "trouble", box=None, pad_edge=False)
    for state in ReceiverStore(context(ctx).database()).states():
        table.add_row(
            escape(state.receiver.name),
            state.receiver.way,
            str(state.waiting),
            str(state.given_up),
            state.last_sent_at or "",
            escape(state.last_error),
        )
    out.print(table)


@app.command("test")
def test(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who is to be told.")],
) -> None:
    """Send a test to somebody who is told of alerts, and say whether it was taken.

    Example: `pinwatch alerts test guards`
    """
    program = context(ctx)
    with needing("console"):
        from workers.alerts.deliveries.receiver_store import ReceiverState, ReceiverStore
        from workers.alerts.running import courier_of

    store = ReceiverStore(program.database(), now_ns=program.clock.now_ns)
    receiver = next((one for one in store.all() if name in (one.name, one.id)), None)
    if receiver is None:
        raise UsageError(f"nobody is told of alerts as {name!r}: `pinwatch alerts deliveries` shows all")
    if not receiver.enabled:
        raise UsageError(f"{receiver.name} is switched off: switch it on in the console")
    public = program.settings.console.public_url or "http://127.0.0.1"

    def state() -> ReceiverState:
        return next(one for one in store.states() if one.receiver.id == receiver.id)

    store.send_test(receiver.id)
    courier = courier_of(program.database(), program.settings.alerts, program.clock, public)
    deadline = time.monotonic() + _TEST_WITHIN_S
    while state().waiting and not state().failures and time.monotonic() < deadline:
        if not courier.turn():
            time.sleep(0.2)  # a console that runs may be sending it
    if state().waiting or state().last_error:
        raise PinwatchError(f"{receiver.name} did not take the test: {state().last_error or 'it waits'}")
    out.print(f"{receiver.name} took the test", markup=False)
