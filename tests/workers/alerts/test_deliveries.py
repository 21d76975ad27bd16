"""What is raised is told elsewhere, once or more, until it is taken; and what it says."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from gallery.database import Database
from gallery.tables import alert_outbox, alerts, erasures, subjects
from pipeline.clock import ManualClock
from pipeline.errors import UsageError
from tests.workers.alerts.servers import Hook
from tests.workers.alerts.world import Desk, Track
from workers.alerts.deliveries.courier import Courier
from workers.alerts.deliveries.letters import Letters
from workers.alerts.deliveries.outbox import GIVE_UP_S, LEASE_S, Outbox
from workers.alerts.deliveries.pauses import LONGEST_S, pause_s
from workers.alerts.deliveries.receiver import Receiver, Way, check_url
from workers.alerts.deliveries.receiver_store import ReceiverState, ReceiverStore
from workers.alerts.deliveries.webhook import Webhook
from workers.alerts.forget import Forgetting
from workers.alerts.reading import AlertStore

PUBLIC = "https://pinwatch.example.org"
START_NS = 1_738_310_400_000_000_000
ADA = "a" * 16
DAY_S = 86_400.0


class Post:
    """A desk whose rule tells a webhook."""

    def __init__(self, database: Database, hook: Hook, **receiver: Any) -> None:
        self.clock = ManualClock(START_NS)
        self.desk = Desk(database, now_ns=self.clock.now_ns)
        self.database, self.hook = database, hook
        self.receivers = ReceiverStore(database, now_ns=self.clock.now_ns)
        self.receiver = self.receivers.add(
            Receiver("", "hook", Way.WEBHOOK, url=hook.url, secret="s3cret", **receiver)
        )
        self.desk.rule("who is Ada", deliveries=(self.receiver.id,))
        with database.write() as connection:
            values = {"id": ADA, "name": "Ada", "created_at": "2025", "epoch_added": 0}
            connection.execute(subjects.insert().values(**values))

    def courier(self, me: str = "one", longest_s: float = 10.0) -> Courier:
        return Courier(
            Outbox(self.database, self.clock.now_ns, me),
            Letters(self.database, AlertStore(self.database), PUBLIC),
            {Way.WEBHOOK: Webhook(self.clock.now_ns, timeout_s=5.0)},
            tidy=lambda: None,
            monotonic_s=self.clock.monotonic_s,
            chance=lambda: 1.0,
            longest_s=longest_s,
        )

    @property
    def state(self) -> ReceiverState:
        (state,) = self.receivers.states()
        return state

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.hook.requests]

    def states(self) -> list[str]:
        with self.database.read() as connection:
            return list(
                connection.execute(select(alert_outbox.c.state).order_by(alert_outbox.c.id)).scalars()
            )


@pytest.fixture
def post(database: Database) -> Iterator[Post]:
    with Hook().serving() as hook:
        yield Post(database, hook)


def drain(courier: Courier) -> None:
    while courier.turn():
        pass


def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_alert_is_told_with_a_signature_that_holds(post: Post) -> None:
    post.desk.take(Track().says(0, ADA))
    drain(post.courier())
    ((headers, body),) = post.hook.requests
    stamp, given = headers["Pinwatch-Timestamp"], headers["Pinwatch-Signature"]
    digest = hmac.new(b"s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(given, f"v1={digest}")
    assert int(stamp) == START_NS // 10**9
    told = json.loads(body)
    alert = post.desk.only()
    assert told["event"] == "raised"
    assert told["link"] == f"{PUBLIC}/alerts/{alert.id}"
    assert told["sighting"] == f"{PUBLIC}/sightings/{alert.hits[0].decision_id}"
    assert (told["camera"], told["similarity"], told["subject_id"]) == ("gate", 0.8, ADA)
    assert post.states() == ["sent"]
    assert post.state.well


def test_names_are_told_only_where_that_is_allowed(post: Post) -> None:
    post.desk.take(Track().says(0, ADA))
    drain(post.courier())
    assert "Ada" not in json.dumps(post.bodies())
    post.receivers.change(replace(post.receiver, names=True))
    post.desk.take(Track(number=2, start_s=5000).says(0, ADA))
    drain(post.courier())
    assert (post.bodies()[1]["name"], post.bodies()[1]["rule"]) == ("Ada", "who is Ada")


def test_whoever_fails_first_is_tried_again_after_a_pause_with_the_same_key(post: Post) -> None:
    post.hook.answers = [500, 429]
    post.desk.take(Track().says(0, ADA))
    courier = post.courier()
    drain(courier)
    assert (post.state.waiting, post.state.failures) == (1, 1)
    assert post.state.last_error == "the webhook answered 500"
    assert not post.state.well
    drain(courier)
    assert len(post.hook.requests) == 1  # not before the pause is over
    for pause in (6.0, 11.0):
        post.clock.advance(pause)
        drain(courier)
    assert (post.state.waiting, post.state.failures, post.state.last_error) == (0, 0, "")
    keys = {headers["Idempotency-Key"] for headers, _ in post.hook.requests}
    assert len(post.hook.requests) == 3
    assert len(keys) == 1


def test_what_comes_later_waits_for_what_came_first(post: Post) -> None:
    post.hook.answers = [503]
    post.desk.take(Track().says(0, ADA))
    post.desk.take(Track().says(1, None))
    courier = post.courier()
    drain(courier)
    post.clock.advance(60)
    drain(courier)
    assert [body["event"] for body in post.bodies()] == ["raised", "raised", "withdrawn"]
    assert post.bodies()[2]["state"] == "withdrawn"


def test_what_is_never_taken_is_given_up_at_once_and_holds_up_nothing(post: Post) -> None:
    post.hook.answers = [422]
    post.desk.take(Track(number=1).says(0, ADA), Track(number=2, start_s=5000).says(0, ADA))
    drain(post.courier())
    assert post.states() == ["given up", "sent"]
    assert post.state.given_up == 1
    assert not post.state.well


def test_after_a_day_it_is_given_up_and_seen_to_be(post: Post) -> None:
    post.hook.answers = [500] * 100
    post.desk.take(Track().says(0, ADA))
    courier, tries = post.courier(), 0
    while "waiting" in post.states():
        drain(courier)
        post.clock.advance(LONGEST_S + 1)
        tries += 1
        assert tries < 40
    assert post.states() == ["given up"]
    assert 23 <= tries <= 27
    assert (post.state.given_up, post.state.failures > 0) == (1, True)


def test_no_redirect_is_followed(post: Post) -> None:
    post.hook.answers = [302]
    post.desk.take(Track().says(0, ADA))
    drain(post.courier())
    assert len(post.hook.requests) == 1
    assert "leads elsewhere" in post.state.last_error


def test_who_cannot_be_reached_holds_up_nobody_else(post: Post, database: Database) -> None:
    gone = post.receivers.add(Receiver("", "gone", Way.WEBHOOK, url="http://127.0.0.1:1/", secret="x"))
    post.desk.rule("both", deliveries=(gone.id, post.receiver.id))
    post.desk.take(Track().says(0, ADA))
    drain(post.courier())
    by_name = {state.receiver.name: state for state in post.receivers.states()}
    assert (by_name["gone"].failures, by_name["gone"].waiting) == (1, 1)
    assert by_name["hook"].waiting == 0
    assert "token=secret" not in by_name["gone"].last_error


@pytest.mark.parametrize("gone", ["removed", "erased", "alert"])
def test_what_still_waits_for_somebody_who_is_gone_is_dropped(post: Post, gone: str) -> None:
    post.desk.take(Track().says(0, ADA))
    with post.database.write() as connection:
        if gone == "alert":
            connection.execute(update(alerts).values(last_at="2020"))
        else:
            connection.execute(update(subjects).values(epoch_removed=5))
        if gone == "erased":
            connection.execute(erasures.insert().values(subject_id=ADA, erased_at="2025", gallery_epoch=5))
    if gone != "removed":
        assert Forgetting(post.database, post.clock.now_ns, 30.0).forget() == 1
        assert post.desk.alerts() == []
        assert post.states() == []
    drain(post.courier())
    assert post.hook.requests == []
    assert post.states() == (["dropped"] if gone == "removed" else [])


def test_a_process_that_died_while_sending_is_followed_by_another(post: Post) -> None:
    post.desk.take(Track().says(0, ADA))
    dead = Outbox(post.database, post.clock.now_ns, "dead")
    claimed = dead.claim()
    assert claimed is not None
    assert dead.next(claimed[0]) is not None
    drain(post.courier("heir"))
    assert post.hook.requests == []
    post.clock.advance(LEASE_S + 1)
    drain(post.courier("heir"))
    assert len(post.hook.requests) == 1
    assert dead.next(claimed[0]) is None  # whoever lost a claim sends no more


def test_a_test_is_sent_and_says_that_it_is_one(post: Post) -> None:
    post.receivers.send_test(post.receiver.id)
    drain(post.courier())
    (body,) = post.bodies()
    assert (body["event"], body["link"]) == ("test", PUBLIC)


def test_who_is_switched_off_is_told_later_or_never(post: Post) -> None:
    post.receivers.change(replace(post.receiver, enabled=False))
    post.desk.take(Track().says(0, ADA))
    drain(post.courier())
    assert (post.hook.requests, post.state.waiting) == ([], 1)
    post.receivers.change(replace(post.receiver, enabled=True))
    drain(post.courier())
    assert len(post.hook.requests) == 1
    post.receivers.change(replace(post.receiver, enabled=False))
    post.desk.take(Track(number=2, start_s=5000).says(0, ADA))
    post.clock.advance(2 * GIVE_UP_S + 1)
    Outbox(post.database, post.clock.now_ns, "one").sweep()
    assert post.state.given_up == 1


def test_the_thread_sends_when_it_is_woken_and_ends_in_the_middle_of_an_attempt(post: Post) -> None:
    courier = post.courier()
    courier.start()
    post.desk.take(Track().says(0, ADA))
    courier.wake()
    until(lambda: post.states() == ["sent"])
    post.hook.hold = threading.Event()
    post.desk.take(Track(number=2, start_s=5000).says(0, ADA))
    courier.wake()
    until(lambda: len(post.hook.requests) == 2)
    began = time.monotonic()
    courier.close()
    assert time.monotonic() - began < 3
    post.hook.hold.set()
    assert post.states() == ["sent", "waiting"]


def test_whoever_answers_too_slowly_is_left(post: Post) -> None:
    post.hook.hold = threading.Event()
    post.desk.take(Track().says(0, ADA))
    drain(post.courier(longest_s=0.3))
    assert post.state.last_error == "it was not taken within 0.3 s"
    post.hook.hold.set()


def test_pauses_double_up_to_an_hour_and_differ() -> None:
    assert [pause_s(count, 1.0) for count in (1, 2, 3, 4)] == [5, 10, 20, 40]
    assert pause_s(1, 0.0) == 2.5
    assert pause_s(50, 1.0) == LONGEST_S


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "https://",
        "example.org",
        "https://user:secret@example.org/",
        "http://[::1",
        "http://example.org:99999/",
        "http://example.org/ x",
        "javascript:alert(1)",
    ],
)
def test_addresses_are_checked_when_they_are_saved(url: str) -> None:
    with pytest.raises(UsageError, match="webhook"):
        check_url(url)


@pytest.mark.parametrize(
    ("way", "given"),
    [
        (Way.MQTT, {"topic": "a/#"}),
        (Way.MQTT, {"topic": ""}),
        (Way.MAIL, {"addresses": ()}),
        (Way.MAIL, {"addresses": ("a@b.example\nBcc: c@d.example",)}),
        (Way.MAIL, {"addresses": ("nobody",)}),
    ],
)
def test_what_cannot_be_a_receiver_is_refused(way: Way, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Receiver("", "name", way, **given)


def test_a_receiver_that_goes_takes_its_mail_and_its_place_in_rules_along(post: Post) -> None:
    post.desk.take(Track().says(0, ADA))
    post.receivers.remove(post.receiver.id)
    assert post.states() == []
    assert [rule.deliveries for rule in post.desk.rules.all()] == [()]
    with contextlib.suppress(UsageError):
        post.receivers.remove(post.receiver.id)
    post.desk.take(Track(number=2, start_s=5000).says(0, ADA))
    assert len(post.desk.alerts()) == 2
