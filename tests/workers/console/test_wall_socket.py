"""The wall's socket on a real port: who gets in, what they get, and when they are cut off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from gallery.database import Database
from pipeline.errors import StorageError, UsageError
from pipeline.types import Outcome, Revision
from tests.workers.console.live_world import LiveWorld, served
from tests.workers.live.test_video import write_video
from tests.workers.live.test_videos import play
from workers.console.access.roles import PERMISSIONS, Permission, Role
from workers.console.access.users import UserChange
from workers.console.wall.requests import MAX_ASKS, parse_ask
from workers.console.wall.service import SOCKETS_PER_USER


@pytest.fixture
def live(database: Database) -> Iterator[LiveWorld]:
    with served(database, live_check_s=0.2) as made:
        made.hub.camera_state("gate", "live", 1)
        made.hub.camera_state("yard", "lost", 2, "no pictures")
        yield made


def refused(live: LiveWorld, headers: dict[str, str], origin: str | None = "ours") -> int:
    with pytest.raises(InvalidStatus) as error, live.watch(headers, origin=origin):
        pass
    return error.value.response.status_code


def test_only_who_may_look_at_live_pictures_gets_in(live: LiveWorld) -> None:
    assert refused(live, {}) == 401
    assert refused(live, {"Cookie": "pinwatch_session=guessed"}) == 401
    assert refused(live, {"Authorization": "Bearer guessed"}, origin=None) == 401
    for role in Role:
        live.world.user(f"the {role}", role)
        headers = live.cookie(f"the {role}")
        if Permission.READ_LIVE in PERMISSIONS[role]:
            with live.watch(headers) as watching:
                assert watching.event("state")["kind"] == "state"
        else:
            assert refused(live, headers) == 403
    assert live.world.record.what().count("live wall opened") == 3


def test_pages_of_others_get_nowhere_with_the_cookie_and_programs_need_none(live: LiveWorld) -> None:
    user_id = live.world.user("ada", Role.ADMINISTRATOR)
    headers = live.cookie("ada")
    for origin in ("http://evil.example", f"http://localhost.evil.example:{live.port}", "null", None):
        assert refused(live, headers, origin) == 403
    assert refused(live, {**headers, "Host": "evil.example"}) in (400, 403)
    _, secret = live.world.access.tokens.issue(user_id, "wall", [Permission.READ_LIVE], 30)
    with live.watch({"Authorization": f"Bearer {secret}"}, origin=None) as watching:
        assert watching.event("state")
    _, other = live.world.access.tokens.issue(user_id, "other", [Permission.READ_PEOPLE], 30)
    assert refused(live, {"Authorization": f"Bearer {other}"}, origin=None) == 403


def test_pictures_come_of_what_is_shown_in_the_width_that_was_asked_for(live: LiveWorld) -> None:
    live.world.user("ada", Role.ADMINISTRATOR)
    with live.watch(live.cookie("ada"), show={"gate": 320}) as watching:
        state = watching.event("state")
        assert [(one["camera"], one["state"], one["detail"]) for one in state["cameras"]] == [
            ("gate", "live", ""),
            ("yard", "lost", "no pictures"),
        ]
        assert live.hub.wanted("gate") == {320}
        live.film(pts_ns=7)
        tile = watching.tile()
        assert (tile.camera_id, tile.stream_epoch, tile.pts_ns, tile.jpeg) == ("gate", 1, 7, b"\xff\xd8jpeg")
        assert [(box.track_id, box.x1) for box in tile.boxes] == [(1, 0.3)]
        watching.ask(show={"gate": 1280, "yard": 640})
        until(lambda: live.hub.wanted("gate") == {1280} and live.hub.wanted("yard") == {640})
    until(lambda: not live.hub.wanted("gate") and live.hub.watching == 0)


def test_events_come_with_names_which_are_recorded_once_in_a_session(live: LiveWorld, tmp_path: Path) -> None:
    ada = live.world.enroll(tmp_path, "Ada", 1)
    live.world.user("viewer", Role.VIEWER)
    live.world.user("root", Role.ADMINISTRATOR)
    headers = live.cookie("root")
    with live.watch(headers) as watching:
        watching.event("state")
        for number in range(3):
            live.see(f"d{number}", outcome=Outcome.KNOWN, subject_id=ada, candidate_id=ada)
        events = [watching.event("sighting") for _ in range(3)]
    assert [(one["decision"], one["name"], one["nearest"]) for one in events] == [
        (f"d{number}", "Ada", "Ada") for number in range(3)
    ]
    shown = [(what, who) for _, what, who in live.world.record.records if what == "shown on the live wall"]
    assert shown == [("shown on the live wall", (ada,))]
    with live.watch(headers) as watching:
        watching.event("state")
        live.see("d9", outcome=Outcome.KNOWN, subject_id=ada, candidate_id=ada)
        watching.event("sighting")
    assert live.world.record.what().count("shown on the live wall") == 2


def test_names_are_for_whoever_may_look_at_sightings(live: LiveWorld, tmp_path: Path) -> None:
    ada = live.world.enroll(tmp_path, "Ada", 1)
    user_id = live.world.user("root", Role.ADMINISTRATOR)
    _, secret = live.world.access.tokens.issue(user_id, "wall", [Permission.READ_LIVE], 30)
    with live.watch({"Authorization": f"Bearer {secret}"}, origin=None) as watching:
        watching.event("state")
        live.see(outcome=Outcome.KNOWN, subject_id=ada, candidate_id=ada, similarity=0.9)
        live.hub.announce("alert", "gate", {"alert_id": "a1", "subject": ada})
        live.hub.announce("something new", "gate", {"subject": ada})
        live.hub.camera_state("gate", "lost", 3)
        event = watching.event("sighting")
        assert event["outcome"] == "known"
        assert not {"name", "nearest", "subject", "candidate", "similarity", "decision"} & event.keys()
        following = watching.next()
        assert isinstance(following, dict)
        assert following["kind"] == "camera", "neither the alert nor what nobody has thought of"
    assert "shown on the live wall" not in live.world.record.what()


def test_what_cannot_be_recorded_is_not_shown(live: LiveWorld, tmp_path: Path) -> None:
    ada = live.world.enroll(tmp_path, "Ada", 1)
    live.world.user("root", Role.ADMINISTRATOR)
    headers = live.cookie("root")
    with live.watch(headers) as watching:
        watching.event("state")
        live.world.record.full = StorageError("the ledger is full")
        live.see(outcome=Outcome.KNOWN, subject_id=ada, candidate_id=ada)
        assert watching.closed()[0] == 1011
    with live.watch(headers) as watching:
        assert watching.closed()[0] == 1011


def test_nobody_sees_cameras_of_others_also_when_their_groups_change(live: LiveWorld) -> None:
    world = live.world
    group = world.access.groups.add("gates", ["gate"])
    user_id = world.user("bo", Role.OPERATOR, [group.id])
    with live.watch(live.cookie("bo"), show={"gate": 320, "yard": 320}) as watching:
        assert [one["camera"] for one in watching.event("state")["cameras"]] == ["gate"]
        assert live.hub.wanted("yard") == frozenset()
        live.see("hidden", camera_id="yard")
        live.see("shown", camera_id="gate")
        assert watching.event("sighting")["decision"] == "shown"
        world.access.users.change(user_id, UserChange(groups=[]))
        until(lambda: live.hub.wanted("gate") == frozenset())
        live.see("hidden too", camera_id="gate")
        live.film()
        heard = [watching.next() for _ in range(2)]
        assert [one["kind"] for one in heard if isinstance(one, dict)] == ["alive", "alive"]


@pytest.mark.parametrize("how", ["log out", "disable", "other role"])
def test_whoever_may_not_any_more_is_cut_off(live: LiveWorld, how: str) -> None:
    world = live.world
    user_id = world.user("bo", Role.OPERATOR)
    world.user("root", Role.ADMINISTRATOR)
    headers = live.cookie("bo")
    with live.watch(headers) as watching:
        watching.event("state")
        match how:
            case "log out":
                world.access.login._sessions.end(headers["Cookie"].partition("=")[2])
            case "disable":
                world.access.users.change(user_id, UserChange(disabled=True))
            case _:
                world.access.users.change(user_id, UserChange(role=Role.AUDITOR))
        code, reason = watching.closed()
        assert code == 1008
        assert ("log in first" in reason) == (how != "other role")


def test_whoever_comes_back_misses_nothing_or_is_told(live: LiveWorld) -> None:
    live.world.user("root", Role.ADMINISTRATOR)
    headers = live.cookie("root")
    with live.watch(headers) as watching:
        watching.event("state")
        first = live.see("d0")
        assert watching.event("sighting")["id"] == first
    numbers = [live.see(f"d{number}", track_id=number) for number in range(1, 301)]
    with live.watch(headers, after=first) as watching:
        state = watching.event("state")
        assert state["id"] == numbers[-1]
        assert len(state["tracks"]) == 0, "make_sighting's tracks have ended"
        assert [watching.event("sighting")["id"] for _ in numbers] == numbers
    with live.watch(headers, after=first - 10_000) as watching:
        kinds = [watching.next() for _ in range(3)]
        assert [one["kind"] for one in kinds if isinstance(one, dict)] == ["state", "gap", "state"]


def test_the_state_names_who_is_there(live: LiveWorld, tmp_path: Path) -> None:
    ada = live.world.enroll(tmp_path, "Ada", 1)
    live.world.user("root", Role.ADMINISTRATOR)
    live.see(revision=Revision.NEW, outcome=Outcome.KNOWN, subject_id=ada, candidate_id=ada)
    live.hub.trouble("the step record does not work")
    with live.watch(live.cookie("root")) as watching:
        state = watching.event("state")
    assert [(one["track"], one["name"]) for one in state["tracks"]] == [(1, "Ada")]
    assert state["trouble"] == "the step record does not work"
    assert live.world.record.records[-1][1:] == ("shown on the live wall", (ada,))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("{", "a message is JSON"),
        ("[]", "a message is like"),
        ('{"show": {"gate": 500}}', "320, 640, 1280 px wide"),
        ('{"show": {"gate": true}}', "320, 640, 1280 px wide"),
        ('{"show": ["gate"]}', "at most 64 cameras"),
        ('{"after": -1}', "the number of an event"),
        ('{"after": 1.5}', "the number of an event"),
        ("[" * 10_000, "a message is JSON"),
        ('"' + "x" * 20_000 + '"', "at most 16384 bytes"),
    ],
)
def test_what_nobody_should_ask_is_understood_by_nobody(message: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_ask(message)


def test_what_nobody_should_ask_ends_the_socket(live: LiveWorld) -> None:
    live.world.user("root", Role.ADMINISTRATOR)
    headers = live.cookie("root")
    for message, reason in (("{", "a message is JSON"), (b"\x00", "a message is text")):
        with live.watch(headers) as watching:
            watching.event("state")
            watching.connection.send(message)
            assert watching.closed() == (1008, reason)


def test_a_message_that_is_far_too_large_is_not_even_read(live: LiveWorld) -> None:
    live.world.user("root", Role.ADMINISTRATOR)
    with live.watch(live.cookie("root")) as watching:
        watching.event("state")
        watching.connection.send("x" * 200_000)
        assert watching.closed()[0] == 1009


def test_asking_too_often_ends_the_socket(live: LiveWorld) -> None:
    live.world.user("root", Role.ADMINISTRATOR)
    with live.watch(live.cookie("root")) as watching:
        for _ in range(MAX_ASKS):
            watching.ask(show={"gate": 320})
        assert watching.closed() == (1008, f"at most {MAX_ASKS} messages in 10 seconds")


def test_nobody_holds_too_many_open(live: LiveWorld) -> None:
    live.world.user("root", Role.ADMINISTRATOR)
    headers = live.cookie("root")
    held = [live.watch(headers) for _ in range(SOCKETS_PER_USER)]
    for one in held:
        one.__enter__()
    with live.watch(headers) as watching:
        assert watching.closed()[0] == 1013
    for one in held:
        one.__exit__(None, None, None)
    until(lambda: live.hub.watching == 0)
    with live.watch(headers) as watching:
        assert watching.event("state")


def test_whoever_takes_nothing_is_let_go_and_hinders_nobody(
    live: LiveWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.console.wall.socket.TAKES_WITHIN_S", 0.5)
    live.world.user("root", Role.ADMINISTRATOR)
    headers = live.cookie("root")
    ended = threading.Event()

    def announce() -> None:
        number = 0
        while not ended.wait(0.01):
            live.see(f"d{number}", reason="x" * 50, detector="y" * 200)
            for _ in range(5):
                live.hub.announce("camera", "gate", {"state": "live", "since_ns": 1, "detail": "x" * 20_000})
            number += 1

    announcer = threading.Thread(target=announce)
    with live.watch(headers), live.watch(headers) as lively:
        announcer.start()
        last = 0
        deadline = time.monotonic() + 30
        while live.hub.watching > 1 and time.monotonic() < deadline:
            message = lively.next()
            if isinstance(message, dict) and "id" in message and message["kind"] != "state":
                assert message["id"] > last
                last = message["id"]
        watching = live.hub.watching
        ended.set()
        announcer.join()
    assert watching == 1, "the one who takes nothing is still there"


def test_the_end_of_the_console_does_not_wait_for_walls(live: LiveWorld) -> None:
    live.world.user("root", Role.ADMINISTRATOR)
    with live.watch(live.cookie("root")) as watching:
        watching.event("state")
        live.hub.close()
        assert watching.closed() == (1001, "the console ends")


def until(condition: object, patience_s: float = 20.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_video_is_played_where_it_may_be_shown(live: LiveWorld, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4")
    tap = live.hub.videos.tap("gate")
    live.world.user("ada", Role.ADMINISTRATOR)
    with live.watch(live.cookie("ada")) as watching:
        watching.event("state")
        watching.ask(video="yard")
        assert watching.event("video") == {"kind": "video", "camera": "yard", "available": False}
        watching.ask(video="gate")
        until(lambda: tap.is_wanted)
        play(tap, clip)
        header, data = watching.video()
        assert (header["camera"], header["begins"]) == ("gate", True)
        assert header["codec"].startswith("avc1.")
        assert b"ftyp" in data[:16]
        watching.ask(video="")
        until(lambda: not tap.is_wanted)
        watching.ask(video=7)
        assert watching.closed() == (1008, "video is the name of a camera, or empty")
