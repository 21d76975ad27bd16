"""The steps and the loop on the memory bus: one decision a track, whatever is delivered twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipeline.clock import ManualClock
from pipeline.errors import MalformedMessage
from pipeline.types import (
    ByteArray,
    EmbeddedFace,
    Embedding,
    FaceCrop,
    Match,
    Outcome,
    Revision,
    Sighting,
    TemplateKey,
    Thresholds,
    TrackEnded,
)
from workers.bus.base import Partition, Received, Topic
from workers.bus.memory import MemoryBus
from workers.codec import Encoded, Message, decode, encode
from workers.dead_letters import again, dead_letter, read_dead_letter
from workers.keep import KeptMatchStep
from workers.loop import Arrived, Outgoing, Refused, run
from workers.steps import EmbedStep, Freshness, MatchStep, Orphans, RecordStep

KEY = TemplateKey("embedder@00000000", "none")


class MeanColourEmbedder:
    """Embeds a crop as the direction of its mean colour."""

    key = KEY
    dim = 3

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        means = [crop.reshape(-1, 3).mean(axis=0).astype(np.float32) for crop in crops_rgb]
        return [Embedding(mean / np.float32(np.linalg.norm(mean)), KEY) for mean in means]


class OneSubject:
    """A gallery of Ada, whose template is the first axis."""

    key = KEY
    gallery_epoch = 3
    thresholds = Thresholds(match=0.5, margin=0.1)

    @property
    def index(self) -> OneSubject:
        return self

    def refresh(self) -> None:
        return None

    def search(self, probe: Embedding, count: int) -> list[Match]:
        return [Match("ada", float(probe.vector[0]))][:count]


class ListSink:
    def __init__(self) -> None:
        self.written: list[Sighting] = []

    def write(self, sightings: Sequence[Sighting]) -> None:
        self.written += sightings


def put(bus: MemoryBus, topic: Topic, messages: Iterable[Message]) -> None:
    for message in messages:
        bus.producer().send(topic, encode(message))


def run_match(messages: Sequence[Message]) -> list[Sighting]:
    """Everything that a fresh matcher says to these messages."""
    bus = MemoryBus()
    bus.consumer("match", [Topic.EMBEDDINGS])
    results = bus.consumer("test", [Topic.SIGHTINGS])
    put(bus, Topic.EMBEDDINGS, messages)
    bus.finish(Topic.EMBEDDINGS)
    run(bus, MatchStep(OneSubject(), "run-1", KEY), threading.Event())
    sightings = [decode(item.encoded) for item in results.poll(1000, 0.1)]
    return [item for item in sightings if isinstance(item, Sighting)]


def test_the_embed_step_keeps_crops_and_ends_in_their_order(
    crop: Callable[..., FaceCrop], ended: Callable[..., TrackEnded]
) -> None:
    bus = MemoryBus()
    bus.consumer("embed", [Topic.FACES])
    results = bus.consumer("test", [Topic.EMBEDDINGS])
    put(bus, Topic.FACES, [crop(1, 0), crop(2, 0), ended(1), crop(2, 1), ended(2)])
    bus.finish(Topic.FACES)
    run(bus, EmbedStep(MeanColourEmbedder(), batch_size=2), threading.Event())
    got = [decode(item.encoded) for item in results.poll(100, 0.1)]
    order = [(m.key.track_id, m.sequence if isinstance(m, EmbeddedFace) else "end") for m in got]  # type: ignore[union-attr]
    assert order == [(1, 0), (2, 0), (1, "end"), (2, 1), (2, "end")]


def test_a_track_is_new_then_updated_then_ended(
    embedded: Callable[..., EmbeddedFace], ended: Callable[..., TrackEnded]
) -> None:
    sightings = run_match(
        [embedded((0.1, 1), sequence=0), embedded((1, 0), sequence=1), embedded((1, 0), sequence=2), ended()]
    )
    assert [(s.revision, s.outcome) for s in sightings] == [
        (Revision.NEW, Outcome.UNKNOWN),
        (Revision.UPDATE, Outcome.KNOWN),
        (Revision.END, Outcome.KNOWN),
    ]
    assert len({s.decision_id for s in sightings}) == 3
    assert (sightings[-1].frames, sightings[-1].dropped_by_cause["not_best"]) == (25, 20)


def test_a_track_without_a_crop_ends_as_low_quality(ended: Callable[..., TrackEnded]) -> None:
    sightings = run_match([ended(crops_sent=0)])
    assert [(s.revision, s.outcome) for s in sightings] == [(Revision.END, Outcome.LOW_QUALITY)]


def test_a_crop_delivered_twice_counts_once(
    embedded: Callable[..., EmbeddedFace], ended: Callable[..., TrackEnded]
) -> None:
    once: list[Message] = [embedded((1, 1), sequence=0), embedded((1, 0.2), sequence=1), ended()]
    twice = [once[0], once[0], once[1], once[0], once[1], once[2]]
    assert run_match(once)[-1] == run_match(twice)[-1]


def test_a_matcher_that_died_is_rebuilt_from_its_open_tracks(
    embedded: Callable[..., EmbeddedFace], ended: Callable[..., TrackEnded]
) -> None:
    """What was committed before the crash is enough to decide exactly the same afterwards."""
    messages: list[Message] = [
        embedded((1, 1), track_id=1, sequence=0),
        embedded((0, 1), track_id=2, sequence=0),
        ended(2),
        embedded((1, 0), track_id=1, sequence=1),
        ended(1),
    ]
    whole = {s.decision_id: s for s in run_match(messages)}
    partition = Partition(Topic.EMBEDDINGS, 0)
    first = MatchStep(OneSubject(), "run-1", KEY)
    before = list(first.process([Arrived(partition, n, m) for n, m in enumerate(messages[:4])]))
    resume_at = first.committable({partition: 4})[partition]
    assert resume_at == 0, "track 1 is still open and began at offset 0"
    second = MatchStep(OneSubject(), "run-1", KEY)
    rest = [Arrived(partition, n, m) for n, m in enumerate(messages)][resume_at:]
    sent = before + list(second.process(rest))
    assert {
        m.message.decision_id: m.message
        for m in sent
        if isinstance(m, Outgoing) and isinstance(m.message, Sighting)
    } == whole
    assert second.committable({partition: 5}) == {partition: 5}


def test_a_poisoned_message_becomes_a_dead_letter_and_the_next_is_served(
    ended: Callable[..., TrackEnded],
) -> None:
    bus = MemoryBus()
    bus.consumer("match", [Topic.EMBEDDINGS])
    dead = bus.consumer("test", [Topic.DEAD_LETTERS])
    results = bus.consumer("test", [Topic.SIGHTINGS])
    bus.producer().send(Topic.EMBEDDINGS, Encoded(b"gate:0:1", (("schema", b"gossip"),), b"\xff\x00"))
    put(bus, Topic.EMBEDDINGS, [ended()])
    bus.finish(Topic.EMBEDDINGS)
    run(bus, MatchStep(OneSubject(), "run-1", KEY), threading.Event())
    letters = dead.poll(10, 0.1)
    headers = dict(letters[0].encoded.headers)
    assert len(letters) == 1
    assert headers["dead-letter-origin"] == b"embeddings.v1/0/0"
    assert b"UnknownSchema" in headers["dead-letter-error"]
    assert letters[0].encoded.value == b"\xff\x00"
    assert len(results.poll(10, 0.1)) == 1


def test_sinks_have_written_before_the_commit(ended: Callable[..., TrackEnded]) -> None:
    events: list[str] = []

    class Sink(ListSink):
        def write(self, sightings: Sequence[Sighting]) -> None:
            events.append("written")

    class Watched(RecordStep):
        def committable(self, read: Mapping[Partition, int]) -> Mapping[Partition, int]:
            events.append("commit")
            return super().committable(read)

    bus = MemoryBus()
    bus.consumer("record", [Topic.SIGHTINGS])
    put(bus, Topic.SIGHTINGS, run_match([ended()]))
    bus.finish(Topic.SIGHTINGS)
    run(bus, Watched([Sink()]), threading.Event())
    assert events == ["written", "commit"]


def test_a_failing_step_commits_nothing(ended: Callable[..., TrackEnded]) -> None:
    class Failing(ListSink):
        def write(self, sightings: Sequence[Sighting]) -> None:
            raise OSError("disk full")

    bus = MemoryBus()
    bus.consumer("record", [Topic.SIGHTINGS])
    bus.producer().send(Topic.SIGHTINGS, encode(run_match([ended()])[0]))
    with pytest.raises(OSError, match="disk full"):
        run(bus, RecordStep([Failing()]), threading.Event())
    assert len(bus.consumer("record", [Topic.SIGHTINGS]).poll(10, 0.1)) == 1


def arrived(messages: Sequence[Message], partition: int = 0) -> list[Arrived]:
    return [Arrived(Partition(Topic.EMBEDDINGS, partition), n, m) for n, m in enumerate(messages)]


def said(step: MatchStep, batch: Sequence[Arrived]) -> list[Sighting]:
    results = list(step.process(batch))
    return [r.message for r in results if isinstance(r, Outgoing) and isinstance(r.message, Sighting)]


def test_crops_that_never_came_are_counted_in_the_sighting(
    embedded: Callable[..., EmbeddedFace], ended: Callable[..., TrackEnded]
) -> None:
    (*_, end) = said(MatchStep(OneSubject(), "r", KEY), arrived([embedded(sequence=2), ended(crops_sent=4)]))
    assert (end.crops, end.dropped_by_cause["too_late"]) == (1, 3)


def test_an_old_crop_is_shed_and_counted_and_the_end_of_its_track_is_not(
    crop: Callable[..., FaceCrop], ended: Callable[..., TrackEnded]
) -> None:
    clock = ManualClock(100_000_000_000)
    dropped: list[tuple[str, int]] = []
    freshness = Freshness(10.0, clock, lambda cause, number: dropped.append((cause, number)))
    step = EmbedStep(MeanColourEmbedder(), 8, freshness)
    times_ns = {0: 89_000_000_000, 1: 91_000_000_000, 2: None}
    messages: list[Message] = [replace(crop(1, n), captured_at_ns=ns) for n, ns in times_ns.items()]
    results = list(step.process(arrived([*messages, ended(1)])))
    sent = [r.message for r in results if isinstance(r, Outgoing)]
    assert [m.sequence if isinstance(m, EmbeddedFace) else "end" for m in sent] == [1, 2, "end"]
    assert dropped == [("too_late", 1)]


def test_a_track_whose_reader_died_is_decided_after_a_while(embedded: Callable[..., EmbeddedFace]) -> None:
    clock = ManualClock()
    step = MatchStep(OneSubject(), "r", KEY, orphans=Orphans(60.0, clock))
    batch = arrived([embedded(sequence=0)])
    assert [s.revision for s in said(step, batch)] == [Revision.NEW]
    clock.advance(59)
    assert said(step, []) == []
    clock.advance(2)
    (end,) = said(step, [])
    assert (end.revision, end.outcome, end.crops) == (Revision.END, Outcome.KNOWN, 1)
    assert end.dropped_by_cause == {"reader_lost": 1}
    assert step.committable({batch[0].partition: 1}) == {batch[0].partition: 1}


def test_what_lay_in_a_lost_partition_is_forgotten(embedded: Callable[..., EmbeddedFace]) -> None:
    step = MatchStep(OneSubject(), "r", KEY)
    list(step.process(arrived([embedded(track_id=1)], 0)))
    list(step.process(arrived([embedded(track_id=2)], 1)))
    step.forget([Partition(Topic.EMBEDDINGS, 0)])
    read = {Partition(Topic.EMBEDDINGS, 1): 5}
    assert step.committable(read) == {Partition(Topic.EMBEDDINGS, 1): 0}


def test_open_tracks_are_decided_again_when_somebody_is_enrolled(
    embedded: Callable[..., EmbeddedFace], ended: Callable[..., TrackEnded]
) -> None:
    class Growing(OneSubject):
        enrolled = False

        def search(self, probe: Embedding, count: int) -> list[Match]:
            return super().search(probe, count) if self.enrolled else []

    for follow, expected in ((True, [Outcome.KNOWN]), (False, [])):
        gallery = Growing()
        step = MatchStep(gallery, "r", KEY, follow=follow)
        batch = arrived([embedded((1, 0), 1, 0), embedded((0.1, 1), 2, 0), ended(2, crops_sent=1)])
        assert [s.outcome for s in said(step, batch)] == [Outcome.UNKNOWN] * 3
        assert said(step, []) == []
        gallery.enrolled, gallery.gallery_epoch = True, 4
        revised = said(step, [])
        assert [s.outcome for s in revised] == expected
        assert [(s.track_id, s.revision, s.revision_number) for s in revised] == [
            (1, Revision.UPDATE, 1) for _ in expected
        ]
        assert said(step, []) == []
        (end,) = said(step, arrived([ended(1, crops_sent=1)]))
        assert (end.outcome, end.gallery_epoch) == (Outcome.KNOWN, 4)


def test_embeddings_of_another_model_are_refused_and_the_rest_is_served(
    embedded: Callable[..., EmbeddedFace], ended: Callable[..., TrackEnded]
) -> None:
    strange = embedded(sequence=0)
    key = TemplateKey("other@22222222", "none")
    strange = replace(strange, embedding=replace(strange.embedding, key=key))
    results = list(MatchStep(OneSubject(), "r", KEY).process(arrived([strange, embedded(sequence=1)])))
    (refused,) = [r for r in results if isinstance(r, Refused)]
    assert "other@22222222" in refused.reason
    assert len(results) == 2


def test_an_embedding_of_another_length_is_refused(embedded: Callable[..., EmbeddedFace]) -> None:
    step = MatchStep(OneSubject(), "r", KEY, dim=3)
    (refused,) = step.process(arrived([embedded((1, 0))]))
    assert isinstance(refused, Refused)
    assert "2 numbers instead of 3" in refused.reason


def test_a_message_of_the_wrong_kind_is_a_dead_letter(
    crop: Callable[..., FaceCrop], ended: Callable[..., TrackEnded]
) -> None:
    bus = MemoryBus()
    bus.consumer("match", [Topic.EMBEDDINGS])
    dead = bus.consumer("test", [Topic.DEAD_LETTERS])
    results = bus.consumer("test", [Topic.SIGHTINGS])
    put(bus, Topic.EMBEDDINGS, [crop(), ended(2, crops_sent=0)])
    bus.finish(Topic.EMBEDDINGS)
    run(bus, MatchStep(OneSubject(), "r", KEY), threading.Event())
    (letter,) = [read_dead_letter(item.encoded) for item in dead.poll(10, 0.1)]
    assert (letter.origin, letter.group, letter.attempts) == ("embeddings.v1/0/0", "match", 1)
    assert "FaceCrop" in letter.error
    assert decode(letter.message) == crop() or letter.message == encode(crop())
    assert len(results.poll(10, 0.1)) == 1
    once_more = Received(Partition(Topic.EMBEDDINGS, 0), 9, again(letter))
    second = read_dead_letter(dead_letter(once_more, "match", MalformedMessage("no")))
    assert (second.attempts, second.offset, second.message) == (2, 9, letter.message)


def test_decisions_are_kept_before_they_are_announced_and_announced_as_kept(
    embedded: Callable[..., EmbeddedFace], ended: Callable[..., TrackEnded]
) -> None:
    kept: dict[str, Sighting] = {}
    events: list[str] = []

    class Store:
        def keep(self, decided: Sequence[Sighting]) -> list[Sighting]:
            events.append("keep")
            return [kept.setdefault(s.decision_id, s) for s in decided]

    sink = ListSink()

    def messages() -> list[Sighting]:
        step = KeptMatchStep(MatchStep(OneSubject(), "r", KEY), Store(), [sink])
        found = []
        for result in step.process(arrived([embedded((1, 0), sequence=1), ended(crops_sent=2)])):
            events.append("announce")
            assert isinstance(result, Outgoing)
            assert isinstance(result.message, Sighting)
            found.append(result.message)
        return found

    first = messages()
    assert events == ["keep", "announce", "announce"]
    kept = {s.decision_id: replace(s, reason="as it was decided first") for s in first}
    assert [s.reason for s in messages()] == ["as it was decided first"] * 2
    assert len(sink.written) == 4
