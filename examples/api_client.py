"""A program that uses Pinwatch's API: sightings, enrolling, alerts, and what is seen now.

    export PINWATCH_TOKEN=pinwatch_…            # made on the page "Your account"
    python api_client.py http://127.0.0.1:8080 sightings --outcome known
    python api_client.py http://127.0.0.1:8080 enroll "Grace Hopper" hopper.jpg
    python api_client.py http://127.0.0.1:8080 alerts --acknowledge "seen, is a colleague"
    python api_client.py http://127.0.0.1:8080 live gate hall     # needs `pip install websockets`

Only `requests` is needed, and nothing of Pinwatch: copy it and change it. docs/api.md explains what it does.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

TIMEOUT_S = 60
TRIES = 4


class ApiError(Exception):
    """What the console says went wrong (RFC 9457)."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status, self.detail = status, detail


class Pinwatch:
    """The API of one console.

    Args:
        address: Such as ``https://pinwatch.example.org``.
        token: From *Your account*.
    """

    def __init__(self, address: str, token: str) -> None:
        self._address = address.rstrip("/")
        self._token = token
        self._session = requests.Session()
        self._session.headers["authorization"] = f"Bearer {token}"

    def __enter__(self) -> Pinwatch:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def sightings(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Every sighting, the newest first, page by page.

        Args:
            filters: ``since``, ``until`` (ISO 8601 with a zone), ``camera``, ``outcome``, ``who``.
        """
        yield from self._pages("sightings", "sightings", "after", filters)

    def alerts(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """Every alert; ``state="open"`` for those that wait."""
        yield from self._pages("alerts", "alerts", "start", filters)

    def acknowledge(self, alert_id: str, note: str = "") -> dict[str, Any]:
        """Say that somebody saw to it; raises 409 where somebody else was faster."""
        done: dict[str, Any] = self._ask("POST", f"alerts/{alert_id}/acknowledge", json={"note": note})
        return done

    def enroll(self, name: str, photos: list[Path]) -> list[dict[str, Any]]:
        """Enroll photographs of somebody; what became of each."""
        files = [("photos", (photo.name, photo.read_bytes())) for photo in photos]
        done: list[dict[str, Any]] = self._ask("POST", "people/enroll", data={"name": name}, files=files)
        return done

    def live(self, cameras: list[str], after: int | None = None) -> Iterator[Event | Picture]:
        """What is seen now, until the console ends; `after` is the number of the last event that is known."""
        from websockets.sync.client import connect

        address = "ws" + self._address.removeprefix("http") + "/live/socket"
        headers = {"authorization": f"Bearer {self._token}"}
        with connect(address, additional_headers=headers, compression=None, max_size=2**22) as socket:
            socket.send(json.dumps({"show": dict.fromkeys(cameras, 640), "after": after}))
            for message in socket:
                yield Event(json.loads(message)) if isinstance(message, str) else picture_of(message)

    def _pages(self, path: str, items: str, follow: str, filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """`next` of one page is `follow` of the next; the last has none."""
        parameters = dict(filters)
        while True:
            page = self._ask("GET", path, params=parameters)
            yield from page[items]
            if page["next"] is None:
                return
            parameters[follow] = page["next"]

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        for attempt in range(TRIES):
            answer = self._session.request(
                method, f"{self._address}/api/v1/{path}", timeout=TIMEOUT_S, allow_redirects=False, **content
            )
            # Busy, or too quick: only what changes nothing is asked again without thinking.
            if answer.status_code in (429, 503) and method == "GET" and attempt < TRIES - 1:
                time.sleep(float(answer.headers.get("retry-after", 2**attempt)))
                continue
            break
        if not answer.ok:
            raise ApiError(answer.status_code, _detail(answer))
        return answer.json() if answer.content else None


@dataclass(frozen=True)
class Event:
    """Something that happened; `body["kind"]` says what, and `body["id"]`, where there is one, its number."""

    body: dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """A camera's picture: what is known of it, and a JPEG."""

    header: dict[str, Any]
    jpeg: bytes


def picture_of(message: bytes) -> Picture:
    """Four bytes say how long the header is; then come the header (JSON) and the picture."""
    (length,) = struct.unpack_from(">I", message)
    return Picture(json.loads(message[4 : 4 + length]), message[4 + length :])


def _detail(answer: requests.Response) -> str:
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        return str(answer.json()["detail"])
    return answer.reason


def show_sightings(console: Pinwatch, wanted: argparse.Namespace) -> None:
    filters = {"outcome": wanted.outcome, "camera": wanted.camera, "who": wanted.who or None}
    for number, sighting in enumerate(console.sightings(**filters)):
        if number == wanted.most:
            break
        who = sighting["subject"] or sighting["candidate"] or ""
        print(sighting["last_seen_at"], sighting["camera_id"], sighting["outcome"], who, sep="\t")


def enroll(console: Pinwatch, wanted: argparse.Namespace) -> None:
    for result in console.enroll(wanted.name, wanted.photos):
        print(result["photo"], result["status"], result["detail"], sep="\t")


def show_alerts(console: Pinwatch, wanted: argparse.Namespace) -> None:
    for alert in list(console.alerts(state="open")):
        print(alert["last_at"], alert["severity"], alert["rule"], alert["camera"], alert["name"], sep="\t")
        if wanted.acknowledge is not None:
            console.acknowledge(alert["id"], wanted.acknowledge)


def follow(console: Pinwatch, wanted: argparse.Namespace) -> None:
    for seen in console.live(wanted.cameras):
        if isinstance(seen, Event):
            print(json.dumps(seen.body, ensure_ascii=False), flush=True)
        else:
            print(f"{seen.header['camera']}: a picture of {len(seen.jpeg)} bytes", flush=True)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Uses Pinwatch's API. PINWATCH_TOKEN holds the token.")
    parser.add_argument("address", help="of the console, e.g. http://127.0.0.1:8080")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("sightings", help="the newest sightings")
    verb.add_argument("--outcome", action="append")
    verb.add_argument("--camera", action="append")
    verb.add_argument("--who", help="a name or an id")
    verb.add_argument("--most", type=int, default=100, help="so many of them (100)")
    verb.set_defaults(run=show_sightings)
    verb = verbs.add_parser("enroll", help="photographs of one person")
    verb.add_argument("name")
    verb.add_argument("photos", nargs="+", type=Path)
    verb.set_defaults(run=enroll)
    verb = verbs.add_parser("alerts", help="open alerts")
    verb.add_argument("--acknowledge", metavar="NOTE", help="acknowledge each with this note")
    verb.set_defaults(run=show_alerts)
    verb = verbs.add_parser("live", help="events and pictures as they come")
    verb.add_argument("cameras", nargs="*", help="whose pictures to show")
    verb.set_defaults(run=follow)
    return parser


def main() -> None:
    wanted = arguments().parse_args()
    token = os.environ.get("PINWATCH_TOKEN")
    if not token:
        sys.exit("PINWATCH_TOKEN must hold a token: make one on the page `Your account`")
    with Pinwatch(wanted.address, token) as console:
        try:
            wanted.run(console, wanted)
        except (ApiError, requests.RequestException) as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
