"""The same for programs: ``/api/v1/alert-rules`` and ``/api/v1/alert-deliveries``."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from workers.alerts.deliveries.receiver import TOPIC, Receiver, Way
from workers.alerts.rules import DEFAULT_COOLDOWN_S, Kind, Rule, Severity, When
from workers.alerts.schedule import parse_schedule
from workers.console.access.roles import Permission
from workers.console.alerts.rules import RuleDesk
from workers.console.web.guard import Caller, guarded_router, needs


class RuleContent(BaseModel):
    """A rule. `schedule`: windows like ``Mon-Fri 22:00-06:00`` in the console's time zone; none: always."""

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: Kind
    list_id: str | None = None
    subject_id: str | None = None
    dead_after_s: float = Field(default=30.0, allow_inf_nan=False)
    cameras: list[str] = []
    schedule: list[str] = []
    severity: Severity = Severity.WARNING
    sound: bool = False
    cooldown_s: float = Field(default=DEFAULT_COOLDOWN_S, allow_inf_nan=False)
    deliveries: list[str] = []
    enabled: bool = True

    def rule(self, rule_id: str) -> Rule:
        """Raises ``UsageError``."""
        return Rule(
            id=rule_id,
            name=self.name,
            when=When(self.kind, self.list_id, self.subject_id, self.dead_after_s),
            cameras=tuple(sorted(set(self.cameras))),
            schedule=parse_schedule("\n".join(self.schedule)),
            severity=self.severity,
            sound=self.sound,
            cooldown_s=self.cooldown_s,
            deliveries=tuple(sorted(set(self.deliveries))),
            enabled=self.enabled,
        )


class RuleFound(RuleContent):
    """A rule with its id."""

    id: str


class DeliveryContent(BaseModel):
    """Who is told; what belongs to another way than `way` is left out."""

    model_config = ConfigDict(extra="forbid")

    name: str
    way: Way
    url: str = ""
    topic: str = TOPIC
    addresses: list[str] = []
    names: bool = False
    enabled: bool = True

    def receiver(self, receiver_id: str) -> Receiver:
        """Raises ``UsageError``."""
        addresses = tuple(self.addresses)
        return Receiver(
            receiver_id, self.name, self.way, self.url, "", self.topic, addresses, self.names, self.enabled
        )


@dataclass(frozen=True, slots=True)
class DeliveryFound:
    """Who is told, and how that goes; `secret` of a webhook only when it was just made."""

    id: str
    name: str
    way: Way
    url: str
    topic: str
    addresses: tuple[str, ...]
    names: bool
    enabled: bool
    waiting: int = 0
    given_up: int = 0
    failures: int = 0
    last_error: str = ""
    last_sent_at: str | None = None
    secret: str | None = None


class RulesApi:
    """Rules and deliveries, for programs.

    Args:
        desk: Does it.
    """

    def __init__(self, desk: RuleDesk) -> None:
        self._desk = desk

    @needs(Permission.WRITE_RULES)
    def list_rules(self, caller: Caller) -> list[RuleFound]:
        """Every rule, by name."""
        return [_rule(rule) for rule in self._desk.all(caller).rules]

    @needs(Permission.WRITE_RULES)
    def add_rule(self, caller: Caller, new: RuleContent) -> RuleFound:
        """A rule more."""
        return _rule(self._desk.add(caller, new.rule("")))

    @needs(Permission.WRITE_RULES)
    def change_rule(self, caller: Caller, rule_id: str, content: RuleContent) -> RuleFound:
        """Another rule in its place."""
        return _rule(self._desk.change(caller, content.rule(rule_id)))

    @needs(Permission.WRITE_RULES)
    def remove_rule(self, caller: Caller, rule_id: str) -> None:
        """A rule fewer; its alerts stay."""
        self._desk.remove(caller, rule_id)

    @needs(Permission.WRITE_RULES)
    def list_deliveries(self) -> list[DeliveryFound]:
        """Who is told elsewhere, and how that goes."""
        return [
            replace(
                _delivery(state.receiver),
                waiting=state.waiting,
                given_up=state.given_up,
                failures=state.failures,
                last_error=state.last_error,
                last_sent_at=state.last_sent_at,
            )
            for state in self._desk.deliveries()
        ]

    @needs(Permission.WRITE_RULES)
    def add_delivery(self, caller: Caller, new: DeliveryContent) -> DeliveryFound:
        """Somebody more; the secret of a webhook is shown this once."""
        made = self._desk.add_delivery(caller, new.receiver(""))
        return replace(_delivery(made), secret=made.secret or None)

    @needs(Permission.WRITE_RULES)
    def change_delivery(self, caller: Caller, receiver_id: str, content: DeliveryContent) -> DeliveryFound:
        """Another one in its place; the secret stays."""
        return _delivery(self._desk.change_delivery(caller, content.receiver(receiver_id)))

    @needs(Permission.WRITE_RULES)
    def send_test(self, caller: Caller, receiver_id: str) -> None:
        """Have a test sent; whether it arrived is told by the list."""
        self._desk.send_test(caller, receiver_id)

    @needs(Permission.WRITE_RULES)
    def new_delivery_secret(self, caller: Caller, receiver_id: str) -> DeliveryFound:
        """Another secret for a webhook, shown this once."""
        made = self._desk.new_secret(caller, receiver_id)
        return replace(_delivery(made), secret=made.secret)

    @needs(Permission.WRITE_RULES)
    def remove_delivery(self, caller: Caller, receiver_id: str) -> None:
        """Somebody fewer, with all that waits for them."""
        self._desk.remove_delivery(caller, receiver_id)

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["alerts"])
        router.get("/alert-rules")(self.list_rules)
        router.post("/alert-rules", status_code=201)(self.add_rule)
        router.put("/alert-rules/{rule_id}")(self.change_rule)
        router.delete("/alert-rules/{rule_id}", status_code=204)(self.remove_rule)
        router.get("/alert-deliveries")(self.list_deliveries)
        router.post("/alert-deliveries", status_code=201)(self.add_delivery)
        router.put("/alert-deliveries/{receiver_id}")(self.change_delivery)
        router.post("/alert-deliveries/{receiver_id}/test", status_code=202)(self.send_test)
        router.post("/alert-deliveries/{receiver_id}/secret", status_code=201)(self.new_delivery_secret)
        router.delete("/alert-deliveries/{receiver_id}", status_code=204)(self.remove_delivery)
        return router


def _rule(rule: Rule) -> RuleFound:
    return RuleFound(
        id=rule.id,
        name=rule.name,
        kind=rule.when.kind,
        list_id=rule.when.list_id,
        subject_id=rule.when.subject_id,
        dead_after_s=rule.when.after_s,
        cameras=list(rule.cameras),
        schedule=rule.schedule.text().splitlines(),
        severity=rule.severity,
        sound=rule.sound,
        cooldown_s=rule.cooldown_s,
        deliveries=list(rule.deliveries),
        enabled=rule.enabled,
    )


def _delivery(receiver: Receiver) -> DeliveryFound:
    return DeliveryFound(
        receiver.id,
        receiver.name,
        receiver.way,
        receiver.url,
        receiver.topic,
        receiver.addresses,
        receiver.names,
        receiver.enabled,
    )
