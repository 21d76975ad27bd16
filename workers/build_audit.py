"""Puts together what a process that decides leaves in the ledger, and what derives it again."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from audit.decisions import Journal
from audit.fingerprint import digest_of, numeric_fingerprint
from audit.ledger.entries import Kind
from audit.replay import Replay
from audit.search.faces import FaceStore
from audit.unknowns.grouper import Grouper
from audit.unknowns.linkage import Linkage
from pipeline.errors import PinwatchError
from pipeline.seams import FrameSource, GalleryIndex
from pipeline.types import TemplateKey
from workers.repeated import Repeated
from workers.trail import EvidenceBook, FaceKeeper, Trail

log = structlog.get_logger(__name__)

_DAY_S = 86_400.0
_FORGET_EVERY_S = 3600.0

if TYPE_CHECKING:
    from workers.build import Context
    from workers.footage_replay import FootageReplay
    from workers.reader import Reader


def trail(context: Context, run_id: str) -> Trail:
    """Of a run that begins now; the ledger is told so first.

    Raises:
        StorageError: the ledger cannot be written.
    """
    fingerprint = fingerprint_of(context)
    digest = digest_of(fingerprint)
    context.ledger().append(Kind.SESSION, _session(context, run_id, fingerprint, digest))
    made = Trail(
        context.ledger(),
        context.keys(),
        context.crops(),
        Journal(context.ledger(), context.keys(), digest, context.clock),
        EvidenceBook(),
        _face_keeper(context) if context.settings.audit.faces else None,
    )
    forget_regularly(context)
    return made


def forget_regularly(context: Context) -> None:
    """From now on and every hour, until the program ends, make unreadable what is over."""
    forgetting = Repeated(functools.partial(_forget_what_is_over, context), _FORGET_EVERY_S, "forget")
    forgetting.start()
    context.until_closed(forgetting.close)


def _face_keeper(context: Context) -> FaceKeeper:
    database, now_ns = context.database(), context.clock.now_ns

    def grouper() -> Grouper:
        return Grouper(database, context.template_key(), Linkage.of(context.thresholds()), now_ns=now_ns)

    return FaceKeeper(FaceStore(database, now_ns=now_ns), grouper)


def footage_replay(context: Context) -> FootageReplay:
    """Decides recorded footage again with the models and cameras of the settings."""
    from audit.recording.library import Recordings
    from audit.recording.replay import RecordedSource
    from pipeline.sources.select import RecordedSpec
    from workers.assemble import saved_camera
    from workers.footage_replay import FootageReplay

    embedder = context.with_evidence(context.embedder())

    def reader(source: FrameSource) -> Reader:
        spec = RecordedSpec(source.camera_id)
        return context.reader(source, spec, saved_camera(context, spec))

    return FootageReplay(
        context.keys(),
        context.crops(),
        embedder,
        _galleries(context, embedder.key),
        open_source=functools.partial(RecordedSource, Recordings(context.settings.data)),
        new_reader=reader,
    )


def _forget_what_is_over(context: Context) -> None:
    """What was erased from another data folder, and what was kept for long enough."""
    days = context.settings.audit.keep_unknown_days
    try:
        eraser = context.eraser()
        eraser.follow()
        if days:
            eraser.expire_unknown(days * _DAY_S)
    except PinwatchError as error:
        log.error("what is over was not made unreadable; trying again", error=str(error))


def replay(context: Context, anew: bool) -> Replay:
    """Derives recorded decisions again with the models of the settings.

    Args:
        context: Models, gallery, ledger.
        anew: Whatever models decided: the gallery is embedded again in memory for it.
    """
    from gallery.erase import erased_subjects

    embedder = context.with_evidence(context.embedder())
    return Replay(
        context.keys(),
        context.crops(),
        embedder,
        _galleries_anew(context) if anew else _galleries(context, embedder.key),
        fingerprint=digest_of(fingerprint_of(context)),
        erased=erased_subjects(context.database()),
        thresholds=context.thresholds if anew else None,
    )


def _galleries(context: Context, key: TemplateKey) -> Callable[[int], GalleryIndex]:
    """The gallery as of an epoch, each made once."""
    from gallery.index import FaissIndex

    return functools.cache(lambda epoch: FaissIndex(context.store().snapshot(key, epoch)))


def _galleries_anew(context: Context) -> Callable[[int], GalleryIndex]:
    """The same, embedded again with the models of the settings."""
    from gallery.anew import snapshot_anew
    from gallery.index import FaissIndex

    vision = context.vision()
    return functools.cache(lambda epoch: FaissIndex(snapshot_anew(context.store(), vision, epoch)))


def fingerprint_of(context: Context) -> Mapping[str, object]:
    """What the numbers of this process depend on."""
    settings = context.settings
    return numeric_fingerprint(
        {
            "device": context.device(),
            "detector": settings.detector.model_dump(mode="json"),
            "embedder": settings.embedder.model_dump(mode="json"),
        }
    )


def _session(context: Context, run_id: str, fingerprint: Mapping[str, object], digest: str) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "program": importlib.metadata.version("pinwatch"),
        "activity": context.activity,
        "settings": context.settings.model_dump(mode="json"),  # secrets are masked
        "models": context.model_ids(),
        "gallery_epoch": context.store().epoch(),
        "fingerprint": dict(fingerprint),
        "fingerprint_digest": digest,
    }
