"""Rules and deliveries for pages and API alike: what administrators do with them, recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from gallery.lists import WatchList, WatchLists
from gallery.store import GalleryStore
from pipeline.errors import UsageError
from workers.alerts.deliveries.receiver import Receiver, Way, new_secret
from workers.alerts.deliveries.receiver_store import ReceiverState, ReceiverStore
from workers.alerts.rule_store import RuleStore
from workers.alerts.rules import Kind, Rule, When
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess


@dataclass(frozen=True, slots=True)
class RulesShown:
    """All rules.

    Attributes:
        rules: By name.
        names: Of people that rules name, by id.
        lists: Names of watch lists, by id.
        deliveries: Who can be told, and how that goes.
    """

    rules: Sequence[Rule]
    names: Mapping[str, str]
    lists: Mapping[str, str]
    deliveries: Sequence[ReceiverState]


class RuleDesk:
    """Changes rules and deliveries. Changes are recorded before they are made.

    Args:
        rules: Kept here.
        receivers: Kept here.
        gallery: Names people.
        lists: Watch lists.
        record: Told of every change.
    """

    def __init__(
        self,
        rules: RuleStore,
        receivers: ReceiverStore,
        gallery: GalleryStore,
        lists: WatchLists,
        record: RecordAccess,
    ) -> None:
        self._rules, self._receivers = rules, receivers
        self._gallery, self._lists, self._record = gallery, lists, record

    def all(self, principal: Principal) -> RulesShown:
        """Every rule, with whom it is about."""
        rules = self._rules.all()
        about = {rule.when.subject_id for rule in rules if rule.when.subject_id is not None}
        self._record(principal.who, "alert rules listed", about)
        lists = {one.id: one.name for one in self._lists.lists()}
        return RulesShown(rules, self._gallery.names(about), lists, self._receivers.states())

    def lists(self) -> list[WatchList]:
        """Those that a rule can ask for."""
        return self._lists.lists()

    def rule(self, rule_id: str) -> Rule:
        """Raises ``HTTPException`` 404."""
        rule = self._rules.get(rule_id)
        if rule is None:
            raise HTTPException(404, "there is no such rule")
        return rule

    def name_of(self, principal: Principal, subject_id: str) -> str:
        """Of somebody whom a rule is about."""
        self._record(principal.who, "alert rule shown", [subject_id])
        return self._gallery.names([subject_id]).get(subject_id, subject_id)

    def add(self, principal: Principal, rule: Rule) -> Rule:
        """See :meth:`RuleStore.add`."""
        self._check(rule.when)
        self._record(principal.who, f"alert rule to be made: {_in_words(rule)}", _about(rule))
        return self._rules.add(rule)

    def change(self, principal: Principal, rule: Rule) -> Rule:
        """See :meth:`RuleStore.change`. Raises ``HTTPException`` 404."""
        before = self.rule(rule.id)
        self._check(rule.when)
        what = f"alert rule {rule.id} to be changed from {_in_words(before)} to {_in_words(rule)}"
        self._record(principal.who, what, {*_about(before), *_about(rule)})
        return self._rules.change(rule)

    def remove(self, principal: Principal, rule_id: str) -> None:
        """A rule fewer. Raises ``HTTPException`` 404."""
        rule = self.rule(rule_id)
        self._record(principal.who, f"alert rule {rule_id} to be removed: {_in_words(rule)}", _about(rule))
        self._rules.remove(rule_id)

    def subject_named(self, name_or_id: str) -> str:
        """The id of somebody who is enrolled. Raises ``SubjectNotFound``."""
        return self._gallery.subject(name_or_id.strip()).id

    def list_named(self, name_or_id: str) -> str:
        """The id of a watch list. Raises ``UsageError``."""
        found = [one.id for one in self._lists.lists() if name_or_id in (one.id, one.name)]
        if not found:
            raise UsageError(f"there is no watch list {name_or_id!r}")
        return found[0]

    def deliveries(self) -> list[ReceiverState]:
        """Who is told elsewhere, and how that goes."""
        return self._receivers.states()

    def delivery(self, receiver_id: str) -> Receiver:
        """Raises ``HTTPException`` 404."""
        receiver = self._receivers.get(receiver_id)
        if receiver is None:
            raise HTTPException(404, "there is no such delivery")
        return receiver

    def add_delivery(self, principal: Principal, receiver: Receiver) -> Receiver:
        """Somebody more; a webhook gets a secret, which the answer holds."""
        secret = new_secret() if receiver.way is Way.WEBHOOK else ""
        self._record(principal.who, f"alert delivery to be made: {_told(receiver)}", ())
        return self._receivers.add(replace(receiver, secret=secret))

    def change_delivery(self, principal: Principal, receiver: Receiver) -> Receiver:
        """In the place of the one with its id, whose secret stays. Raises ``HTTPException`` 404."""
        before = self.delivery(receiver.id)
        what = f"alert delivery {receiver.id} to be changed from {_told(before)} to {_told(receiver)}"
        self._record(principal.who, what, ())
        return self._receivers.change(replace(receiver, secret=before.secret))

    def new_secret(self, principal: Principal, receiver_id: str) -> Receiver:
        """Another secret for a webhook. Raises ``HTTPException`` 404, ``UsageError``."""
        receiver = self.delivery(receiver_id)
        if receiver.way is not Way.WEBHOOK:
            raise UsageError("only webhooks have a secret")
        self._record(principal.who, f"alert delivery {receiver_id} to get another secret", ())
        return self._receivers.change(replace(receiver, secret=new_secret()))

    def remove_delivery(self, principal: Principal, receiver_id: str) -> None:
        """Somebody fewer, with all that waits for them. Raises ``HTTPException`` 404."""
        receiver = self.delivery(receiver_id)
        self._record(principal.who, f"alert delivery to be removed: {_told(receiver)}", ())
        self._receivers.remove(receiver_id)

    def send_test(self, principal: Principal, receiver_id: str) -> None:
        """Have a test sent. Raises ``HTTPException`` 404."""
        receiver = self.delivery(receiver_id)
        self._record(principal.who, f"test of the alert delivery {receiver.id}", ())
        self._receivers.send_test(receiver.id)

    def _check(self, when: When) -> None:
        if when.kind is Kind.LIST and when.list_id not in {one.id for one in self._lists.lists()}:
            raise UsageError("there is no such watch list")
        if when.subject_id is not None and self._gallery.subject(when.subject_id).id != when.subject_id:
            raise UsageError("nobody has the id that the rule names")


def _about(rule: Rule) -> list[str]:
    return [] if rule.when.subject_id is None else [rule.when.subject_id]


def _in_words(rule: Rule) -> str:
    """All of it but its name, which may hold somebody's."""
    parts = [
        f"{rule.when.kind} {rule.when.list_id or rule.when.subject_id or ''}".strip(),
        f"cameras {', '.join(rule.cameras) or 'all'}",
        f"hours {'; '.join(rule.schedule.text().splitlines()) or 'always'}",
        f"{rule.severity}, {'sound' if rule.sound else 'no sound'}, visit {rule.cooldown_s:g} s",
        f"deliveries {', '.join(rule.deliveries) or 'none'}",
        "on" if rule.enabled else "off",
    ]
    return "; ".join(parts)


def _told(receiver: Receiver) -> str:
    """Of a webhook only where it is: what follows is often a secret."""
    host = urlsplit(receiver.url).netloc
    where = {Way.WEBHOOK: host, Way.MQTT: receiver.topic, Way.MAIL: ", ".join(receiver.addresses)}
    names = "names" if receiver.names else "no names"
    return f"{receiver.way} {where[receiver.way]}, {names}, {'on' if receiver.enabled else 'off'}"
