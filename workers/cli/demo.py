"""`pinwatch demo`: the whole way through on footage that needs no camera and no download."""

from __future__ import annotations

import itertools
import shutil
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from pipeline.errors import PinwatchError, StorageError, UsageError
from pipeline.types import ByteArray, Outcome, Sighting
from workers.build import Context, WatchRequest
from workers.cli.common import context, err, out, progress
from workers.cli.demo_attack import show_attack
from workers.cli.watch import run_watch, show
from workers.config import NO_PURIFIER
from workers.crops import crop_path
from workers.session import SessionResult
from workers.sheet import SheetEntry, contact_sheet, write_picture
from workers.sighting import key_of

NAME = "Grace Hopper"
RUN_ID = "demo"


def demo(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder to write to; made if need be.", metavar="DIR")
    ] = Path("demo"),
) -> None:
    """Compose a video of two people, enroll one of them, watch it, attack it, and show what was found.

    Nothing is downloaded: the people are Grace Hopper and Eileen Collins, from public-domain portraits
    that matplotlib and scikit-image ship. Only Grace Hopper is enrolled. A second clip carries an attack
    that makes Eileen Collins pass for her; it is watched without and with PIN. The galleries of the demo
    are in `DIR/demo-data*` and made anew each time; your own is not touched.

    Example: `pinwatch demo --out demo`
    """
    try:
        from workers.demo.attack import PURIFIER
        from workers.demo.portraits import grace_hopper_bgr
    except ImportError as error:
        raise UsageError(f"the demo needs {error.name}: pip install 'pinwatch[cpu]'") from error
    outer = context(ctx)
    with ExitStack() as contexts:
        inner, plain, purified = (
            contexts.enter_context(closing(_context_for(outer, folder / name, purifier)))
            for name, purifier in (
                ("demo-data", outer.settings.purifier),
                ("demo-data-without-pin", NO_PURIFIER),
                ("demo-data-with-pin", PURIFIER),
            )
        )
        for each in (inner, plain, purified):
            each.enroller()  # a missing model shows before the footage is made
        _run(inner, folder)
        for each in (plain, purified):
            _enroll(each)
        show_attack(plain, purified, folder, grace_hopper_bgr(), NAME)


def _context_for(outer: Context, data: Path, purifier: str) -> Context:
    """A context with the models of `outer`, and an empty gallery of its own behind `purifier`."""
    settings = outer.settings
    try:
        if data.exists():
            shutil.rmtree(data)
    except OSError as error:
        raise StorageError(f"cannot empty {data}: {error}") from error
    inner = Context()
    inner.override(
        config=outer.config_file,
        data=data,
        models=settings.models or settings.data / "models",
        detector=settings.detector.name,
        embedder=settings.embedder.name,
        purifier=purifier,
    )
    return inner


def _run(inner: Context, folder: Path) -> None:
    footage = folder / "footage.mp4"
    _compose(footage)
    _enroll(inner)
    crops = folder / "crops"
    for old in crops.glob(f"{footage.stem}-*.png"):
        old.unlink()
    request = WatchRequest(
        sources=(str(footage),),
        sightings=folder / "sightings.jsonl",
        annotate=folder / "annotated.mp4",
        crops=crops,
        run_id=RUN_ID,
    )
    result = run_watch(inner, request)
    show(result)
    write_picture(folder / "contact-sheet.png", contact_sheet(_entries(result, crops)))
    _tell(folder)
    _check(result)


def _compose(path: Path) -> None:
    from workers.demo import footage

    with progress() as bar:
        task = bar.add_task("composing the footage", total=footage.FRAMES)
        for done in footage.compose(path):
            bar.update(task, completed=done)


def _enroll(inner: Context) -> None:
    from gallery.enroll import Status
    from workers.demo.portraits import grace_hopper_path

    (enrollment,) = inner.enroller().enroll(NAME, [grace_hopper_path()])
    if enrollment.status is not Status.ENROLLED:
        raise PinwatchError(f"the portrait of {NAME} was not enrolled: {enrollment.detail}")
    err.print(f"enrolled {NAME} from one photograph; nobody else is in the gallery", markup=False)


def _entries(result: SessionResult, crops: Path) -> list[SheetEntry]:
    """A cell for every track of which there is a crop."""
    found = ((sighting, _best_crop(sighting, crops)) for sighting in result.sightings)
    return [
        SheetEntry(crop, _title(sighting, result), _subtitle(sighting), sighting.outcome)
        for sighting, crop in found
        if crop is not None
    ]


def _title(sighting: Sighting, result: SessionResult) -> str:
    name = result.names.get(sighting.candidate_id or "", "")
    return name if sighting.outcome is Outcome.KNOWN else f"track {sighting.track_id}"


def _subtitle(sighting: Sighting) -> str:
    similarity = "" if sighting.similarity is None else f", similarity {sighting.similarity:.2f}"
    return f"{sighting.first_seen_s:.1f} to {sighting.last_seen_s:.1f} s{similarity}"


def _best_crop(sighting: Sighting, crops: Path) -> ByteArray | None:
    """The crop of a track that shows most, RGB."""
    key = key_of(sighting)
    paths = (crop_path(crops, key, sequence) for sequence in itertools.count())
    images = [cv2.imread(str(path)) for path in itertools.takewhile(Path.exists, paths)]
    read = [np.asarray(image[:, :, ::-1], np.uint8) for image in images if image is not None]
    return max(read, key=_detail, default=None)


def _detail(crop_rgb: ByteArray) -> float:
    """Variance of the Laplacian inside the frame; what lies outside of it is black, and counts against."""
    inside = cv2.erode((crop_rgb.max(axis=2) > 0).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    luma = cv2.cvtColor(crop_rgb, cv2.COLOR_RGB2GRAY)
    detail = cv2.Laplacian(luma, cv2.CV_32F)[inside]
    return float(detail.var() * inside.mean() ** 4) if detail.size else 0.0


def _tell(folder: Path) -> None:
    out.print(
        f"""
Look at
  {folder / "annotated.mp4"}      the video with everybody named or marked
  {folder / "contact-sheet.png"}  the best crop of every track
  {folder / "sightings.jsonl"}    one line a track, for scripts
  {folder / "footage.mp4"}        what was watched

The footage is composed from the very portrait that was enrolled, moved, scaled, blurred, dimmed and
with noise: it shows how the parts work together, not how well people are told apart. `make bench`
measures that.""",
        markup=False,
    )


def _check(result: SessionResult) -> None:
    named = {result.names.get(s.subject_id or "") for s in result.sightings if s.outcome is Outcome.KNOWN}
    if named != {NAME} or not result.counts.get(Outcome.UNKNOWN):
        raise PinwatchError(
            f"the demo should name {NAME} and call the other person unknown: see the table above"
        )
