"""A console over a database of its own, whose networks see coloured checks, and browsers to look at it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

from audit.crops import FOLDER as CROPS
from audit.crops import CropStore
from audit.erase import Eraser
from audit.ledger.entries import Kind
from audit.ledger.folder import FOLDER as LEDGER
from audit.ledger.folder import LedgerFolder
from audit.ledger.keys import KeyRing
from audit.recording.holds import Holds
from audit.recording.library import Recordings
from audit.sightings import SightingStore
from gallery.database import Database
from gallery.enroll import Enroller
from gallery.lists import WatchLists
from gallery.store import GalleryStore
from pipeline.clock import ManualClock, SystemClock
from pipeline.sources.options import LiveOptions
from pipeline.types import Outcome, Revision, Sighting, Thresholds
from tests.gallery.fakes import make_vision, write_person
from workers.camera_probe import probe_camera
from workers.config import PrivacySettings
from workers.console.access.origins import origins
from workers.console.access.passwords import HashCost
from workers.console.access.record import Changes, Who
from workers.console.access.roles import Permission, Role
from workers.console.app import Console, make_console
from workers.console.auditing.evidence import Evidence
from workers.console.health.site import Site
from workers.console.health.status import NoPipeline, PipelineStatus
from workers.console.options import ConsoleOptions, ConsoleParts
from workers.console.people.uploads import UploadLimits

HOST, PORT = "127.0.0.1", 8080
ORIGIN = f"http://{HOST}:{PORT}"
PASSWORD = "a quiet evening shift"
START_NS = 1_700_000_000_000_000_000
QUICK = HashCost(passes=1, memory_kib=8, lanes=1)
_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')
THRESHOLDS = Thresholds(match=0.7, margin=0.05)
_PATIENT = LiveOptions(open_timeout_s=60.0, stall_s=60.0)


@dataclass
class Recorder:
    """Keeps what was recorded; refuses when its ledger is `full`."""

    records: list[tuple[Who, str, tuple[str, ...]]] = field(default_factory=list)
    full: Exception | None = None

    def __call__(self, who: Who, what: str, subject_ids: Collection[str]) -> None:
        if self.full is not None:
            raise self.full
        self.records.append((who, what, tuple(sorted(subject_ids))))

    def what(self) -> list[str]:
        return [what for _, what, _ in self.records]


@dataclass
class ListedLedger:
    """Keeps what is appended."""

    entries: list[tuple[Kind, Mapping[str, Any]]] = field(default_factory=list)

    def append(self, kind: Kind, fields: Mapping[str, Any]) -> None:
        self.entries.append((kind, fields))


class Browser:
    """Somebody's browser: cookies, and forms that bring along what their page held."""

    def __init__(self, console: Console, address: str = "10.0.0.1", origin: str = ORIGIN) -> None:
        self._tokens: dict[tuple[tuple[str, str], ...], str] = {}
        self.client = TestClient(
            console.app,
            base_url=origin,
            follow_redirects=False,
            raise_server_exceptions=False,
            client=(address, 50000),
            headers={"origin": origin},
        )

    def get(self, path: str, **options: Any) -> Response:
        return self.client.get(path, **options)

    def form_token(self, page: str) -> str:
        """The token in the forms of a page; the same on all pages of a session, so looked up once."""
        cookies = tuple(sorted(self.client.cookies.items()))
        if cookies not in self._tokens:
            token = self._token_on(page)
            self._tokens[tuple(sorted(self.client.cookies.items()))] = token
            return token
        return self._tokens[cookies]

    def _token_on(self, page: str) -> str:
        found = _TOKEN.search(self.client.get(page).text)
        assert found is not None, f"{page} has no form"
        return found.group(1)

    def send(self, path: str, page: str = "/account", **fields: Any) -> Response:
        """Send a form that is on `page`; `files` uploads."""
        files = fields.pop("files", None)
        data = {"form_token": self.form_token(page), **fields}
        return self.client.post(path, data=data, files=files)

    def give_cookie(self, name: str, value: str) -> None:
        """As if the console had set it."""
        self.client.cookies.set(name, value, domain=HOST)

    def log_in(self, name: str, password: str = PASSWORD, **fields: str) -> Response:
        return self.send("/login", page="/login", name=name, password=password, **fields)

    def api(self, method: str, path: str, **options: Any) -> Response:
        """Ask the API within the session."""
        headers = {"x-form-token": self.form_token("/account")}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **options)


class World:
    """The console with its database, clock and record."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.database = database
        self.clock = ManualClock(START_NS)
        self.record = Recorder()
        self.ledger = ListedLedger()
        self.changes = Changes(self.ledger)
        self.gallery = GalleryStore(database, now_ns=self.clock.now_ns, on_change=self.changes.changed)
        self.sightings = SightingStore(database)
        self.enrollers = 0
        self.pipeline: PipelineStatus = options.pop("pipeline", NoPipeline())
        self.privacy: PrivacySettings = options.pop("privacy", PrivacySettings())
        kept = self._kept()
        parts = ConsoleParts(
            database=database,
            gallery=self.gallery,
            lists=WatchLists(database, now_ns=self.clock.now_ns, on_change=self.changes.changed),
            make_enroller=self._enroller,
            thresholds=lambda: THRESHOLDS,
            record=self.record,
            changes=self.changes,
            clock=self.clock,
            **(kept if options.pop("kept", True) else {}),
        )
        chosen = {
            "origins": origins(HOST, PORT, None),
            "hash_cost": QUICK,
            "limits": UploadLimits(photo_mib=1, photos=3, pixels=1_000_000),
            **options,
        }
        self.console = make_console(parts, ConsoleOptions(**chosen))
        self.access = self.console.access

    def _kept(self) -> dict[str, Any]:
        """Faces and footage below the data folder, sealed with keys of their own."""
        data = self.database.folder
        self.keys = KeyRing(LedgerFolder(data / LEDGER).keys)
        self.crops = CropStore(data / CROPS, self.keys, None, self.clock)
        recordings = Recordings(data)
        return {
            "ledger": self.ledger,
            "crops": self.crops,
            "recordings": recordings,
            "site": self._site(recordings),
            "make_eraser": lambda: Eraser(
                self.database, self.keys, self.crops, recordings, ledger=None, clock=self.clock
            ),
        }

    def _site(self, recordings: Recordings) -> Site:
        """Cameras are really connected to, and the ledger is one that tests write beside the console."""
        data, time = self.database.folder, SystemClock()
        return Site(
            data=data,
            evidence=Evidence(
                folder=LedgerFolder(data / LEDGER),
                keys=lambda: self.keys,
                crops=lambda: self.crops,
                recordings=recordings,
                holds=Holds(recordings.root, now_ns=self.clock.now_ns),
                ledger=None,
            ),
            probe=lambda camera, watch_s: probe_camera(camera, watch_s, _PATIENT, time),
            model_ids=lambda: {"detector": "detector@1"},
            pipeline=self.pipeline,
            privacy=self.privacy,
        )

    def _enroller(self) -> Enroller:
        self.enrollers += 1
        return Enroller(self.gallery, make_vision(), THRESHOLDS)

    def browser(self, address: str = "10.0.0.1") -> Browser:
        return Browser(self.console, address)

    def user(self, name: str, role: Role, groups: Collection[str] = ()) -> str:
        """A user with :data:`PASSWORD`; their id."""
        user = self.access.users.add(name, role, groups)
        assert self.access.links.accept(self.access.links.issue(user.id), "", PASSWORD) is not None
        return user.id

    def logged_in(self, role: Role, name: str | None = None, groups: Collection[str] = ()) -> Browser:
        """The browser of a new user."""
        name = name or f"the {role}"
        self.user(name, role, groups)
        browser = self.browser()
        assert browser.log_in(name).status_code == 303
        return browser

    def token(self, user_id: str, *scopes: Permission) -> TestClient:
        """A program with a token of a user."""
        _, secret = self.access.tokens.issue(user_id, "test", scopes, 30)
        return self.program(secret)

    def program(self, secret: str) -> TestClient:
        return TestClient(
            self.console.app,
            base_url=ORIGIN,
            headers={"authorization": f"Bearer {secret}"},
            follow_redirects=False,
        )

    def enroll(self, folder: Path, name: str, person: int, variation: int = 0) -> str:
        """Enroll one photograph past the console; the subject's id."""
        photo = write_person(folder / f"{person}-{variation}.png", person, variation)
        (result,) = Enroller(self.gallery, make_vision(), THRESHOLDS).enroll(name, [photo])
        assert result.subject_id is not None, result
        return result.subject_id


def make_sighting(decision_id: str = "d1", **changed: Any) -> Sighting:
    values: dict[str, Any] = {
        "decision_id": decision_id,
        "run_id": "run",
        "revision": Revision.END,
        "revision_number": 1,
        "camera_id": "gate",
        "stream_epoch": 0,
        "track_id": 1,
        "outcome": Outcome.UNKNOWN,
        "subject_id": None,
        "candidate_id": None,
        "similarity": None,
        "runner_up": None,
        "margin": None,
        "threshold": 0.5,
        "threshold_origin": "card",
        "votes": 0.0,
        "first_seen_s": 0.0,
        "last_seen_s": 1.0,
        "first_seen_at": "2025-01-31T08:00:00.000Z",
        "last_seen_at": "2025-01-31T08:00:01.000Z",
        "frames": 25,
        "crops": 5,
        "dropped_by_cause": {"not_best": 20},
        "attack_evidence": None,
        "detector": "detector@1",
        "embedder": "fake@1",
        "purifier": "none",
        "align_version": "arcface-112-1",
        "gallery_epoch": 1,
        "reason": "nobody is near",
    }
    return Sighting(**{**values, **changed})
