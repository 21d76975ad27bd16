"""What can be swapped. ``workers/build.py`` says which implementation stands behind each.

Every seam has a contract class in ``tests/contracts``; an implementation is done when its subclass
passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from pipeline.types import ByteArray, Embedding, Face, Frame, Match, TemplateKey, TrackUpdate

if TYPE_CHECKING:
    import torch


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now_ns(self) -> int:
        """Wall-clock time, nanoseconds since 1970 UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only ever grow."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after about `seconds`."""
        ...


class FrameSource(Protocol):
    """One camera or file.

    Attributes:
        camera_id: Whose frames these are.
        live: True if frames are lost when nobody takes them (camera), False if not (file, folder).
        frame_count: How many frames there will be, where that is known beforehand.
        rate_hz: Nominal frames per second.
        dropped_by_cause: Frames that the source itself gave up so far, counted by cause.
    """

    @property
    def camera_id(self) -> str: ...
    @property
    def live(self) -> bool: ...
    @property
    def frame_count(self) -> int | None: ...
    @property
    def rate_hz(self) -> float: ...
    @property
    def dropped_by_cause(self) -> dict[str, int]: ...

    def frames(self) -> Iterator[Frame]:
        """Yield frames in the order of (stream_epoch, pts_ns) until the source ends or is closed.

        The end of a file is the end of the iteration. A live source reconnects by itself, with a
        higher `stream_epoch`, and ends only when closed.

        Raises:
            SourceNotFound: there is no such file or device.
            SourceUnreadable: there is, but it holds no video.
        """
        ...

    def close(self) -> None:
        """Release the connection and end `frames` soon; safe from another thread and twice."""
        ...


class Detector(Protocol):
    """Finds faces. `detector_id` is the card's name and the first 8 digits of its checksum."""

    @property
    def detector_id(self) -> str: ...

    def detect(self, images_bgr: Sequence[ByteArray]) -> list[list[Face]]:
        """Faces of each picture, best score first, in that picture's own pixels.

        Args:
            images_bgr: uint8 (H, W, 3) each; sizes may differ. An empty sequence gives an empty list.
        """
        ...


class Tracker(Protocol):
    """Links faces of successive frames of one stream epoch."""

    def update(self, faces: Sequence[Face], pts_ns: int) -> TrackUpdate:
        """Take the faces of the next frame; `pts_ns` must grow from call to call."""
        ...

    def finish(self) -> tuple[int, ...]:
        """End the stream: the tracks that were still open."""
        ...


class Purifier(Protocol):
    """Maps crops to crops. Rows never influence each other; gradients flow through.

    Must not call ``no_grad`` itself, nor branch on the values of a batch.
    """

    @property
    def purifier_id(self) -> str: ...

    def __call__(self, crops_rgb: torch.Tensor) -> torch.Tensor:
        """float32 (N, 3, 112, 112) in 0..255 to the same shape, dtype and scale (not rounded or clipped)."""
        ...


class FaceEmbedder(Protocol):
    """Purifies and embeds aligned crops: the two networks as one, since they run as one graph."""

    @property
    def key(self) -> TemplateKey: ...

    @property
    def dim(self) -> int: ...

    def embed(self, crops_rgb: Sequence[ByteArray]) -> list[Embedding]:
        """One unit vector a crop, uint8 (112, 112, 3) each; independent of the batch mates, to the bit.

        Every embedding says its `purification_shift` where this embedder measures it, or none does.
        """
        ...


class GalleryIndex(Protocol):
    """Nearest subjects among the templates of one :class:`TemplateKey` at one gallery epoch."""

    @property
    def key(self) -> TemplateKey: ...

    @property
    def gallery_epoch(self) -> int: ...

    def search(self, probe: Embedding, count: int) -> list[Match]:
        """The `count` most similar subjects (each by its best template), most similar first.

        Ties are broken by `subject_id`. Fewer subjects than `count` give a shorter list.

        Raises:
            TemplateKeyMismatch: the probe was made by another model, purifier or alignment.
        """
        ...
