"""What was decided is proved, derived again, judged, and erased, with the models that ship."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from tests.end_to_end import chaos
from workers.demo.footage import compose
from workers.demo.portraits import grace_hopper_bgr

PROGRAM = Path(sys.executable).with_name("pinwatch")
NAME = "Grace Hopper"
RUN = "case-7"

Run = Callable[..., subprocess.CompletedProcess[str]]


def program(data: Path) -> Run:
    """Runs the installed program on a data folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PINWATCH_")}

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(PROGRAM), *map(str, arguments), "--data", str(data)],
            capture_output=True,
            text=True,
            env={**environment, "COLUMNS": "160"},
            timeout=300,
            check=False,
        )
        assert done.returncode == code, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder: Grace Hopper is enrolled, and a clip was watched in which she and a stranger walk."""
    folder = tmp_path_factory.mktemp("audit")
    for _ in compose(folder / "lobby.mp4"):
        pass
    cv2.imwrite(str(folder / "hopper.png"), grace_hopper_bgr())
    run = program(folder / "data")
    run("gallery", "enroll", NAME, folder / "hopper.png")
    run("watch", folder / "lobby.mp4", "--run-id", RUN, "--sightings", folder / "lobby.jsonl")
    return folder


@pytest.fixture(scope="module")
def clip(decided: Path) -> Path:
    return decided / "lobby.mp4"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5))
def test_killed_while_it_records_it_has_lost_nothing_that_was_said(
    number: int, clip: Path, tmp_path: Path
) -> None:
    found = chaos.kill_round(clip, tmp_path / "round", number)
    assert found.frames > 10


@pytest.fixture
def data(decided: Path, tmp_path: Path) -> Path:
    """A copy to do things to."""
    shutil.copytree(decided / "data", tmp_path / "data")
    return tmp_path / "data"


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_decisions_are_derived_again_bit_for_bit(decided: Path, data: Path) -> None:
    run = program(data)
    replayed = lines(run("replay", "--run", RUN, "--all-revisions", "--json").stdout)
    assert len(replayed) >= 8
    assert {each["result"] for each in replayed} == {"identical"}
    assert {each["decision_id"] for each in replayed} == set(_kept(data))
    for each in replayed:
        assert each["derived"] == _kept(data)[str(each["decision_id"])]
    assert "4 decisions: 4 identical" in run("replay").stdout
    results = data / "results.jsonl"
    results.write_text("".join(json.dumps(each) + "\n" for each in replayed[:3]))
    resumed = lines(run("replay", "--run", RUN, "--all-revisions", "--resume", results, "--json").stdout)
    assert resumed == replayed


def test_what_would_have_been_decided_otherwise_is_a_table(data: Path) -> None:
    run = program(data)
    strict = run("replay", "--set", "threshold=0.9").stdout
    assert "2 would have ended otherwise" in strict
    assert NAME in strict
    plain = lines(run("replay", "--other-models", "--purifier", "none", "--json").stdout)
    assert {each["derived"]["purifier"] for each in plain} == {"none"}  # type: ignore[index]
    empty = lines(run("replay", "--gallery-epoch", 0, "--json").stdout)
    assert {each["derived"]["reason"] for each in empty} == {"nobody is enrolled"}  # type: ignore[index]
    assert "there is match, threshold" in run("replay", "--set", "x=1", code=2).stderr
    assert "case-8" not in run("replay", "--run", "case-8", code=2).stdout


def test_the_ledger_is_verified_with_what_was_kept_elsewhere(data: Path, tmp_path: Path) -> None:
    run = program(data)
    kept = tmp_path / "elsewhere.json"
    run("audit", "checkpoint", "--out", kept)
    verify = ("audit", "verify", "--checkpoint", kept, "--public-key", kept.with_suffix(".pem"))
    assert "the ledger holds" in run(*verify).stdout
    (crops, *_) = sorted(data.rglob("*.crops"))
    changed = bytearray(crops.read_bytes())
    changed[100] ^= 1
    crops.write_bytes(changed)
    found = run(*verify, code=1)
    assert "record" in found.stderr
    assert "1 problems" in found.stdout
    shutil.rmtree(data / "ledger" / "chains")
    (data / "ledger" / "chains").mkdir()
    gone = run(*verify, code=1)
    assert "gone" in gone.stderr


def test_a_decision_is_shown_with_its_pictures_and_the_look_is_recorded(data: Path, tmp_path: Path) -> None:
    run = program(data)
    made = _kept(data).values()
    decision = next(
        str(each["decision_id"]) for each in made if (each["outcome"], each["revision"]) == ("known", "end")
    )
    page = tmp_path / "decision.html"
    shown = run("audit", "show", decision[:12], "--html", page).stdout
    assert f"{NAME} (" in shown
    assert "reaches the threshold" in shown
    assert page.read_text(encoding="utf-8").count("data:image/png") >= 3
    as_json = json.loads(run("audit", "show", decision, "--json").stdout)
    assert as_json["content"]["sighting"]["decision_id"] == decision
    assert "watch" in run("audit", "show").stdout
    assert f"decision {decision}".encode() in b"".join(path.read_bytes() for path in data.rglob("*.chain"))


def test_a_stranger_is_grouped_searched_named_and_then_known(decided: Path, data: Path) -> None:
    run = program(data)
    (group,) = lines(run("unknowns", "list", "--json").stdout)
    assert group["size"] == 2
    like = lines(run("sightings", "search", "--like", group["cover"], "--limit", 2, "--json").stdout)
    assert [hit["group_id"] for hit in like] == [group["id"]] * 2
    assert "assigned" in run("unknowns", "assign", group["id"], "Eileen Collins").stdout
    again = run("watch", decided / "lobby.mp4", "--json")
    assert [line["subject"] for line in lines(again.stdout)].count("Eileen Collins") >= 1
    (first, *_) = lines(run("sightings", "search", "--subject", NAME, "--json").stdout)
    assert "noted: confirm" in run("sightings", "judge", first["decision_id"], "confirm").stdout
    assert "1 confirm" in run("sightings", "verdicts").stdout
    calibrated = json.loads(run("gallery", "calibrate", "--json").stdout)
    assert (calibrated["judged"]["confirmed"], calibrated["judged"]["rejected"]) == (1, 0)
    assert "ISO 8601" in run("sightings", "search", "--since", "yesterday", code=2).stderr


def test_who_is_erased_is_nowhere_and_the_chain_still_verifies(data: Path, tmp_path: Path) -> None:
    run = program(data)
    secrets = _secrets_of(data, NAME)
    assert all(_found(data, secret) for secret in secrets.values()), (
        "a search that cannot find proves nothing"
    )
    kept = tmp_path / "kept.json"
    run("audit", "checkpoint", "--out", kept)
    assert "cannot be undone" in run("gallery", "remove", NAME, "--erase", code=2).stderr
    receipt = run("gallery", "remove", NAME, "--erase", "--yes").stdout
    assert "tracks whose crops and records cannot be read any more  2" in receipt
    assert {name for name, secret in secrets.items() if _found(data, secret)} == set()
    assert "the ledger holds" in run("audit", "verify", "--checkpoint", kept).stdout
    replayed = lines(run("replay", "--json").stdout)
    assert {each["result"] for each in replayed} == {"erased"}
    assert "0 subjects" in run("gallery", "list").stderr
    assert "nobody is, or was" in run("gallery", "remove", NAME, "--erase", "--yes", code=1).stderr


def _kept(data: Path) -> dict[str, dict[str, object]]:
    with sqlite3.connect(data / "pinwatch.db") as database:
        rows = database.execute("SELECT decision_id, record FROM sightings").fetchall()
    database.close()
    return {row[0]: json.loads(row[1]) for row in rows}


def _secrets_of(data: Path, name: str) -> dict[str, bytes]:
    """What must not be found afterwards: name, templates, photographs, crops and keys."""
    with sqlite3.connect(data / "pinwatch.db") as database:
        vectors = [row[0] for row in database.execute("SELECT vector FROM templates")]
        named = database.execute(
            "SELECT f.vector FROM sighting_faces f JOIN sightings s USING (decision_id) "
            "WHERE s.subject_id NOT NULL"
        )
        faces = [row[0] for row in named]
    database.close()
    with sqlite3.connect(data / "ledger" / "keys.db") as keys:
        secret = [row[0] for row in keys.execute("SELECT key FROM keys WHERE subject_id NOT NULL")]
    keys.close()
    photos = [path.read_bytes()[1000:1100] for path in (data / "photos").rglob("*.*")]
    named_as = {"name": name.encode(), "file name": b"hopper.png"}
    numbered = {"template": vectors, "face": faces, "key": secret, "photograph": photos}
    return named_as | {
        f"{what} {number}": value for what, values in numbered.items() for number, value in enumerate(values)
    }


def _found(data: Path, secret: bytes) -> bool:
    return any(secret in path.read_bytes() for path in data.rglob("*") if path.is_file())
