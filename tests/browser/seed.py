"""Something of everything that pages show, and the addresses at which they show it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

import numpy as np

from gallery.lists import WatchLists
from pipeline.types import Outcome, TrackKey
from tests.audit import recorded
from tests.audit.recording.footage import record, write_clip
from tests.browser.live import PlayedCamera
from tests.browser.site import Site
from tests.workers.console.http_camera import HttpCamera, streamable
from tests.workers.console.seen import crop_of, named, see
from workers.alerts.engine import AlertEngine
from workers.alerts.reading import AlertFilter, AlertStore
from workers.alerts.rule_store import RuleStore
from workers.alerts.rules import Kind, Rule, Severity, When
from workers.camera_settings import make_camera
from workers.cameras import CameraStore
from workers.canary.records import Consent, NewPhoto
from workers.canary.store import CanaryStore
from workers.console.access.roles import Permission, Role

_PARAMETER = re.compile(r"\{(\w+)\}")
_KEY = TrackKey("nowhere", 0, 1)
GATE, DOCK = "gate", "a-camera-with-a-long-name-over-the-loading-dock"
LONG_NAME = "Wilhelmina Featherstonehaugh-Cholmondeley the Younger of Wolverhampton"


@dataclass
class Seeds:
    """What fills the parameters of addresses.

    Attributes:
        values: By parameter, such as ``subject_id``.
        addresses: By the schema's path, where that does not do.
        more: Pages that the schema does not tell from others.
    """

    values: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    more: tuple[str, ...] = ("/rules/new", "/unknowns?show=all", "/sightings?like=decision-known")

    def address(self, path: str) -> str:
        """Where a page of the schema is.

        Raises:
            LookupError: a parameter is not known; it says what to do about it.
        """
        if path in self.addresses:
            return self.addresses[path]
        missing = [name for name in _PARAMETER.findall(path) if name not in self.values]
        if missing:
            raise LookupError(
                f"{path} is a new page: make one in tests/browser/seed.py and put "
                f"{', '.join(map(repr, missing))} into `values`, or the address into `addresses`"
            )
        return _PARAMETER.sub(lambda found: self.values[found[1]], path)


def seed(site: Site, folder: Path) -> Seeds:
    """Fill the site; photographs and clips are written to `folder`."""
    seeds = Seeds()
    for part in (_people, _sightings, _cameras, _audited, _alerts, _canaries, _access, _erased):
        part(site, folder, seeds)
    return seeds


def _people(site: Site, folder: Path, seeds: Seeds) -> None:
    world = site.world
    ada = world.enroll(folder, "Ada Lovelace", 1)
    world.enroll(folder, "Ada Lovelace", 1, 1)
    world.enroll(folder, LONG_NAME, 2)
    lists = WatchLists(world.database, now_ns=world.clock.now_ns)
    made = lists.add("Banned from the loading dock", purpose="thefts of May", owner="the desk", threshold=0.6)
    lists.put(made.name, ada)
    photo = world.gallery.templates(ada)[0].photo.sha256
    seeds.values |= {"subject_id": ada, "sha256": photo, "list_id": made.id}


def _sightings(site: Site, folder: Path, seeds: Seeds) -> None:
    """A track of every outcome with its crops, somebody unknown who comes twice, and footage of it."""
    world, ada = site.world, seeds.values["subject_id"]
    for number, outcome in enumerate(Outcome):
        values = named(ada) if outcome is Outcome.KNOWN else {"outcome": outcome}
        known = {"candidate_id": ada, "similarity": 0.3 + 0.1 * number, "runner_up": 0.2, "margin": 0.1}
        values = {**known, "attack_evidence": 0.2, **values, "camera_id": (GATE, DOCK)[number % 2]}
        at = f"2025-01-31T08:{number:02}:01.000Z"
        see(world, f"decision-{outcome}", 10 + number, last_seen_at=at, **values)
    for number in range(2):
        see(world, f"passer-by-{number}", 4, last_seen_at=f"2025-01-31T09:0{number}:01.000Z")
    record(write_clip(folder / "gate.mp4", 60), world.database.folder)
    seeds.values |= {
        "decision_id": f"decision-{Outcome.KNOWN}",
        "sequence": "0",
        "camera": GATE,
        "epoch": "0",
    }
    with site.session(Role.ADMINISTRATOR) as root:
        found = root.get(f"{site.origin}/api/v1/unknowns", timeout=30).json()
    seeds.values["group_id"] = str(found["groups"][0]["id"])
    for prefix in ("", "/api/v1"):
        seeds.addresses[f"{prefix}/footage/{{camera}}/{{epoch}}"] = f"{prefix}/footage/{GATE}/0?from=0&to=2"


def _cameras(site: Site, folder: Path, seeds: Seeds) -> None:
    """One that answers when it is asked for a picture, and is on the wall; and one that does not."""
    camera = site.beside.enter_context(HttpCamera(streamable(folder / "gate.mp4")))
    store, now_ns = CameraStore(site.world.database), site.world.clock.now_ns()
    mask = [[0.0, 0.0], [0.3, 0.0], [0.3, 0.5]]
    made = {"name": GATE, "address": camera.address, "purpose": "Theft", "privacy_masks": [mask]}
    store.add(make_camera(made), now_ns)
    store.add(make_camera({"name": DOCK, "address": "rtsp://10.0.0.7/main", "enabled": False}), now_ns)
    site.beside.enter_context(PlayedCamera(site.world.console.hub, GATE))
    seeds.values |= {"name": GATE, "camera_id": GATE}


def _audited(site: Site, folder: Path, seeds: Seeds) -> None:
    beside = recorded.world(site.world.database.folder)
    made = beside.decide(1, (200, 0, 0), camera=GATE)
    beside.ledger.checkpoint()
    beside.close()
    site.world.sightings.write([made])
    seeds.values["decision"] = made.decision_id
    seeds.addresses["/audit/decisions"] = f"/audit/decisions?decision={made.decision_id}"


def _alerts(site: Site, folder: Path, seeds: Seeds) -> None:
    database, now_ns = site.world.database, site.world.clock.now_ns
    rules = RuleStore(database, now_ns=now_ns)
    rule = rules.add(Rule("", "known people", When(Kind.KNOWN), severity=Severity.CRITICAL))
    rules.add(Rule("", "strangers at night", When(Kind.UNKNOWN)))
    engine = AlertEngine(database, UTC, now_ns=now_ns)
    decided = [site.world.sightings.get(f"decision-{outcome}") for outcome in Outcome]
    engine.write([one for one in decided if one is not None])
    (first, *_) = AlertStore(database).find(AlertFilter(), None, 0, 1)
    seeds.values |= {"rule_id": rule.id, "alert_id": first.id}


def _canaries(site: Site, folder: Path, seeds: Seeds) -> None:
    store = CanaryStore(site.world.database, site.world.clock.now_ns)
    crops = [crop_of(_KEY, number, 50, number + 1).image_rgb for number in range(3)]
    taken_at, until = "2023-01-01T00:00:00.000000Z", "2024-01-01T00:00:00.000000Z"
    consent = Consent("I agree that my face is attacked", "the desk", taken_at, until)
    made = store.add("Volunteer", consent, [NewPhoto(np.asarray(crop), 0.8, "squares") for crop in crops])
    seeds.values |= {"canary_id": made.id, "photo_id": made.photos[0].id}


def _access(site: Site, folder: Path, seeds: Seeds) -> None:
    access = site.world.access
    access.groups.add("north", [GATE])
    administrator = access.users.named(Role.ADMINISTRATOR.value)
    assert administrator is not None
    access.tokens.issue(administrator.id, "export to the archive", [Permission.READ_SIGHTINGS], 30)
    invited = access.users.add("invited", administrator.role)
    seeds.values["secret"] = access.links.issue(invited.id)


def _erased(site: Site, folder: Path, seeds: Seeds) -> None:
    """Somebody who is not there any more."""
    gone = site.world.enroll(folder, "Gone", 60)
    with site.session(Role.ADMINISTRATOR) as root:
        address = f"{site.origin}/api/v1/people/{gone}/erasure"
        answer = root.post(address, json={"name": "Gone"}, timeout=60)
    assert answer.ok, answer.text
    for rest in ("", "/receipt"):
        seeds.addresses[f"/people/erased/{{subject_id}}{rest}"] = f"/people/erased/{gone}{rest}"
