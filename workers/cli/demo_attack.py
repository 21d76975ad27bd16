"""The second part of `pinwatch demo`: the same scene under attack, watched without and with a purifier."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.align import align
from pipeline.errors import PinwatchError
from pipeline.models import ModelKind
from pipeline.types import ByteArray, FloatArray, Outcome, Sighting
from workers.build import Context, WatchRequest
from workers.cli.common import out, progress
from workers.cli.watch import run_watch, show
from workers.session import SessionResult
from workers.sheet import write_picture

if TYPE_CHECKING:
    from workers.demo.attack import AttackedFrame
    from workers.demo.strip import Panel

_CAUGHT = (Outcome.UNKNOWN, Outcome.SUSPECTED_ATTACK)
_AMPLIFIED = 16


@dataclass(frozen=True, slots=True)
class Views:
    """The same clip, watched three times.

    Attributes:
        plain: The attacked clip without purifier; `purified` the same with.
        lossy: The attacked clip after H.264, without purifier.
    """

    plain: SessionResult
    purified: SessionResult
    lossy: SessionResult


def show_attack(plain: Context, purified: Context, folder: Path, photo_bgr: ByteArray, name: str) -> None:
    """Attack the scene, watch it, and show what came of it.

    Args:
        plain: Without purifier, `name` enrolled; `purified` with one, likewise.
        folder: To write to.
        photo_bgr: The photograph of `name` that the attacker has, uint8 (H, W, 3).
        name: Who is enrolled.

    Raises:
        PinwatchError: the attack did not deceive the recogniser without purifier, or deceived the other.
    """
    from workers.demo.attack import template_of

    template = template_of(photo_bgr, plain.vision())
    specimen = _compose(plain, template, folder)
    views = Views(
        plain=_watch(plain, folder, "attacked.mkv", "attacked-without-pin"),
        purified=_watch(purified, folder, "attacked.mkv", "attacked-with-pin"),
        lossy=run_watch(
            plain, WatchRequest(sources=(str(folder / "attacked.mp4"),), run_id="demo-attacked-h264")
        ),
    )
    _draw(plain, purified, folder / "attack.png", specimen, template, photo_bgr, name, views)
    _tell(folder, name, views)
    _check(name, views)


def attacked_track(result: SessionResult) -> Sighting:
    """The track of who is attacked: the one that the clip begins with.

    Raises:
        PinwatchError: there is no track.
    """
    if not result.sightings:
        raise PinwatchError("nobody was seen in the attacked clip")
    return min(result.sightings, key=lambda sighting: (sighting.first_seen_s, sighting.track_id))


def _compose(context: Context, template: FloatArray, folder: Path) -> AttackedFrame:
    """Write the attacked clip, without loss and as H.264; the frame that shows the face best."""
    from pipeline.embed.load import load_network
    from workers.demo.attack import CLIP, attacked_frames
    from workers.demo.scene import HEIGHT_PX, WIDTH_PX
    from workers.video import FFV1, VideoFile

    network = load_network(context.catalogue().open(context.settings.embedder.name, ModelKind.EMBEDDER))
    best: AttackedFrame | None = None
    with ExitStack() as files:
        exact = files.enter_context(VideoFile(folder / "attacked.mkv", WIDTH_PX, HEIGHT_PX, FFV1))
        lossy = files.enter_context(VideoFile(folder / "attacked.mp4", WIDTH_PX, HEIGHT_PX))
        task = (bar := files.enter_context(progress())).add_task("attacking the footage", total=len(CLIP))
        for frame in attacked_frames(network, template, context.detector()):
            exact.write(frame.attacked_bgr, frame.pts_ns)
            lossy.write(frame.attacked_bgr, frame.pts_ns)
            best = frame if _eyes_px(frame) > _eyes_px(best) else best
            bar.advance(task)
    if best is None:
        raise PinwatchError("the detector found nobody to attack in the footage")
    return best


def _eyes_px(frame: AttackedFrame | None) -> float:
    """Distance between the eyes, pixels; 0 where the face is not seen or reaches out of the picture."""
    from pipeline.robustness.warp import FaceWarp

    if frame is None or frame.landmarks is None:
        return 0.0
    height, width = frame.clean_bgr.shape[:2]
    x0, _, x1, _ = FaceWarp.of(frame.landmarks, height, width).window
    inside = x0 > 0 and x1 < width
    return float(np.linalg.norm(frame.landmarks[1] - frame.landmarks[0])) if inside else 0.0


def _watch(context: Context, folder: Path, clip: str, stem: str) -> SessionResult:
    out.print(f"\n{clip}, purifier: {context.settings.purifier}", markup=False)
    request = WatchRequest(
        sources=(str(folder / clip),),
        sightings=folder / f"{stem}.jsonl",
        annotate=folder / f"{stem}.mp4",
        run_id=f"demo-{stem}",
    )
    result = run_watch(context, request)
    show(result)
    return result


def _draw(
    plain: Context,
    purified: Context,
    path: Path,
    frame: AttackedFrame,
    template: FloatArray,
    photo_bgr: ByteArray,
    name: str,
    views: Views,
) -> None:
    from gallery.vision import cut_faces
    from workers.demo.attack import EFFORT, PURIFIER, THREAT
    from workers.demo.strip import Panel, amplified, said, strip

    assert frame.landmarks is not None
    clean, attacked = (align(image, frame.landmarks) for image in (frame.clean_bgr, frame.attacked_bgr))
    similarity = float(plain.embedder().embed([clean])[0].vector @ template)
    match = plain.thresholds().match
    untouched = Outcome.UNKNOWN if similarity < match else Outcome.KNOWN
    enrolled = cut_faces(photo_bgr, plain.vision())[0].crop_rgb
    change = amplified(clean, attacked, _AMPLIFIED)
    budget = f"at most {EFFORT.eps_255} of 255 in each value"
    panels = [
        Panel(f"Enrolled: {name}", enrolled, None, "enrolled", ("nobody else is in the gallery",)),
        Panel(
            "Eileen Collins, unchanged", clean, untouched, said(untouched, name), _numbers(similarity, match)
        ),
        Panel("The change", change, None, f"shown {_AMPLIFIED} times as large", (budget,)),
        _panel("Attacked, no purifier", attacked, attacked_track(views.plain), name, "a false match"),
        _panel("Attacked, behind PIN", _purified(purified, attacked), attacked_track(views.purified), name),
    ]
    foot = (
        f"{THREAT.value}: the attacker knows the embedder and the alignment, not the purifier ({PURIFIER}). "
        "The crops are of one frame; the figures under attack are those of the whole track."
    )
    write_picture(path, strip(f"Eileen Collins, changed so that she passes for {name}", panels, foot))


def _panel(heading: str, crop_rgb: ByteArray, sighting: Sighting, name: str, remark: str = "") -> Panel:
    from workers.demo.strip import Panel, said

    lines = _numbers(sighting.similarity or 0.0, sighting.threshold)
    if remark:
        lines = (*lines, remark)
    if sighting.attack_evidence is not None:
        lines = (*lines, f"attack evidence {sighting.attack_evidence:.2f}")
    return Panel(heading, crop_rgb, sighting.outcome, said(sighting.outcome, name), lines)


def _numbers(similarity: float, threshold: float) -> tuple[str, ...]:
    return (f"similarity {similarity:.2f}, threshold {threshold:.2f}",)


def _purified(context: Context, crop_rgb: ByteArray) -> ByteArray:
    """What the embedder sees of a crop behind the purifier, rounded and clipped to be looked at."""
    import torch

    from pipeline.embed.embedder import as_network_input
    from pipeline.purify.load import load_purifier

    purifier = load_purifier(context.catalogue().open(context.settings.purifier, ModelKind.PURIFIER))
    with torch.inference_mode():
        seen = purifier(torch.from_numpy(as_network_input([crop_rgb])))[0]
    return np.asarray(seen.round().clamp(0, 255).permute(1, 2, 0).numpy(), np.uint8)


def _tell(folder: Path, name: str, views: Views) -> None:
    from workers.demo.attack import EFFORT, THREAT

    lossy = attacked_track(views.lossy)
    survives = "survives" if lossy.outcome is Outcome.KNOWN else "does not survive"
    out.print(
        f"""
The second clip was attacked: each value of Eileen Collins' face was changed by at most {EFFORT.eps_255} of
255, so that the embedder takes her for {name}. Look at
  {folder / "attack.png"}               the change, and what was said of her
  {folder / "attacked-without-pin.mp4"}  the wrong name; the sightings are in the .jsonl beside it
  {folder / "attacked-with-pin.mp4"}     the same clip behind PIN
  {folder / "attacked.mkv"}             the clip itself, stored without loss (FFV1)

The attacker (threat model {THREAT.value}) knows the embedder, the alignment and the portrait, and not that
there is a purifier. One who knows it and attacks through it is harder to stop: docs/robustness.md has
the figures. The attack {survives} H.264 (attacked.mp4, without purifier:
{_line(lossy)}); it was not made to.""",
        markup=False,
    )


def _line(sighting: Sighting) -> str:
    similarity = "" if sighting.similarity is None else f", similarity {sighting.similarity:.2f}"
    return f"{sighting.outcome.value}{similarity}, threshold {sighting.threshold:.2f}"


def _check(name: str, views: Views) -> None:
    fooled, caught = attacked_track(views.plain), attacked_track(views.purified)
    if fooled.outcome is not Outcome.KNOWN:
        raise PinwatchError(
            f"the attack should make the recogniser name {name}, and did not: {_line(fooled)}"
        )
    if caught.outcome not in _CAUGHT:
        raise PinwatchError(f"behind PIN the attacked face should not pass: {_line(caught)}")
    others = [sighting for sighting in views.purified.sightings if sighting is not caught]
    if not any(sighting.outcome is Outcome.KNOWN for sighting in others):
        raise PinwatchError(f"behind PIN {name} herself, who is not attacked, should still be named")
