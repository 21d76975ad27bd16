"""What a model card says. Standard library only, so that the fitting code can write cards anywhere."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

_HEX = re.compile(r"[0-9a-f]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256_DIGITS = 64
_PREFIX_DIGITS_MIN = 8

# For whoever validates cards with pydantic; this file itself does without it.
_STRICT: Mapping[str, Any] = {"extra": "forbid", "strict": True}

Scalar = bool | int | float | str
OptionValue = Scalar | tuple[Scalar, ...]


class ModelKind(enum.StrEnum):
    """What a model is for."""

    DETECTOR = "detector"
    EMBEDDER = "embedder"
    PURIFIER = "purifier"


def check_card_name(name: str) -> None:
    """Raise ``ValueError`` unless `name` can name a card, and with it a file."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"the name {name!r} must be letters, digits, dots, dashes and underscores, "
            "and begin with a letter or digit"
        )


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model.

    Attributes:
        name: File name, without a folder.
        sha256: 64 lower-case hexadecimal digits; with `sha256_is_prefix` the first 8 or more of them,
            where no more than that has been published (torch.hub puts such a prefix in file names).
        url: Where the file can be fetched, ``None`` where no public address is known.
        size_bytes: Its length, ``None`` where unknown.
        sha256_is_prefix: See `sha256`.
        package: Import name of an installed package in whose folder ``models`` the file may be.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = _STRICT

    name: str
    sha256: str
    url: str | None = None
    size_bytes: int | None = None
    sha256_is_prefix: bool = False
    package: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"file name {self.name!r} must be a plain name, without a folder")
        wanted = range(_PREFIX_DIGITS_MIN, _SHA256_DIGITS) if self.sha256_is_prefix else (_SHA256_DIGITS,)
        if not _HEX.fullmatch(self.sha256) or len(self.sha256) not in wanted:
            kind = "a prefix of 8 to 63" if self.sha256_is_prefix else "64"
            raise ValueError(f"sha256 of {self.name} must be {kind} lower-case hexadecimal digits")

    def matches(self, digest: str) -> bool:
        """Whether `digest` (64 hexadecimal digits) is the one on the card."""
        return digest.startswith(self.sha256) if self.sha256_is_prefix else digest == self.sha256


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What the network itself takes; the loader converts from our crops or frames to this.

    Attributes:
        width_px: ``None`` (as `height_px`) where any size will do.
        height_px: See `width_px`.
        colour_order: ``rgb`` or ``bgr``.
        mean: Subtracted per channel, in 0..255, in the network's colour order.
        std: Divided by per channel, in 0..255, in the network's colour order.
        template: Which five-point template faces are aligned to, ``None`` for detectors.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = _STRICT

    width_px: int | None
    height_px: int | None
    colour_order: str
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    template: str | None = None

    def __post_init__(self) -> None:
        if self.colour_order not in ("rgb", "bgr"):
            raise ValueError(f"colour_order must be rgb or bgr, not {self.colour_order!r}")
        if not all(self.std):
            raise ValueError("std must not contain zero")


@dataclass(frozen=True, slots=True)
class StrangerScore:
    """How alike strangers look to whoever is most alike among the people enrolled.

    Attributes:
        gallery: How many people are enrolled.
        fpir: Share of strangers (false positive identification rate) ...
        similarity: ... whose best candidate is at least so similar.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = _STRICT

    gallery: int
    fpir: float
    similarity: float

    def __post_init__(self) -> None:
        if self.gallery < 1:
            raise ValueError(f"gallery must be positive, got {self.gallery}")
        if not 0.0 < self.fpir < 1.0:
            raise ValueError(f"fpir must be between 0 and 1, got {self.fpir}")


@dataclass(frozen=True, slots=True)
class CardThresholds:
    """At which similarity an embedder names somebody, when it suspects an attack, and on what that rests.

    Attributes:
        purifier: What it was measured behind: the name of a purifier's card, or an architecture, for all
            purifiers of that kind (``none``, ``pin_topk``).
        match: Cosine similarity from which a candidate may be named.
        margin: ... if it leads the next subject by this much.
        fmr: False match rate (1:1, different people) at `match` on `data`.
        fnmr: False non-match rate (1:1, same person) at `match` on `data`.
        impostor_pairs: How many pairs of different people `fmr` rests on.
        data: The photographs, in words.
        evidence: Attack evidence above it is a suspected attack, 0..2; ``None`` where it was not
            calibrated, as are the two that follow.
        evidence_far: False alarm rate at `evidence`: the share of unattacked tracks above it.
        evidence_negatives: How many unattacked tracks `evidence_far` rests on.
        strangers: What strangers score against galleries of growing size; empty where it was not measured.
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = _STRICT

    purifier: str
    match: float
    margin: float
    fmr: float
    fnmr: float
    impostor_pairs: int
    data: str
    evidence: float | None = None
    evidence_far: float | None = None
    evidence_negatives: int | None = None
    strangers: tuple[StrangerScore, ...] = ()

    def __post_init__(self) -> None:
        self._check_evidence()
        if not -1.0 <= self.match <= 1.0:
            raise ValueError(f"match must be a cosine similarity, got {self.match}")
        if self.margin < 0.0:
            raise ValueError(f"margin must not be negative, got {self.margin}")

    def for_gallery(self, subjects: int) -> StrangerScore | None:
        """The entry of the smallest gallery of at least so many people, else of the largest one, if any."""
        ordered = sorted(self.strangers, key=lambda entry: entry.gallery)
        large_enough = [entry for entry in ordered if entry.gallery >= subjects]
        return next(iter(large_enough or ordered[-1:]), None)

    def _check_evidence(self) -> None:
        if self.evidence is None and self.evidence_far is None and self.evidence_negatives is None:
            return
        if self.evidence is None or self.evidence_far is None or self.evidence_negatives is None:
            raise ValueError("evidence, evidence_far and evidence_negatives must be given together")
        if not 0.0 <= self.evidence <= 2.0:
            raise ValueError(f"evidence must be 1 - cosine, 0..2, got {self.evidence}")
        if not 0.0 < self.evidence_far < 1.0:
            raise ValueError(f"evidence_far must be between 0 and 1, got {self.evidence_far}")
        if self.evidence_negatives < 1:
            raise ValueError(f"evidence_negatives must be positive, got {self.evidence_negatives}")


@dataclass(frozen=True, slots=True)
class ModelCard:
    """All that must be known of a model to get it, check it, load it and use it.

    Attributes:
        name: What the user types; unique among the cards of its kind.
        kind: What it is for.
        architecture: Which loader understands the files.
        licence: SPDX name where there is one, and what else limits its use.
        source: Who made it, as an address.
        description: One or two plain sentences.
        files: The first one's checksum is part of :attr:`model_id`. Empty for ``none``.
        input: What the network takes; ``None`` for purifiers, which take and give crops.
        dim: Length of an embedding; ``None`` for other kinds.
        thresholds: Embedders only, one entry for each purifier or kind of purifier.
        options: What else the loader needs (anchors, strides, score thresholds).
    """

    __pydantic_config__: ClassVar[Mapping[str, Any]] = _STRICT

    name: str
    kind: ModelKind
    architecture: str
    licence: str
    source: str
    description: str
    files: tuple[ModelFile, ...] = ()
    input: InputSpec | None = None
    dim: int | None = None
    thresholds: tuple[CardThresholds, ...] = ()
    options: Mapping[str, OptionValue | tuple[tuple[Scalar, ...], ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_card_name(self.name)
        if self.kind is ModelKind.EMBEDDER and (self.dim is None or self.input is None):
            raise ValueError("an embedder's card needs dim and input")
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("two files have the same name")

    @property
    def model_id(self) -> str:
        """Name and first 8 digits of the first file's checksum; the bare name where there is no file."""
        return f"{self.name}@{self.files[0].sha256[:8]}" if self.files else self.name

    def thresholds_for(self, purifier: ModelCard) -> CardThresholds | None:
        """The entry measured behind this purifier, else behind its kind; ``None`` where there is none."""
        by_purifier = {entry.purifier: entry for entry in self.thresholds}
        return by_purifier.get(purifier.name) or by_purifier.get(purifier.architecture)


def card_document(card: ModelCard) -> dict[str, Any]:
    """The card as plain dictionaries, in the form that :class:`~pipeline.models.Catalogue` reads."""
    return asdict(card)
