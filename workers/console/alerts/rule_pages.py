"""Pages about rules."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from workers.alerts.rules import DEFAULT_COOLDOWN_S, Kind, Rule, Severity, When
from workers.alerts.schedule import parse_schedule
from workers.console.access.groups import CameraGroups
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.alerts.rules import RuleDesk
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to

_NEW = Rule("", "new", When(Kind.KNOWN))
_MINUTE_S = 60.0


class RuleForm(BaseModel):
    """What is typed. `person` is a name or an id; a checkbox that is not set is not sent."""

    model_config = ConfigDict(extra="ignore")  # the token of the form comes along

    name: str
    kind: Kind
    watch_list: str = ""
    person: str = ""
    dead_after_s: float = Field(default=30.0, allow_inf_nan=False)
    cameras: list[str] = []
    schedule: str = Field(default="", max_length=4000)
    severity: Severity = Severity.WARNING
    sound: bool = False
    gap_min: float = Field(default=DEFAULT_COOLDOWN_S / _MINUTE_S, allow_inf_nan=False)
    deliveries: list[str] = []
    enabled: bool = False

    def rule(self, desk: RuleDesk, rule_id: str) -> Rule:
        """The rule that it describes. Raises ``UsageError``, ``SubjectNotFound``."""
        when = When(
            self.kind,
            list_id=desk.list_named(self.watch_list) if self.kind is Kind.LIST else None,
            subject_id=desk.subject_named(self.person) if self.kind is Kind.PERSON else None,
            after_s=self.dead_after_s,
        )
        return Rule(
            id=rule_id,
            name=self.name,
            when=when,
            cameras=tuple(sorted(set(self.cameras))),
            schedule=parse_schedule(self.schedule),
            severity=self.severity,
            sound=self.sound,
            cooldown_s=self.gap_min * _MINUTE_S,
            deliveries=tuple(sorted(set(self.deliveries))),
            enabled=self.enabled,
        )


Typed = Annotated[RuleForm, Form()]


class RulePages:
    """All rules, and a form for one.

    Args:
        desk: Does it.
        groups: Knows the cameras.
        pages: Draws.
    """

    def __init__(self, desk: RuleDesk, groups: CameraGroups, pages: Pages) -> None:
        self._desk, self._groups, self._pages = desk, groups, pages

    @needs(Permission.WRITE_RULES)
    def show_all(self, request: Request, caller: Caller) -> Response:
        """Every rule, by name."""
        shown = self._desk.all(caller)
        told = {state.receiver.id: state.receiver.name for state in shown.deliveries}
        return self._pages.page(request, "rules.html", shown=shown, told=told)

    @needs(Permission.WRITE_RULES)
    def form(self, request: Request, caller: Caller, rule_id: str) -> Response:
        """Where a rule is changed, or made (``new``)."""
        rule = _NEW if rule_id == "new" else self._desk.rule(rule_id)
        return self._pages.page(request, "rule.html", **self._values(caller, rule))

    def _values(self, principal: Principal, rule: Rule) -> dict[str, Any]:
        person = rule.when.subject_id
        return {
            "rule": rule,
            "name": rule.name if rule.id else "",
            "person": "" if person is None else self._desk.name_of(principal, person),
            "kinds": list(Kind),
            "severities": list(Severity),
            "lists": self._desk.lists(),
            "cameras": sorted({*self._groups.known_cameras(), *rule.cameras}),
            "deliveries": self._desk.deliveries(),
        }

    @needs(Permission.WRITE_RULES)
    def save(self, caller: Caller, rule_id: str, typed: Typed) -> Response:
        """Change a rule, or make one (``new``)."""
        if rule_id == "new":
            self._desk.add(caller, typed.rule(self._desk, ""))
        else:
            self._desk.change(caller, typed.rule(self._desk, rule_id))
        return go_to("/rules")

    @needs(Permission.WRITE_RULES)
    def remove(self, caller: Caller, rule_id: str) -> Response:
        """A rule fewer."""
        self._desk.remove(caller, rule_id)
        return go_to("/rules")

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(tags=["pages: rules"], prefix="/rules", default_response_class=Response)
        router.get("")(self.show_all)
        router.get("/{rule_id}")(self.form)
        router.post("/{rule_id}")(self.save)
        router.post("/{rule_id}/remove")(self.remove)
        return router
