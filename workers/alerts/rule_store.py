"""Rules in the database, and a copy in memory that is read again when one was changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, delete, func, insert, select, update

from gallery.database import Database
from gallery.store import random_id
from gallery.tables import alert_deliveries, alert_rules, alert_version
from gallery.times import utc_text_from_ns
from pipeline.errors import UsageError
from workers.alerts.rules import Rule, decode_rule, encode_rule


class RuleStore:
    """All rules. Every method is one transaction.

    Args:
        database: Where they are kept.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        new_id: Makes ids.
    """

    def __init__(
        self,
        database: Database,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._database, self._now_ns, self._new_id = database, now_ns, new_id

    def all(self) -> list[Rule]:
        """Every rule, by name."""
        with self._database.read() as connection:
            return all_rules(connection)

    def get(self, rule_id: str) -> Rule | None:
        """The rule of that id."""
        return next((rule for rule in self.all() if rule.id == rule_id), None)

    def add(self, rule: Rule) -> Rule:
        """A rule more, whatever id it has; it gets a new one. Raises ``UsageError`` as :meth:`change`."""
        made = replace(rule, id=self._new_id())
        values = {"rule_id": made.id, "name": made.name, "content": encode_rule(made)}
        with self._database.write() as connection:
            _touch(connection)
            _check(connection, made)
            created_at = utc_text_from_ns(self._now_ns())
            connection.execute(insert(alert_rules).values(**values, created_at=created_at))
        return made

    def change(self, rule: Rule) -> Rule:
        """Put a rule in the place of the one with its id.

        Raises:
            UsageError: there is no such rule, its name is taken, or it tells somebody who is not there.
        """
        values = {"name": rule.name, "content": encode_rule(rule)}
        with self._database.write() as connection:
            _touch(connection)
            _check(connection, rule)
            mine = alert_rules.c.rule_id == rule.id
            if not connection.execute(update(alert_rules).where(mine).values(**values)).rowcount:
                raise UsageError("there is no such rule")
        return rule

    def remove(self, rule_id: str) -> None:
        """A rule fewer; its alerts stay. Raises ``UsageError`` where there is none."""
        with self._database.write() as connection:
            _touch(connection)
            if not connection.execute(delete(alert_rules).where(alert_rules.c.rule_id == rule_id)).rowcount:
                raise UsageError("there is no such rule")


class CurrentRules:
    """The rules as they are, kept in memory until one is changed; one thread at a time."""

    def __init__(self) -> None:
        self._version = -1
        self._rules: list[Rule] = []

    def on(self, connection: Connection) -> list[Rule]:
        """Those that are enabled, by name."""
        version = connection.execute(select(alert_version.c.rules)).scalar_one()
        if version != self._version:
            self._rules = [rule for rule in all_rules(connection) if rule.enabled]
            self._version = version
        return self._rules


def all_rules(connection: Connection) -> list[Rule]:
    query = select(alert_rules.c.content).order_by(func.lower(alert_rules.c.name), alert_rules.c.name)
    return [decode_rule(content) for content in connection.execute(query).scalars()]


def _touch(connection: Connection) -> None:
    connection.execute(update(alert_version).values(rules=alert_version.c.rules + 1))


def _check(connection: Connection, rule: Rule) -> None:
    same = func.lower(alert_rules.c.name) == func.lower(rule.name)
    holder = connection.execute(select(alert_rules.c.rule_id).where(same)).scalar()
    if holder not in (None, rule.id):
        raise UsageError(f"there is a rule called {rule.name!r} already")
    known = set(connection.execute(select(alert_deliveries.c.delivery_id)).scalars())
    if not known.issuperset(rule.deliveries):
        raise UsageError("the rule tells somebody who is not, or no longer, there")
