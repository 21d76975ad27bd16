"""Makes the console of a program: its database, its networks, its ledger."""

from __future__ import annotations

from gallery.enroll import Enroller
from gallery.lists import WatchLists
from gallery.store import GalleryStore
from workers.build import Context
from workers.config import ConsoleSettings
from workers.console.access.origins import origins
from workers.console.access.record import Changes, LedgerRecord, record_in_log
from workers.console.access.sessions import SessionTimes
from workers.console.app import Console, make_console
from workers.console.options import ConsoleOptions, ConsoleParts
from workers.console.people.uploads import UploadLimits


def console_of(program: Context, host: str, port: int) -> Console:
    """The console over the data of `program`.

    Args:
        program: Settings, database and networks.
        host: Where it will listen.
        port: Likewise.

    Raises:
        ConfigError: a setting does not fit.
    """
    ledger = program.ledger() if program.settings.audit.ledger else None
    changes = Changes(ledger)
    database, now_ns = program.database(), program.clock.now_ns
    gallery = GalleryStore(database, now_ns=now_ns, on_change=changes.changed)
    parts = ConsoleParts(
        database=database,
        gallery=gallery,
        lists=WatchLists(database, now_ns=now_ns, on_change=changes.changed),
        make_enroller=lambda: Enroller(gallery, program.vision(), program.thresholds()),
        thresholds=program.thresholds,
        record=record_in_log if ledger is None else LedgerRecord(ledger),
        changes=changes,
        clock=program.clock,
    )
    return make_console(parts, options_of(program.settings.console, host, port))


def options_of(settings: ConsoleSettings, host: str, port: int) -> ConsoleOptions:
    """What the settings say."""
    return ConsoleOptions(
        origins=origins(host, port, settings.public_url),
        time_zone=settings.time_zone,
        trusted_proxy=settings.trusted_proxy,
        times=SessionTimes(settings.idle_minutes * 60.0, settings.session_hours * 3600.0),
        limits=UploadLimits(settings.upload_mib),
    )
