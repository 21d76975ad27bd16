"""Which picture of a camera's substream belongs to which picture of its main stream.

The two streams of a camera have time stamps of their own, each with an unknown start. Two things tie
them together. Cameras say in RTCP sender reports what their clock showed at a stamp (RFC 3550, 6.4.1);
both streams of one camera use the same clock, so this is exact. Until the reports are there, and where
they contradict the arrivals by more than :data:`TRUSTED_WITHIN_NS`, the time of arrival without jitter
decides (:class:`pipeline.sources.timeline.CaptureTimes`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from pipeline.sources.channel import DropCounter
from pipeline.sources.connection import Shot
from pipeline.sources.timeline import NS

TRUSTED_WITHIN_NS = NS

_MAX_WAITING = 16


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A main picture and the substream's picture of the same moment, ``None`` while there is no substream."""

    main: Shot
    sub: Shot | None


def gap_ns(main: Shot, sub: Shot) -> int:
    """How much later `main` was taken than `sub`, by the best clock that both share."""
    by_arrival = main.captured_at_ns - sub.captured_at_ns
    if main.camera_at_ns is None or sub.camera_at_ns is None:
        return by_arrival
    by_camera = main.camera_at_ns - sub.camera_at_ns
    return by_camera if abs(by_camera - by_arrival) < TRUSTED_WITHIN_NS else by_arrival


class Pairer:
    """Pairs every substream picture with the main picture nearest to it. Not for several threads.

    The substream sets the pace: main pictures between two of its pictures are passed over. A
    substream picture without a main picture of its own near enough is dropped as ``unpaired``. When the
    substream is lost, or nothing has paired for `fallback_s`, main pictures go through alone, until
    the substream comes back after having been away.

    Args:
        tolerance_s: How far apart the pictures of a pair may be.
        fallback_s: How long main pictures are held back for want of a partner.
        drops: Counts ``unpaired``.
    """

    def __init__(self, tolerance_s: float, fallback_s: float, drops: DropCounter) -> None:
        self._tolerance_ns = round(tolerance_s * NS)
        self._fallback_ns = round(fallback_s * NS)
        self._drops = drops
        self._mains: deque[Shot] = deque()
        self._subs: deque[Shot] = deque()
        self._hopeful_since_ns: int | None = None
        self._heard_ns: int | None = None
        self._gone: Shot | None = None
        self._alone = False

    @property
    def alone(self) -> bool:
        """Whether main pictures go through without the substream now."""
        return self._alone

    def add_main(self, shot: Shot) -> list[Pair]:
        """Take the next main picture; the pairs that are complete now, in order."""
        self._mains.append(shot)
        pairs = self._match()
        if self._hopeful_since_ns is None:
            self._hopeful_since_ns = shot.captured_at_ns
        elif shot.captured_at_ns - self._hopeful_since_ns > self._fallback_ns:
            self._alone = True
        if self._alone:
            pairs += [Pair(main, None) for main in self._mains if main is not self._gone]
            self._gone = shot
            self._mains = deque([shot])
        while len(self._mains) > _MAX_WAITING:  # pictures are large
            self._mains.popleft()
        return pairs

    def add_sub(self, shot: Shot) -> list[Pair]:
        """Take the next substream picture; the pairs that are complete now, in order."""
        was_away = self._heard_ns is None or shot.captured_at_ns - self._heard_ns > self._fallback_ns
        if self._alone and was_away:
            self._alone, self._hopeful_since_ns = False, None
        self._heard_ns = shot.captured_at_ns
        self._subs.append(shot)
        if len(self._subs) > _MAX_WAITING:
            self._subs.popleft()
            self._drops.add("unpaired")
        return self._match()

    def sub_lost(self) -> None:
        """The substream's connection broke: do not wait for it until its next picture."""
        self._alone, self._heard_ns = True, None
        self._subs.clear()

    def restart(self) -> None:
        """The main stream starts a new epoch: nothing before it pairs with anything after."""
        self._hopeful_since_ns = None
        self._mains.clear()
        self._subs.clear()

    def _match(self) -> list[Pair]:
        pairs = []
        while self._subs and self._decided(self._subs[0]):
            pair = self._partner(self._subs.popleft())
            if pair is not None:
                self._alone, self._hopeful_since_ns = False, pair.main.captured_at_ns
                pairs.append(pair)
        return pairs

    def _decided(self, sub: Shot) -> bool:
        """Whether no later main picture can be nearer to `sub` than those that are here."""
        return bool(self._mains) and gap_ns(self._mains[-1], sub) >= 0

    def _partner(self, sub: Shot) -> Pair | None:
        """The pair of `sub` and the main picture nearest to it, if that is near enough and still free.

        A main picture that has gone out stays a candidate: were `sub` given the next best instead, every
        later pair would be one picture apart.
        """
        gaps = [abs(gap_ns(main, sub)) for main in self._mains]
        nearest = gaps.index(min(gaps))
        for _ in range(nearest):
            self._mains.popleft()
        main = self._mains[0]
        if gaps[nearest] > self._tolerance_ns or main is self._gone:
            self._drops.add("unpaired")
            return None
        self._gone = main
        return Pair(main, sub)
