"""The networks that ship with the program, people of the assets, and the command line."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sqlalchemy import Row

from gallery.database import Database
from gallery.tables import metadata
from pipeline.errors import PinwatchError
from tests.conftest import assets_folder
from tests.workers.canary.faces import consent
from workers.build import Context
from workers.canary.door import Given, cut_photos
from workers.canary.store import CanaryStore
from workers.cli.main import app

pytestmark = pytest.mark.assets

PEOPLE = ("Chick_Hearn", "Cindy_Crawford", "Conchita_Martinez")
"""Of the fold that trained nothing."""
ENROLLED = "Ari_Fleischer"
AGREED = ("--consent", "I agree", "--until", "2099-12-31")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("PINWATCH_MODELS", "PINWATCH_CONFIG", "PINWATCH_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PINWATCH_CANARY__STEPS", "5")
    return tmp_path / "data"


def photos(person: str, count: int) -> list[str]:
    return [str(path) for path in sorted((assets_folder() / "faces/lfw-dev" / person).glob("*.jpg"))[:count]]


def pinwatch(data: Path, *arguments: str) -> None:
    with closing(Context()) as program:
        app(args=["--data", str(data), *arguments], obj=program, standalone_mode=False)


def everything_else(data: Path) -> dict[str, list[Row[Any]]]:
    """All rows that are not the gauge's own."""
    with closing(Database.open(data)) as database, database.read() as connection:
        return {
            table.name: list(connection.execute(table.select()).all())
            for table in metadata.sorted_tables
            if not table.name.startswith("canar")
        }


def test_from_consent_to_numbers(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pinwatch(data, "gallery", "enroll", ENROLLED, *photos(ENROLLED, 2))
    before = everything_else(data)
    assert before["templates"]
    pinwatch(data, "canary", "add", PEOPLE[0], *photos(PEOPLE[0], 2), *AGREED)
    with closing(Context()) as program:  # loads its networks once for both
        program.override(data=data)
        for person in PEOPLE[1:]:
            given = [Given(photo, Path(photo).read_bytes()) for photo in photos(person, 2)]
            until = "2099-12-31T00:00:00.000000Z"
            CanaryStore(program.database()).add(person, consent(until), cut_photos(given, program.vision()))
    capsys.readouterr()
    pinwatch(data, "canary", "run", "--budget", "0.1", "--json")
    found = json.loads(capsys.readouterr().out)
    of = found["circumstances"]
    assert (of["canaries"], of["probed"], of["distractors"], of["left_out"]) == (3, 3, 1, 0)
    assert of["purifier"].startswith("pinwatch-pin@")
    right = {
        (line["threat_model"], line["goal"], line["purified"]): line["right"] for line in found["results"]
    }
    under_attack = [
        sum(right["T2a", goal, purified] for goal in ("dodge", "impersonate")) for purified in (False, True)
    ]
    assert right["T0", "none", False] >= 2 / 3
    assert right["T0", "none", True] >= 2 / 3
    assert under_attack[0] == 0  # the attack succeeds wherever there is no PIN
    assert under_attack[1] >= 1  # and, as a whole, not behind it
    assert everything_else(data) == before
    pinwatch(data, "canary", "show")
    assert "T2a" in capsys.readouterr().out
    pinwatch(data, "canary", "remove", PEOPLE[0])
    pinwatch(data, "canary", "list", "--json")
    listed = json.loads(capsys.readouterr().out.strip().rpartition("\n")[2])
    assert [canary["name"] for canary in listed] == sorted(PEOPLE[1:])


def test_a_photograph_without_a_face_is_refused_by_name(data: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    cv2.imwrite(str(empty), np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(PinwatchError, match=r"empty\.png: no face was found"):
        pinwatch(data, "canary", "add", "Ada", str(empty), *photos(PEOPLE[0], 1), *AGREED)
