"""Pages about who is told of alerts elsewhere."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gallery.times import utc_text_from_ns
from workers.alerts.deliveries.receiver import TOPIC, Receiver, Way
from workers.console.access.roles import Permission
from workers.console.alerts.rules import RuleDesk
from workers.console.web.guard import Caller, guarded_router, needs
from workers.console.web.pages import Pages, go_to


class DeliveryForm(BaseModel):
    """What is typed; of the ways only what belongs to the chosen one counts."""

    model_config = ConfigDict(extra="ignore")  # the token of the form comes along

    name: str
    way: Way
    url: str = ""
    topic: str = TOPIC
    addresses: str = Field(default="", max_length=20_000)
    names: bool = False
    enabled: bool = False

    def receiver(self, receiver_id: str) -> Receiver:
        """Whom it describes. Raises ``UsageError``."""
        addresses = tuple(self.addresses.replace(",", " ").replace(";", " ").split())
        return Receiver(
            id=receiver_id,
            name=self.name,
            way=self.way,
            url=self.url.strip() if self.way is Way.WEBHOOK else "",
            topic=self.topic.strip() if self.way is Way.MQTT else TOPIC,
            addresses=addresses if self.way is Way.MAIL else (),
            names=self.names,
            enabled=self.enabled,
        )


Typed = Annotated[DeliveryForm, Form()]


class DeliveryPages:
    """Who is told, how that goes, and a form for each.

    Args:
        desk: Does it.
        pages: Draws.
    """

    def __init__(self, desk: RuleDesk, pages: Pages) -> None:
        self._desk, self._pages = desk, pages

    @needs(Permission.WRITE_RULES)
    def show_all(self, request: Request, tested: str = "") -> Response:
        """Everybody, by name."""
        return self._page(request, None, tested)

    def _page(self, request: Request, made: Receiver | None, tested: str = "") -> Response:
        states = self._desk.deliveries()
        waits = {
            state.receiver.id: utc_text_from_ns(state.oldest_ns)
            for state in states
            if state.oldest_ns is not None
        }
        values: dict[str, Any] = {"states": states, "waits": waits, "ways": list(Way), "made": made}
        return self._pages.page(request, "alert_deliveries.html", tested=tested, topic=TOPIC, **values)

    @needs(Permission.WRITE_RULES)
    def add(self, request: Request, caller: Caller, typed: Typed) -> Response:
        """Somebody more; of a webhook the secret is shown."""
        made = self._desk.add_delivery(caller, typed.receiver(""))
        return self._page(request, made) if made.secret else go_to("/deliveries")

    @needs(Permission.WRITE_RULES)
    def change(self, caller: Caller, receiver_id: str, typed: Typed) -> Response:
        """Another name, another address."""
        self._desk.change_delivery(caller, typed.receiver(receiver_id))
        return go_to("/deliveries")

    @needs(Permission.WRITE_RULES)
    def new_secret(self, request: Request, caller: Caller, receiver_id: str) -> Response:
        """Another secret for a webhook."""
        return self._page(request, self._desk.new_secret(caller, receiver_id))

    @needs(Permission.WRITE_RULES)
    def test(self, caller: Caller, receiver_id: str) -> Response:
        """Send a test."""
        self._desk.send_test(caller, receiver_id)
        return go_to(f"/deliveries?tested={receiver_id}")

    @needs(Permission.WRITE_RULES)
    def remove(self, caller: Caller, receiver_id: str) -> Response:
        """Somebody fewer."""
        self._desk.remove_delivery(caller, receiver_id)
        return go_to("/deliveries")

    def router(self) -> APIRouter:
        """All of them."""
        router = guarded_router(
            tags=["pages: deliveries"], prefix="/deliveries", default_response_class=Response
        )
        router.get("")(self.show_all)
        router.post("")(self.add)
        router.post("/{receiver_id}")(self.change)
        router.post("/{receiver_id}/secret")(self.new_secret)
        router.post("/{receiver_id}/test")(self.test)
        router.post("/{receiver_id}/remove")(self.remove)
        return router
