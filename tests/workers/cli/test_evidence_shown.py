"""A suspected attack on the screen, in JSON, in videos and on sheets."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gallery.identify import IdentifiedFace, PhotoAnswer
from pipeline.types import Face, Outcome, Quality, Sighting, Verdict
from tests.workers.test_codec import SIGHTING
from workers.cli.identify import as_json, as_text
from workers.cli.watch import sightings_table
from workers.overlay import label
from workers.session import SessionResult
from workers.sheet import SheetEntry, contact_sheet
from workers.sighting import as_record

NAMES = {"s1": "Ada"}
BBOX = np.array([10, 20, 60, 90], np.float32)
KNOWN = replace(SIGHTING, outcome=Outcome.KNOWN, subject_id="s1", attack_evidence=0.123456)
SUSPECTED = replace(
    SIGHTING, track_id=2, outcome=Outcome.SUSPECTED_ATTACK, candidate_id="s1", attack_evidence=0.812345
)


def shown(*sightings: Sighting) -> str:
    result = SessionResult("run", sightings, {}, (), NAMES)
    screen = io.StringIO()
    Console(file=screen, width=200).print(sightings_table(result, with_camera=False))
    return screen.getvalue()


def test_the_table_shows_evidence_where_an_attack_is_suspected() -> None:
    header, known, suspected = shown(KNOWN, SUSPECTED).splitlines()
    assert header.split()[-2:] == ["attack", "evidence"]
    assert "0.812" in suspected
    assert "suspected_attack" in suspected
    assert "nearest: Ada" in suspected
    assert "0.123" in known, "to compare with"


@pytest.mark.parametrize("evidence", [None, 0.123456])
def test_without_a_suspected_attack_the_table_is_the_usual_one(evidence: float | None) -> None:
    assert "evidence" not in shown(replace(KNOWN, attack_evidence=evidence))


def test_the_record_has_the_evidence_always() -> None:
    assert as_record(SUSPECTED, NAMES)["attack_evidence"] == 0.812345
    assert as_record(SIGHTING, NAMES)["attack_evidence"] is None


def answer(outcome: Outcome, candidate: str | None, evidence: float | None) -> PhotoAnswer:
    verdict = Verdict(
        outcome=outcome,
        subject_id=candidate if outcome is Outcome.KNOWN else None,
        candidate_id=candidate,
        similarity=None if candidate is None else 0.625,
        runner_up=None,
        margin=None,
        threshold=0.5,
        threshold_origin="card",
        votes=1.0,
        reason="because",
        attack_evidence=evidence,
    )
    face = Face(BBOX, np.zeros((5, 2), np.float32), 0.9)
    quality = Quality(1.0, (), 100.0, 100.0, 0.0, 128.0)
    return PhotoAnswer(Path("a.jpg"), (IdentifiedFace(face, quality, verdict),))


@pytest.mark.parametrize(
    ("outcome", "candidate", "evidence", "text"),
    [
        (
            Outcome.SUSPECTED_ATTACK,
            "s1",
            0.8123,
            "suspected_attack (nearest Ada, 0.625; attack evidence 0.812)",
        ),
        (Outcome.SUSPECTED_ATTACK, None, 0.8123, "suspected_attack (attack evidence 0.812)"),
        (Outcome.KNOWN, "s1", 0.1, "Ada (0.625)"),
        (Outcome.UNKNOWN, "s1", 0.1, "unknown (nearest Ada, 0.625)"),
        (Outcome.UNKNOWN, None, None, "unknown"),
    ],
)
def test_identify_tells_it_in_its_line(
    outcome: Outcome, candidate: str | None, evidence: float | None, text: str
) -> None:
    assert as_text(answer(outcome, candidate, evidence), NAMES) == f"a.jpg: {text}"


def test_identify_has_the_key_only_where_it_was_measured() -> None:
    (measured,) = as_json(answer(Outcome.KNOWN, "s1", 0.25), NAMES)["faces"]
    (without,) = as_json(answer(Outcome.KNOWN, "s1", None), NAMES)["faces"]
    assert measured == without | {"attack_evidence": 0.25}
    assert "attack_evidence" not in without


def test_a_video_names_the_candidate_with_a_question_mark() -> None:
    drawn = label(BBOX, SUSPECTED, NAMES)
    assert (drawn.text, drawn.outcome) == ("Ada?", Outcome.SUSPECTED_ATTACK)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_bar_of_its_own_on_a_sheet(outcome: Outcome) -> None:
    crop = np.zeros((112, 112, 3), np.uint8)
    sheets = {each: contact_sheet([SheetEntry(crop, "Ada", "0 s", each)]) for each in Outcome}
    same = [each for each in Outcome if np.array_equal(sheets[each], sheets[outcome])]
    assert same == [outcome]
