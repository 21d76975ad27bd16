"""Puts a session of `watch` together from a context: sources, readers, steps, sinks, files."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Container, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.errors import SourceUnreadable, UsageError
from pipeline.seams import FrameSource
from pipeline.sources.select import CameraSpec, RecordedSpec, SourceSpec, camera_id_of, parse_source
from workers.bus.base import Topic
from workers.channel import Channel, ChannelReport
from workers.crops import CropStep
from workers.loop import Step
from workers.names import CachedNames, Names
from workers.overlay import FootageOverlay, LiveOverlay
from workers.session import Hooks, Session, Summary
from workers.sinks import Board, JsonlSink
from workers.steps import EmbedStep, MatchStep, RecordStep, SightingSink, Witness, nobody_watches
from workers.trail import KeepingEmbedStep, Trail
from workers.watch import Watch

if TYPE_CHECKING:
    from workers.build import Context, WatchRequest
    from workers.cameras import Camera


@dataclass(frozen=True, slots=True)
class _Opened:
    """One source that the user named, open."""

    spec: SourceSpec
    source: FrameSource
    camera: Camera | None


def assemble(context: Context, request: WatchRequest, run_id: str, hooks: Hooks) -> Session:
    """Open everything that `request` names; nothing runs yet.

    Raises:
        PinwatchError: a source, a model or the gallery cannot be opened, or a file not written.
    """
    with ExitStack() as opening:
        embedder = context.with_evidence(context.embedder())
        opened, failed = _open_sources(context, request, opening)
        follow = any(item.source.live for item in opened)
        replica = context.replica(follow)
        summary, board = Summary(), Board()
        names = CachedNames(context.store().names, context.clock)
        trail = context.trail(run_id)
        # The ledger first: what anybody hears of is in it.
        sinks: list[SightingSink] = [
            *([trail.sink] if trail else []),
            context.sightings(),
            summary,
            board,
        ]
        if request.sightings:
            sinks.append(opening.enter_context(JsonlSink(request.sightings, names)))
        embed = EmbedStep(embedder, context.settings.embedder.batch_size)
        steps: list[tuple[Step, Topic | None]] = [
            (keeping_crops(embed, context, trail, run_id, settled=False), Topic.EMBEDDINGS),
            (MatchStep(replica, run_id, embedder.key, witness=witness_of(trail)), Topic.SIGHTINGS),
            (RecordStep(sinks), None),
        ]
        if request.crops:
            steps.append((CropStep(request.crops), None))
        live, recorded = _overlays(context, request, opened, board, names)
        sinks += recorded
        taps = [hooks.on_frame, *(opening.enter_context(overlay).on_frame for overlay in live)]
        taps += [overlay.on_frame for overlay in recorded]
        channels = [
            Channel(item.source, context.reader(item.source, item.spec, item.camera)) for item in opened
        ]
        return Session(
            run_id,
            Watch(channels, steps, taps),
            expected={item.source.camera_id: item.source.frame_count for item in opened},
            summary=summary,
            names=names,
            failed=failed,
            drawings=recorded,
            on_drawn=hooks.on_drawn,
            on_reports=trail.note_reports if trail else lambda reports: None,
            resources=opening.pop_all(),
        )


def keeping_crops(
    embed: EmbedStep, context: Context, trail: Trail | None, run_id: str, *, settled: bool
) -> Step:
    """The step itself, or one that keeps the crops where the settings want them.

    Args:
        embed: The step.
        context: The settings.
        trail: What this process leaves behind, if anything.
        run_id: Of the decisions.
        settled: Each batch for good at once; else whoever writes the decisions, in this process, sees to it.
    """
    if trail is None or not context.settings.audit.crops:
        return embed
    return KeepingEmbedStep(embed, trail.crops.keep if settled else trail.crops.put, run_id)


def witness_of(trail: Trail | None) -> Witness:
    """Who is shown every decision."""
    return nobody_watches if trail is None else trail.book.witness


def _open_sources(
    context: Context, request: WatchRequest, opening: ExitStack
) -> tuple[list[_Opened], list[ChannelReport]]:
    """The sources that open, and a report on each that does not, if at least one does."""
    opened: list[_Opened] = []
    failed: list[ChannelReport] = []
    recording = opening.enter_context(context.recording()) if request.record else None
    for camera_id, spec in _named_sources(context, request):
        try:
            source = context.source(spec, request, camera_id, recording)
        except SourceUnreadable as error:
            failed.append(ChannelReport(camera_id, error=error))
            continue
        opening.callback(source.close)
        opened.append(_Opened(spec, source, saved_camera(context, spec)))
    if not opened and failed and failed[0].error:
        raise failed[0].error
    return opened, failed


def saved_camera(context: Context, spec: SourceSpec) -> Camera | None:
    """The camera of the database behind a source, live or recorded."""
    match spec:
        case CameraSpec(name):
            return context.cameras().get(name)
        case RecordedSpec(camera_id) if camera_id in context.cameras().names():
            return context.cameras().get(camera_id)
    return None


def _named_sources(context: Context, request: WatchRequest) -> list[tuple[str, SourceSpec]]:
    """Every source under a camera id of its own; all cameras of the database if none is named."""
    sources = request.sources
    if not sources:
        sources = tuple(camera.name for camera in context.cameras().list() if camera.enabled)
    if not sources:
        raise UsageError(
            "nothing to watch: name a video, a folder, an address or a camera, or add cameras with "
            "`pinwatch cameras add`"
        )
    return named_sources(sources, context.cameras().names())


def named_sources(sources: Sequence[str], saved: Sequence[str]) -> list[tuple[str, SourceSpec]]:
    """What the user named, each under a camera id of its own; two files of one name get a number.

    Args:
        sources: As they were typed.
        saved: Names of the cameras in the database.
    """
    named: dict[str, SourceSpec] = {}
    for text in sources:
        spec = parse_source(text, saved)
        named[_free_id(camera_id_of(spec), named)] = spec
    return list(named.items())


def _free_id(wanted: str, taken: Container[str]) -> str:
    """`wanted`, or with the first number behind it that makes it unlike those taken."""
    numbered = (f"{wanted}-{number}" for number in itertools.count(2))
    return next(name for name in itertools.chain([wanted], numbered) if name not in taken)


def _overlays(
    context: Context, request: WatchRequest, opened: Sequence[_Opened], board: Board, names: Names
) -> tuple[list[LiveOverlay], list[FootageOverlay]]:
    """One video; of several sources, one each with the camera's id in its name."""
    live: list[LiveOverlay] = []
    recorded: list[FootageOverlay] = []
    if request.annotate is None:
        return live, recorded
    again = replace(request, realtime=False)
    for item in opened:
        camera_id = item.source.camera_id
        path = request.annotate
        if len(opened) > 1:
            path = path.with_stem(f"{path.stem}-{camera_id}")
        if item.source.live:
            live.append(LiveOverlay(path, camera_id, board.latest, names))
        else:
            reopen = functools.partial(context.source, item.spec, again, camera_id)
            recorded.append(FootageOverlay(path, camera_id, reopen, names))
    return live, recorded
