"""Searching galleries of ten thousand to a million templates, exactly and by codes first.

    python -m bench.gallery [--templates N ...] [--dim D ...] [--probes N]

For every size, on one core: seconds to build the index, MiB that it takes beside the templates, the
time of a search when all templates are compared (median) and as the program searches (median and p99),
recall@1 against numpy for probes of somebody enrolled and for strangers, and how long it takes to enroll
one person more (the slowest of five) and to remove one (the median), between two searches.

Templates are synthetic: normally distributed with standard deviations that fall by e^(-i / (.49 D)), as
those of face-reidentification-retail-0095 and mobilefacenet do on LFW (participation ratio .4 of D). A
probe of somebody enrolled has a similarity to them drawn uniformly from .35 to .85; strangers are drawn like
templates.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import in_one_line
from bench.memory import resident_mib
from bench.pipeline import timed
from gallery.index import EXACT_VALUES, FaissIndex
from gallery.records import Delta, Snapshot
from pipeline.types import Embedding, FloatArray, TemplateKey

TEMPLATES = (10_000, 100_000, 1_000_000)
DIMS = (256, 512)
SIMILARITIES = (0.35, 0.85)
_FALL = 0.49
_KEY = TemplateKey("synthetic@00000000", "none")
_BLOCK = 50_000
_EVERYTHING = 1 << 62
_EXACT_SEARCHES = 25


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """Whom to search for, float32 (N, D), and row of the nearest template by numpy, int64 (N,)."""

    vectors: FloatArray
    nearest: np.ndarray


def templates(count: int, dim: int, random: np.random.Generator) -> FloatArray:
    """float32 (N, D), unit norm; a block at a time, to need no more memory than they do."""
    deviations = np.exp(-np.arange(dim) / (_FALL * dim)).astype(np.float32)
    found = np.empty((count, dim), np.float32)
    for start in range(0, count, _BLOCK):
        part = random.standard_normal((min(_BLOCK, count - start), dim), np.float32) * deviations
        found[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return found


def probes_of_enrolled(gallery: FloatArray, count: int, random: np.random.Generator) -> FloatArray:
    """float32 (N, D): somebody as similar to one of the templates as :data:`SIMILARITIES` say."""
    chosen = gallery[random.choice(len(gallery), count, replace=False)]
    other = templates(count, gallery.shape[1], random)
    other -= (other * chosen).sum(axis=1, keepdims=True) * chosen
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    similarity = random.uniform(*SIMILARITIES, (count, 1)).astype(np.float32)
    return np.asarray(similarity * chosen + np.sqrt(1 - similarity**2) * other, np.float32)


def with_nearest(vectors: FloatArray, gallery: FloatArray) -> Probes:
    """What numpy says is nearest."""
    best, nearest = np.full(len(vectors), -2.0, np.float32), np.zeros(len(vectors), np.int64)
    for start in range(0, len(gallery), _BLOCK):
        similarities = vectors @ gallery[start : start + _BLOCK].T
        rows = similarities.argmax(axis=1)
        found = similarities[np.arange(len(vectors)), rows]
        nearest = np.where(found > best, rows + start, nearest)
        best = np.maximum(found, best)
    return Probes(vectors, nearest)


def recall(index: FaissIndex, probes: Probes) -> float:
    """Share of probes whose first subject is the one that numpy finds."""
    right = 0
    for vector, row in zip(probes.vectors, probes.nearest, strict=True):
        (match,) = index.search(Embedding(vector, _KEY), 1)
        right += match.subject_id == _subject(int(row))
    return right / len(probes.vectors)


def searches_ms(index: FaissIndex, vectors: FloatArray) -> list[float]:
    """Milliseconds of each."""
    index.search(Embedding(vectors[0], _KEY), 2)
    return [timed(lambda v=vector: index.search(Embedding(v, _KEY), 2)) * 1e3 for vector in vectors]  # type: ignore[misc]


def _subject(row: int) -> str:
    return f"{row:08x}"


def changes_ms(index: FaissIndex, vectors: FloatArray) -> tuple[float, float]:
    """To enroll one person more, the slowest of a few, and to remove one, the median; a search after each."""
    enrolling, removing = [], []
    none = np.empty(0, np.int64)
    nobody = np.empty((0, vectors.shape[1]), np.float32)
    for number, vector in enumerate(vectors[:5]):
        epoch, template = index.gallery_epoch, 1 << 40 | number
        added = Delta(_KEY, epoch, epoch + 1, np.array([template]), ("new",), vector[None], none)
        enrolling.append(timed(lambda change=added: index.apply(change)) * 1e3)  # type: ignore[misc]
        (match,) = index.search(Embedding(vector, _KEY), 1)
        if match.subject_id != "new":
            raise RuntimeError("who was just enrolled is not found")
        removed = Delta(_KEY, epoch + 1, epoch + 2, none, (), nobody, np.array([template]))
        removing.append(timed(lambda change=removed: index.apply(change)) * 1e3)  # type: ignore[misc]
    return max(enrolling), statistics.median(removing)


def measure(count: int, dim: int, probes: int) -> str:
    """A line of figures."""
    random = np.random.default_rng((count, dim))
    vectors = templates(count, dim, random)
    snapshot = Snapshot(_KEY, 1, np.arange(count), tuple(map(_subject, range(count))), vectors)
    enrolled = with_nearest(probes_of_enrolled(vectors, probes, random), vectors)
    strangers = with_nearest(templates(probes, dim, random), vectors)
    before = resident_mib()
    begun = time.perf_counter()
    index = FaissIndex(snapshot)
    built_s = time.perf_counter() - begun
    beside = resident_mib() - before - vectors.nbytes / 2**20
    spent = searches_ms(index, np.concatenate([enrolled.vectors, strangers.vectors]))
    found, found_strangers = recall(index, enrolled), recall(index, strangers)
    enroll_ms, remove_ms = changes_ms(index, strangers.vectors)
    del index
    exact = np.median(searches_ms(FaissIndex(snapshot, _EVERYTHING), enrolled.vectors[:_EXACT_SEARCHES]))
    how = "codes first" if count * dim > EXACT_VALUES else "all compared"
    return (
        f"{count:9,}  {dim:4d}  {how:12s}  {built_s:7.1f}  {beside:9.0f}  {exact:8.2f}  "
        f"{np.median(spent):8.2f}  {np.percentile(spent, 99):8.2f}  {found:8.4f}  {found_strangers:8.4f}  "
        f"{enroll_ms:9.2f}  {remove_ms:9.1f}"
    )


@in_one_line
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--templates", type=int, nargs="*", default=TEMPLATES)
    parser.add_argument("--dim", type=int, nargs="*", default=DIMS)
    parser.add_argument("--probes", type=int, default=1000)
    options = parser.parse_args()
    import faiss

    faiss.omp_set_num_threads(1)
    print(
        f"{os.cpu_count()} processors, one used; FAISS {faiss.__version__} "
        f"({faiss.get_compile_options().strip()})"
    )
    print(
        "templates   dim  search        build s  MiB more  exact ms  found ms    p99 ms  recall@1  stranger  "
        "enroll ms  remove ms"
    )
    sizes: Sequence[tuple[int, int]] = [(count, dim) for count in options.templates for dim in options.dim]
    for count, dim in sizes:
        print(measure(count, dim, options.probes), flush=True)


if __name__ == "__main__":
    main()
