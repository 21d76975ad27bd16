"""Looks at the machine the way a colleague would who was called because nothing works."""

from __future__ import annotations

import enum
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PinwatchError

if TYPE_CHECKING:
    from workers.build import Context

FREE_BYTES_WARN = 2 * 1024**3


class State(enum.StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    NOTE = "note"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; a fault's text says the way out."""

    state: State
    what: str
    text: str


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _python(_: Context) -> Iterator[Finding]:
    state = State.OK if sys.version_info >= (3, 11) else State.FAULT
    yield Finding(state, "Python", f"{platform.python_version()} on {platform.platform()}")


def _packages(_: Context) -> Iterator[Finding]:
    for package in ("torch", "opencv-python", "av", "openvino", "trackers", "sqlalchemy"):
        version = _version(package)
        if version:
            yield Finding(State.OK, package, version)
        elif package == "openvino":
            yield Finding(State.NOTE, package, "not installed; networks run in torch: pinwatch[cpu] has it")
        else:
            yield Finding(State.FAULT, package, "not installed: pip install 'pinwatch[cpu]'")


def _faiss(_: Context) -> Iterator[Finding]:
    cpu, gpu = _version("faiss-cpu"), _version("faiss-gpu")
    if cpu and gpu:
        text = "faiss-cpu and faiss-gpu are both installed and overwrite each other: uninstall one"
        yield Finding(State.FAULT, "faiss", text)
    elif cpu or gpu:
        yield Finding(State.OK, "faiss", f"faiss-cpu {cpu}" if cpu else f"faiss-gpu {gpu}")
    else:
        yield Finding(State.FAULT, "faiss", "not installed: pip install 'pinwatch[cpu]' or 'pinwatch[gpu]'")


def _retinaface(_: Context) -> Iterator[Finding]:
    version = _version("retinaface-pytorch")
    if version:
        yield Finding(State.OK, "retinaface-pytorch", version)
    else:
        text = "not installed, needed by the retinaface detectors only: "
        text += (
            "pip install --no-deps retinaface-pytorch==0.0.7 (without --no-deps it replaces opencv-python)"
        )
        yield Finding(State.NOTE, "retinaface-pytorch", text)
    if _version("opencv-python-headless"):
        text = "installed over opencv-python, they overwrite each other: uninstall both, then opencv-python"
        yield Finding(State.FAULT, "opencv-python-headless", text)


def _devices(_: Context) -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        yield Finding(State.OK, "GPU", torch.cuda.get_device_name(0))
    else:
        yield Finding(State.OK, "GPU", "none: networks run on the CPU")
    yield Finding(
        State.OK, "CPU", f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    )


def _video(_: Context) -> Iterator[Finding]:
    import av

    wanted = {"h264": "r", "hevc": "r", "mjpeg": "r", "libx264": "w"}
    missing = [name for name, mode in wanted.items() if not _has_codec(name, mode)]
    if missing:
        yield Finding(
            State.FAULT, "video", f"this PyAV lacks {', '.join(missing)}: install the wheel from PyPI"
        )
    else:
        yield Finding(
            State.OK, "video", f"FFmpeg in PyAV {av.__version__} reads h264, hevc, mjpeg; writes h264"
        )


def _has_codec(name: str, mode: str) -> bool:
    import av

    try:
        av.Codec(name, "r" if mode == "r" else "w")
    except (av.codec.codec.UnknownCodecError, ValueError):
        return False
    return True


def _configuration(context: Context) -> Iterator[Finding]:
    settings = context.settings
    source = context.config_file or "built in, environment and command line"
    yield Finding(State.OK, "configuration", str(source))
    usage = shutil.disk_usage(_existing_parent(settings.data))
    state = State.OK if usage.free > FREE_BYTES_WARN else State.NOTE
    yield Finding(state, "data", f"{settings.data.resolve()} ({usage.free / 1024**3:.0f} GiB free)")


def _existing_parent(path: object) -> str:
    from pathlib import Path

    here = Path(str(path)).resolve()
    while not here.exists():
        here = here.parent
    return str(here)


def _models(context: Context) -> Iterator[Finding]:
    settings = context.settings
    for what, build in (("detector", context.detector), ("embedder", context.embedder)):
        try:
            model = build()
        except PinwatchError as error:
            yield Finding(State.FAULT, what, str(error))
        else:
            name = getattr(model, "detector_id", None) or str(getattr(model, "key", ""))
            yield Finding(State.OK, what, name)
    yield Finding(State.OK, "purifier", settings.purifier)
    yield from _licences(context)


def _licences(context: Context) -> Iterator[Finding]:
    chosen = [context.catalogue().named(name) for name in context.model_names()]
    limited = [card.name for card in chosen if card.licence.startswith("evaluation")]
    if limited:
        yield Finding(
            State.NOTE,
            "licence",
            f'{", ".join(limited)}: for evaluation only; README, "Models", says what to take for production',
        )


def _thresholds(context: Context) -> Iterator[Finding]:
    if not (context.settings.data / "pinwatch.db").exists():
        return  # looking must not make one
    in_force = context.thresholds()
    text = f"named from similarity {in_force.match:.3f}, margin {in_force.margin:.3f} ({in_force.origin})"
    yield Finding(State.OK, "thresholds", text)
    card = context.card_thresholds()
    subjects = len(context.store().subjects())
    strangers = card.for_gallery(subjects) if card is not None else None
    if strangers is not None and in_force.match < strangers.similarity:
        yield Finding(
            State.NOTE,
            "strangers",
            f"with {strangers.gallery:,} people enrolled, {strangers.fpir:.0%} of strangers were at least "
            f"{strangers.similarity:.3f} similar to one of them; {subjects:,} are enrolled, and "
            f"{in_force.match:.3f} names: raise decision.match, or run `pinwatch gallery calibrate`",
        )


def _gallery(context: Context) -> Iterator[Finding]:
    if not (context.settings.data / "pinwatch.db").exists():
        yield Finding(State.NOTE, "gallery", "empty: enroll people with `pinwatch gallery enroll NAME PHOTO`")
        return
    store = context.store()
    yield Finding(State.OK, "gallery", f"{len(store.subjects())} subjects, epoch {store.epoch()}")


CHECKS: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _faiss,
    _retinaface,
    _devices,
    _video,
    _configuration,
    _models,
    _gallery,
    _thresholds,
)


def examine(context: Context) -> list[Finding]:
    """Everything looked at, in order; a check that fails is itself a finding."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings.extend(check(context))
        except PinwatchError as error:
            findings.append(Finding(State.FAULT, check.__name__.strip("_"), str(error)))
    return findings
