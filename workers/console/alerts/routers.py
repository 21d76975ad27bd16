"""The routes of this part, put together."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from workers.alerts.deliveries.receiver_store import ReceiverStore
from workers.alerts.handling import Handling
from workers.alerts.metrics import AlertCollector
from workers.alerts.reading import AlertStore
from workers.alerts.rule_store import RuleStore
from workers.console.access.groups import CameraGroups
from workers.console.access.users import Users
from workers.console.alerts.api import AlertsApi
from workers.console.alerts.delivery_pages import DeliveryPages
from workers.console.alerts.pages import AlertPages
from workers.console.alerts.rule_pages import RulePages
from workers.console.alerts.rules import RuleDesk
from workers.console.alerts.rules_api import RulesApi
from workers.console.alerts.service import AlertDesk
from workers.console.options import ConsoleParts
from workers.console.web.pages import Pages


@dataclass(frozen=True, slots=True)
class AlertRouters:
    """Pages and API."""

    pages: list[APIRouter]
    api: list[APIRouter]


def alert_routers(parts: ConsoleParts, users: Users, groups: CameraGroups, pages: Pages) -> AlertRouters:
    """Alerts, rules and deliveries; the bar at the top shows how many alerts are open."""
    database, now_ns = parts.database, parts.clock.now_ns
    handling = Handling(database, now_ns, parts.alerts_changed)
    store, receivers = AlertStore(database), ReceiverStore(database, now_ns=now_ns)
    desk = AlertDesk(store, handling, parts.gallery, users, parts.record)
    rules = RuleDesk(
        RuleStore(database, now_ns=now_ns),
        receivers,
        parts.gallery,
        parts.lists,
        parts.record,
    )
    pages.count("/alerts", desk.open_count)
    parts.registry.register(AlertCollector(store, receivers))
    return AlertRouters(
        [
            AlertPages(desk, groups, pages).router(),
            RulePages(rules, groups, pages).router(),
            DeliveryPages(rules, pages).router(),
        ],
        [AlertsApi(desk).router(), RulesApi(rules).router()],
    )
