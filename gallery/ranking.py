"""What the two indexes share: from similarities of templates to a ranking of subjects."""

from __future__ import annotations

from collections.abc import Iterable

from gallery.records import Delta
from pipeline.errors import TemplateKeyMismatch
from pipeline.types import Embedding, Match, TemplateKey


def rank_subjects(pairs: Iterable[tuple[str, float]]) -> list[Match]:
    """Each subject once, by its best template; most similar first, ties by subject id.

    Args:
        pairs: Subject id and similarity of each template, in any order.
    """
    best: dict[str, float] = {}
    for subject_id, computed in pairs:
        similarity = min(1.0, max(-1.0, computed))  # rounding can carry unit vectors a last bit past 1
        if similarity > best.get(subject_id, -2.0):
            best[subject_id] = similarity
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return [Match(subject_id, similarity) for subject_id, similarity in ranked]


def check_probe(probe: Embedding, key: TemplateKey) -> None:
    """Raise ``TemplateKeyMismatch`` unless the probe can be compared with templates of `key`."""
    if probe.key != key:
        raise TemplateKeyMismatch(
            f"the probe was made by {probe.key} and the gallery's templates by {key}: use one embedder and "
            "purifier for both, or make the templates again with `pinwatch gallery reembed`"
        )


def check_delta(delta: Delta, key: TemplateKey, epoch: int) -> None:
    """Raise ``ValueError`` unless the delta continues an index of `key` at `epoch`."""
    if delta.key != key:
        raise ValueError(f"a change of {delta.key} cannot be applied to an index of {key}")
    if delta.since != epoch:
        raise ValueError(f"a change since epoch {delta.since} cannot be applied to an index at epoch {epoch}")
