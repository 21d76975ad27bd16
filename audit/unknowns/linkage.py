"""How similar a face is to a group, and which group that makes it join."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.search.vectors import DECIMALS, similarities
from pipeline.types import FloatArray, Thresholds

BEST_OF = 3

_ROUGH = 1e-3  # far more than float32 sums are off

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Linkage:
    """When a face belongs to a group.

    Its similarity to a group is the mean of its similarities to those faces there that it is most similar
    to. With one member alone a single bad picture would draw strangers in, and they others (groups grow
    into chains); with all of them somebody's profile would never join a group of mostly front views.

    Attributes:
        threshold: From this similarity on it does.
        best_of: The mean of so many faces, or of all where there are fewer.
    """

    threshold: float
    best_of: int = BEST_OF

    def __post_init__(self) -> None:
        if not -1.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold must be -1..1, got {self.threshold}")
        if self.best_of < 1:
            raise ValueError(f"best_of must be 1 or more, got {self.best_of}")

    @classmethod
    def of(cls, thresholds: Thresholds) -> Linkage:
        """The similarity that names a subject also makes two tracks one person."""
        return cls(thresholds.match)

    def link(self, found: Floats) -> float:
        """The mean of the highest of some similarities."""
        count = min(self.best_of, len(found))
        return round(float(np.sort(found)[-count:].mean()), DECIMALS)


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """A face in its group; `vector` is float32 (D,), `look` the part of the group that it looks like."""

    group_id: str
    look: str
    vector: FloatArray


@dataclass(frozen=True, slots=True)
class Near:
    """A look of a group, and how similar a face is to it, -1..1."""

    group_id: str
    look: str
    link: float


class Pool:
    """Faces in their groups, in memory.

    A group is compared look by look. It begins with one, and gets more where a person merges groups: a
    front view and a profile that nobody but a person could join. A face that is like either then joins,
    as it would have before, and none joins that is a little like both.

    Args:
        faces: What is there.
    """

    def __init__(self, faces: Iterable[Grouped] = ()) -> None:
        self._looks: list[tuple[str, str]] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._count = 0
        self._vectors: FloatArray = np.empty((0, 0), np.float32)
        self._owners = np.empty(0, np.int64)
        for face in faces:
            self.add(face)

    def __len__(self) -> int:
        return self._count

    def add(self, face: Grouped) -> None:
        """Put a face into its group, which is made if there is none of that id."""
        if self._count == len(self._owners):
            self._grow(len(face.vector))
        look = (face.group_id, face.look)
        if look not in self._numbers:
            self._numbers[look] = len(self._looks)
            self._looks.append(look)
        self._vectors[self._count] = face.vector
        self._owners[self._count] = self._numbers[look]
        self._count += 1

    def nearest(self, vector: FloatArray, linkage: Linkage) -> Near | None:
        """Where a face joins, ties by id; ``None`` if it joins no group."""
        ranked = self._ranked(vector[None], linkage)
        return ranked[0] if ranked else None

    def alike(self, group_id: str, linkage: Linkage) -> list[tuple[str, float]]:
        """Other groups from the threshold on, the most similar first, ties by id.

        The similarity of two groups is the mean over the most similar pairs of faces.
        """
        looks = [number for number, (owner, _) in enumerate(self._looks) if owner == group_id]
        own = np.isin(self._owners[: self._count], looks)
        found: dict[str, float] = {}
        for near in self._ranked(self._vectors[: self._count][own], linkage):
            if near.group_id != group_id:
                found.setdefault(near.group_id, near.link)
        return list(found.items())

    def _ranked(self, probes: FloatArray, linkage: Linkage) -> list[Near]:
        """Looks that are near to probes, float32 (P, D), the nearest first.

        A mean is never above its highest part, so most looks are left out by a quick look at float32 sums;
        what counts is summed again so that it is the same everywhere.
        """
        if not self._count or not len(probes):
            return []
        owners, vectors = self._owners[: self._count], self._vectors[: self._count]
        rough = (vectors @ probes.T).max(axis=1)
        maybe = np.isin(owners, owners[rough >= linkage.threshold - _ROUGH])
        links = _links(owners[maybe], similarities(vectors[maybe], probes), linkage)
        near = (Near(*self._looks[number], link=link) for number, link in links)
        close = (one for one in near if one.link >= linkage.threshold)
        return sorted(close, key=lambda one: (-one.link, one.group_id, one.look))

    def _grow(self, dim: int) -> None:
        room = max(64, 2 * self._count)
        vectors, owners = np.empty((room, dim), np.float32), np.empty(room, np.int64)
        if self._count:
            vectors[: self._count], owners[: self._count] = self._vectors, self._owners
        self._vectors, self._owners = vectors, owners


def _links(owners: npt.NDArray[np.int64], found: Floats, linkage: Linkage) -> Iterator[tuple[int, float]]:
    """Each owner and its link; `found` is (N, P), a row a face."""
    order = np.argsort(owners, kind="stable")
    starts = np.flatnonzero(np.diff(owners[order], prepend=-1))
    for part in np.split(order, starts[1:]):
        if len(part):
            yield int(owners[part[0]]), linkage.link(found[part].ravel())
