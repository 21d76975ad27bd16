"""The gallery as a matcher holds it: an index and thresholds that belong to the same epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gallery.records import Delta
from gallery.store import GalleryStore
from pipeline.seams import Clock, GalleryIndex
from pipeline.types import TemplateKey, Thresholds

EXPIRE_S = 60.0


class FollowingIndex(GalleryIndex, Protocol):
    """An index that can be brought up to date."""

    def apply(self, delta: Delta) -> None: ...


class GalleryReplica:
    """Follows the database, which is the truth, at most every `poll_s` seconds.

    Args:
        store: The gallery.
        index: Built from a snapshot of `store`.
        thresholds: Those in force at an epoch.
        clock: Time.
        poll_s: How often to ask the database whether its epoch has grown; ``None`` never asks: a
            recording is decided against the gallery as it was when the run began.
        expire: Ends memberships of watch lists whose time is up; called every :data:`EXPIRE_S` while
            the database is followed.
    """

    def __init__(
        self,
        store: GalleryStore,
        index: FollowingIndex,
        thresholds: Callable[[int], Thresholds],
        clock: Clock,
        *,
        poll_s: float | None,
        expire: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self._index = index
        self._thresholds_at = thresholds
        self._clock = clock
        self._poll_s = poll_s
        self._expire = expire
        self._asked_at_s = self._expired_at_s = clock.monotonic_s()
        self.thresholds = thresholds(index.gallery_epoch)

    @property
    def index(self) -> GalleryIndex:
        return self._index

    @property
    def key(self) -> TemplateKey:
        return self._index.key

    def refresh(self) -> None:
        """Catch up with the database if it is time to ask.

        Raises:
            TemplateKeyMismatch: the gallery was embedded anew by another model meanwhile.
        """
        now_s = self._clock.monotonic_s()
        if self._poll_s is None or now_s - self._asked_at_s < self._poll_s:
            return
        self._asked_at_s = now_s
        if now_s - self._expired_at_s >= EXPIRE_S:
            self._expired_at_s = now_s
            self._expire()
        if self._store.epoch() != self._index.gallery_epoch:
            self._index.apply(self._store.delta(self._index.key, self._index.gallery_epoch))
            self.thresholds = self._thresholds_at(self._index.gallery_epoch)
