"""Puts together what the console shows of its installation: cameras, health, audit, privacy."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from workers.cameras import CameraStore
from workers.config import AuditSettings, PrivacySettings, RecordingSettings
from workers.console.access.groups import CameraGroups
from workers.console.auditing.accesses import AccessSearch
from workers.console.auditing.api import AuditApi
from workers.console.auditing.case_pages import CasePages
from workers.console.auditing.cases import Cases
from workers.console.auditing.pages import AuditPages
from workers.console.auditing.service import Auditing
from workers.console.auditing.verifying import Verifications
from workers.console.cameras.api import CamerasApi
from workers.console.cameras.pages import CameraPages
from workers.console.cameras.pictures import CameraPictures
from workers.console.cameras.service import ConsoleCameras
from workers.console.health.api import HealthApi
from workers.console.health.collectors import HealthCollector
from workers.console.health.metrics import MetricsRoute
from workers.console.health.pages import HealthPages
from workers.console.health.service import Health
from workers.console.health.site import Site
from workers.console.options import ConsoleParts
from workers.console.privacy.pages import PrivacyPages
from workers.console.privacy.retention import Retention
from workers.console.sightings.service import Sightings
from workers.console.web.pages import Pages


@dataclass(frozen=True, slots=True)
class SiteRouters:
    """Pages and API; of the API the last must come last: any word there names a camera."""

    pages: list[APIRouter]
    api: list[APIRouter]


def site_routers(parts: ConsoleParts, groups: CameraGroups, pages: Pages) -> SiteRouters:
    """Everything about the installation."""
    metrics, store = MetricsRoute(parts.registry).router(), CameraStore(parts.database)
    if parts.site is None:
        pages.offer(retention=Retention(PrivacySettings(), AuditSettings(), RecordingSettings(), store.list))
        return SiteRouters([metrics], [])
    site, clock = parts.site, parts.clock
    retention = Retention(site.privacy, site.audit, site.recording, store.list)
    pages.offer(retention=retention)
    verifications = Verifications(site.data, site.evidence.folder, clock.now_ns)
    health = Health(
        site,
        parts.database,
        parts.gallery,
        cameras=store,
        retention=retention,
        verifications=verifications,
        clock=clock,
    )
    HealthCollector.register(parts.registry, health, site.pipeline)
    pictures = CameraPictures(site.probe, clock)
    cameras = ConsoleCameras(store, pictures, site.pipeline, parts.record, clock.now_ns)
    auditing = _auditing(parts, site, health, verifications)
    sightings = Sightings(parts.database, parts.gallery, groups, parts.record)
    return SiteRouters(
        [
            metrics,
            HealthPages(health, pages).router(),
            CameraPages(cameras, pages).router(),
            AuditPages(auditing, sightings, groups, pages).router(),
            CasePages(auditing, sightings, pages).router(),
            PrivacyPages(retention, groups, pages).router(),
        ],
        [
            HealthApi(health, pages.zone).router(),
            AuditApi(auditing).router(),
            CamerasApi(cameras).router(),
        ],
    )


def _auditing(parts: ConsoleParts, site: Site, health: Health, verifications: Verifications) -> Auditing:
    return Auditing(
        site.evidence,
        parts.database,
        parts.gallery,
        progress=health.ledger,
        accesses=AccessSearch(site.evidence.folder, parts.clock),
        verifications=verifications,
        cases=Cases(site.data, site.evidence, parts.gallery.names, parts.clock),
        record=parts.record,
    )
