"""Pictures of the faces behind decisions: the crops that were kept, to whoever may see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from starlette.exceptions import HTTPException

from audit.crops import CropState, CropStore, png_of
from audit.enrollable import best_of
from pipeline.errors import Erased, PinwatchError
from pipeline.types import ByteArray, FaceCrop, Sighting
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess
from workers.console.access.roles import Permission
from workers.console.sightings.visible import VisibleSightings
from workers.names import subject_ids
from workers.sighting import key_of

UNREADABLE = "unreadable"
"""Beside :class:`CropState`: there is something, and it is not what was written."""

_COARSE_PX = 7
"""A face of so few pixels a side shows that somebody was there, and not who."""


@dataclass(frozen=True, slots=True)
class CropInfo:
    """One kept crop.

    Attributes:
        sequence: Its place in the track.
        seen_s: When, in the stream's own time.
        quality: 0..1.
        score: The detector's confidence.
    """

    sequence: int
    seen_s: float
    quality: float
    score: float


@dataclass(frozen=True, slots=True)
class CropsShown:
    """The crops of a track, in order; `state` says why there are none."""

    state: str
    crops: list[CropInfo]
    best: int | None
    blurred: bool


class Pictures:
    """Kept crops as pictures.

    Args:
        sightings: Decisions that the user may see.
        crops: Where they are kept; ``None`` where none are.
        blur_unknown: Whether people who were not named are blurred for whoever may not give verdicts.
        record: Told who looked at whom.
    """

    def __init__(
        self, sightings: VisibleSightings, crops: CropStore | None, blur_unknown: bool, record: RecordAccess
    ) -> None:
        self._sightings, self._crops = sightings, crops
        self._blur_unknown, self._record = blur_unknown, record

    def states(self, sightings: Iterable[Sighting]) -> Mapping[str, str]:
        """Whether there is a picture, by decision."""
        return {one.decision_id: self.state(one) for one in sightings}

    def states_of(self, principal: Principal, decision_ids: Sequence[str]) -> Mapping[str, str]:
        """The same of decisions by their id; of those that are not kept there is no picture."""
        found = self._sightings.some(principal, decision_ids)
        return {name: self.state(found[name]) if name in found else CropState.NONE for name in decision_ids}

    def state(self, sighting: Sighting) -> str:
        """See :class:`CropState`; nothing is read."""
        if self._crops is None:
            return CropState.NONE
        return self._crops.state(sighting.run_id, key_of(sighting))

    def listed(self, principal: Principal, sighting: Sighting) -> CropsShown:
        """What there is of the track of a decision that the user sees."""
        hidden = self._hidden(principal, sighting)
        state = self.state(sighting)
        if state != CropState.KEPT:
            return CropsShown(state, [], None, hidden)
        try:
            crops = self.crops_of(sighting)
        except Erased:
            return CropsShown(CropState.ERASED, [], None, hidden)
        except PinwatchError:
            return CropsShown(UNREADABLE, [], None, hidden)
        best = best_of(crops, 1)
        found = [CropInfo(one.sequence, one.pts_ns / 1e9, one.quality, one.score) for one in crops]
        return CropsShown(
            state if found else CropState.NONE, found, best[0].sequence if best else None, hidden
        )

    def best(self, principal: Principal, decision_id: str) -> bytes:
        """The best crop of the track, as a PNG.

        Raises:
            HTTPException: 404, there is no such decision or picture.
            Erased: there was one.
        """
        return self._picture(principal, decision_id, None)

    def one(self, principal: Principal, decision_id: str, sequence: int) -> bytes:
        """A crop of the track, as a PNG. Raises as :meth:`best` does."""
        return self._picture(principal, decision_id, sequence)

    def crops_of(self, sighting: Sighting) -> list[FaceCrop]:
        """All crops of the track, whoever asks.

        Raises:
            Erased: they were erased.
            LedgerCorrupt: one is not what was written.
        """
        return [] if self._crops is None else self._crops.read(sighting.run_id, key_of(sighting))

    def _picture(self, principal: Principal, decision_id: str, sequence: int | None) -> bytes:
        sighting = self._sightings.get(principal, decision_id)
        self._record(principal.who, f"picture of decision {decision_id} shown", subject_ids([sighting]))
        crops = self.crops_of(sighting)
        if sequence is None:
            crops = best_of(crops, 1)
        chosen = next((crop for crop in crops if sequence in (None, crop.sequence)), None)
        if chosen is None:
            raise HTTPException(404, "no such picture was kept")
        image = chosen.image_rgb
        return png_of(blurred(image) if self._hidden(principal, sighting) else image)

    def _hidden(self, principal: Principal, sighting: Sighting) -> bool:
        if not self._blur_unknown or principal.may(Permission.WRITE_VERDICTS):
            return False
        return self._sightings.last_word(sighting).subject_id is None


def blurred(image_rgb: ByteArray) -> ByteArray:
    """The same picture, uint8 (H, W, 3), of so few colours that nobody is recognised in it."""
    coarse = cv2.resize(image_rgb, (_COARSE_PX, _COARSE_PX), interpolation=cv2.INTER_AREA)
    height, width = image_rgb.shape[:2]
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
