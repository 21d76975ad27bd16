"""Recorded decisions, derived again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
import numpy as np
import pytest

from audit.case import open_case
from audit.ledger.entries import Kind
from audit.page import page
from audit.replay import Changes, Replay, Replayed, Result, Wanted, recorded_decisions
from audit.scopes import scope_of
from gallery.exact import ExactIndex
from pipeline.errors import UsageError
from pipeline.types import ByteArray, Embedding, Outcome, TemplateKey, Thresholds, TrackKey
from tests.audit.recorded import FINGERPRINT, KEY, RUN, MeanColour, World, gallery

RED, GREEN, GREY = (200, 0, 0), (0, 200, 0), (120, 120, 120)


def replay(
    recorded: World,
    changes: Changes = Changes(),  # noqa: B008 - frozen
    fingerprint: str = FINGERPRINT,
    erased: Collection[str] = (),
    embedder: MeanColour = MeanColour(),  # noqa: B008 - without state
) -> list[Replayed]:
    def at(epoch: int) -> ExactIndex:
        return gallery(epoch) if epoch == 3 else gallery(epoch, ("green", "red"))

    made = Replay(recorded.keys, recorded.crops, embedder, at, fingerprint=fingerprint, erased=erased)
    return list(made.run(recorded_decisions(recorded.folder, Wanted()), changes))


def test_decisions_come_out_as_the_same_bytes(recorded: World) -> None:
    made = [recorded.decide(1, RED), recorded.decide(2, GREY), recorded.decide(3, GREEN, crops=0)]
    assert [sighting.outcome for sighting in made] == [Outcome.KNOWN, Outcome.UNKNOWN, Outcome.LOW_QUALITY]
    found = replay(recorded)
    assert [each.result for each in found] == [Result.IDENTICAL] * 3
    assert [msgspec.json.encode(each.derived) for each in found] == [msgspec.json.encode(s) for s in made]


def test_a_decision_that_was_recorded_again_counts_once(recorded: World) -> None:
    recorded.decide(1, RED)
    recorded.decide(1, RED)
    assert len(replay(recorded)) == 1
    (decision,) = recorded_decisions(recorded.folder, Wanted())
    case = open_case(recorded.folder, recorded.keys, recorded.crops, decision.decision_id)
    assert case.repeats == 1


def test_changes_say_what_would_have_been_decided(recorded: World) -> None:
    recorded.decide(1, RED)
    (strict,) = replay(recorded, Changes(match=0.9999))
    assert strict.derived is not None
    assert (strict.derived.outcome, strict.derived.threshold_origin) == (Outcome.UNKNOWN, "replay")
    (other,) = replay(recorded, Changes(gallery_epoch=4))
    assert other.derived is not None
    assert (other.derived.subject_id, other.derived.gallery_epoch) == ("green", 4)
    assert other.differences["subject_id"] == ("red", "green")


def test_crops_that_are_gone_are_said_to_be_missing(recorded: World) -> None:
    recorded.decide(1, RED)
    (file,) = recorded.data.rglob("*.crops")
    file.unlink()
    assert [each.result for each in replay(recorded)] == [Result.NO_CROPS]


def test_other_models_are_named_and_not_compared(recorded: World) -> None:
    recorded.decide(1, RED)

    class Other(MeanColour):
        key = TemplateKey("other@00000000", "none")

    made = Replay(recorded.keys, recorded.crops, Other(), gallery, fingerprint=FINGERPRINT)
    found = list(made.run(recorded_decisions(recorded.folder, Wanted()), Changes()))
    assert [each.result for each in found] == [Result.OTHER_MODELS]
    anew = Replay(
        recorded.keys,
        recorded.crops,
        Other(),
        gallery,
        fingerprint=FINGERPRINT,
        thresholds=lambda epoch: Thresholds(0.999999, 0.0, origin=f"of epoch {epoch}"),
    )
    (found_anew,) = anew.run(recorded_decisions(recorded.folder, Wanted()), Changes())
    assert found_anew.derived is not None
    assert found_anew.derived.embedder == "other@00000000"
    assert (found_anew.derived.outcome, found_anew.derived.threshold_origin) == ("unknown", "of epoch 3")


class SlightlyOff(MeanColour):
    """The same network on another machine."""

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        moved = [each.vector + np.array([0, 0, 1e-3], np.float32) for each in super().embed(crops_rgb)]
        return [Embedding(vector / np.float32(np.linalg.norm(vector)), KEY) for vector in moved]


def test_on_another_machine_a_small_difference_is_tolerated(recorded: World) -> None:
    recorded.decide(1, RED)
    off = SlightlyOff()
    assert [each.result for each in replay(recorded, embedder=off)] == [Result.DIFFERS]
    assert [each.result for each in replay(recorded, fingerprint="another", embedder=off)] == [
        Result.WITHIN_TOLERANCE
    ]


def test_what_was_erased_is_erased_and_not_broken(recorded: World) -> None:
    recorded.decide(1, RED)
    recorded.decide(2, GREY)
    assert [each.result for each in replay(recorded, erased=["green"])] == [Result.ERASED] * 2
    recorded.keys.destroy([scope_of(RUN, TrackKey("lobby/1:2", 0, 1))])
    assert [each.result for each in replay(recorded)] == [Result.ERASED, Result.IDENTICAL]


def test_a_subject_s_tracks_are_known_by_the_keys(recorded: World) -> None:
    recorded.decide(1, RED)
    recorded.decide(2, GREY)
    assert recorded.keys.scopes_of("red") == [scope_of(RUN, TrackKey("lobby/1:2", 0, 1))]
    assert recorded.keys.unnamed_before(1 << 62) == [scope_of(RUN, TrackKey("lobby/1:2", 0, 2))]


def test_decisions_are_chosen_by_run_camera_and_id(recorded: World) -> None:
    made = recorded.decide(1, RED)
    recorded.decide(2, GREY, camera="gate")
    for wanted, count in (
        (Wanted(run_id=RUN), 2),
        (Wanted(run_id="other"), 0),
        (Wanted(camera_id="gate"), 1),
        (Wanted(decision_ids=frozenset([made.decision_id])), 1),
    ):
        assert len(list(recorded_decisions(recorded.folder, wanted))) == count


def test_a_case_holds_everything_and_its_page_stands_by_itself(recorded: World) -> None:
    recorded.ledger.append(Kind.SESSION, {"program": "0.1", "activity": "watch", "models": {"embedder": "m"}})
    made = recorded.decide(1, RED, camera="<script>alert(1)</script>")
    case = open_case(recorded.folder, recorded.keys, recorded.crops, made.decision_id[:10])
    assert case.content is not None
    assert case.content.sighting == made
    assert case.content.neighbours[0][0] == "red"
    assert [crop.sequence for crop in case.crops] == [0, 1, 2]
    assert case.session["activity"] == "watch"
    assert case.content.template_key == KEY
    written = page(case, {"red": "<b>Ruby</b>"})
    assert written.count("data:image/png;base64,") == 3
    assert "<script" not in written
    assert "<b>" not in written
    assert "http" not in written.replace("http-equiv", "")
    assert "vector" not in str(case.as_json()["content"]["evidence"])
    with pytest.raises(UsageError, match="0 decisions"):
        open_case(recorded.folder, recorded.keys, recorded.crops, "ffffffffff")
