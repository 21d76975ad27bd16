"""Makes the console of a program: its database, its networks, its ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from audit.recording.library import Recordings
from gallery.enroll import Enroller
from gallery.lists import WatchLists
from gallery.store import GalleryStore
from workers.alerts.announcing import to_viewers
from workers.alerts.outages import Outages
from workers.alerts.running import Alerting
from workers.build import Context
from workers.canary.lane import ShadowLane
from workers.canary.shadow import shadow_lane
from workers.config import ConsoleSettings, OidcSettings
from workers.console.access.origins import origins
from workers.console.access.record import Changes, LedgerRecord, record_in_log
from workers.console.access.roles import Role
from workers.console.access.sessions import SessionTimes
from workers.console.app import Console, make_console
from workers.console.embedded import EmbeddedPipeline, LiveRequest
from workers.console.gauge.parts import GaugeParts
from workers.console.gauge.setup import recording_deletions
from workers.console.health.live_status import LiveStatus
from workers.console.health.of_program import site_of
from workers.console.oidc.options import OidcOptions
from workers.console.options import ConsoleOptions, ConsoleParts
from workers.console.people.uploads import UploadLimits
from workers.console.web.times import TimeZone
from workers.live.hub import LiveHub


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
    hub = LiveHub(now_ns)
    status = LiveStatus(hub, program.clock)
    parts = ConsoleParts(
        database=database,
        gallery=gallery,
        lists=WatchLists(database, now_ns=now_ns, on_change=changes.changed),
        make_enroller=lambda: Enroller(gallery, program.vision(), program.thresholds()),
        thresholds=program.thresholds,
        record=record_in_log if ledger is None else LedgerRecord(ledger),
        changes=changes,
        clock=program.clock,
        hub=hub,
        site=site_of(program, status),
        **_kept(program),
    )
    options = options_of(program.settings.console, host, port)
    lane, parts = _gauge(program, parts)
    alerting = _alerting(program, options, hub)
    parts = replace(parts, alerts_changed=alerting.changed)
    made = make_console(parts, replace(options, blur_unknown=program.settings.privacy.blur_unknown))
    sinks = (*made.sinks, status, alerting.engine)
    return replace(made, beside=(*made.beside, lane, alerting), sinks=sinks, status=status)


def _alerting(program: Context, options: ConsoleOptions, hub: LiveHub) -> Alerting:
    """Raises alerts on what this process sees, and tells whoever watches, and others, of all there are."""
    return Alerting(
        program.database(),
        program.settings.alerts,
        program.clock,
        zone=TimeZone(options.time_zone).zone,
        public=options.origins.public,
        announce=to_viewers(hub.announce),
        reports=Outages(hub.cameras),
    )


def _gauge(program: Context, parts: ConsoleParts) -> tuple[ShadowLane, ConsoleParts]:
    """The robustness gauge's lane, and the parts with a way to ask it."""
    lane = shadow_lane(program, recording_deletions(parts.record), parts.hub.announce)
    return lane, replace(parts, gauge=GaugeParts(program.settings.canary, lane.ask))


def watching(program: Context, request: LiveRequest, made: Console) -> Console:
    """The console, with cameras that are watched beside it.

    Args:
        program: Settings, networks, cameras.
        request: What is watched.
        made: The console that shows it.

    Raises:
        UsageError, SourceError: a source is named that is none.
    """
    pipeline = EmbeddedPipeline(program, request, made.hub, made.sinks)
    if made.status is not None:
        made.status.follow(pipeline)
    return replace(made, beside=(*made.beside, pipeline))


def _kept(program: Context) -> dict[str, Any]:
    """What is kept of faces and footage, and what ends that. Without keys there are no crops to read."""
    ledger = program.ledger() if program.settings.audit.ledger else None
    has_keys = ledger is not None or program.ledger_folder().keys.exists()
    return {
        "ledger": ledger,
        "crops": program.crops() if has_keys else None,
        "recordings": Recordings(program.settings.data),
        "make_eraser": program.eraser,
    }


def options_of(settings: ConsoleSettings, host: str, port: int) -> ConsoleOptions:
    """What the settings say."""
    return ConsoleOptions(
        origins=origins(host, port, settings.public_url),
        time_zone=settings.time_zone,
        trusted_proxy=settings.trusted_proxy,
        times=SessionTimes(settings.idle_minutes * 60.0, settings.session_hours * 3600.0),
        limits=UploadLimits(settings.upload_mib),
        oidc=oidc_of(settings.oidc),
    )


def oidc_of(settings: OidcSettings) -> OidcOptions | None:
    """The identity provider of the settings; ``None``: there is none."""
    if settings.issuer is None:
        return None
    secret = settings.client_secret
    return OidcOptions(
        issuer=settings.issuer,
        client_id=settings.client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        scopes=settings.scopes,
        groups_claim=settings.groups_claim,
        roles={group: Role(role) for group, role in settings.roles.items()},
        cameras=settings.cameras,
        default_role=None if settings.default_role is None else Role(settings.default_role),
        email_domains=settings.email_domains,
        button=settings.button,
    )
