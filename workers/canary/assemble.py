"""Puts the gauge together from the program's settings, models and database."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from pipeline.embed.load import load_network
from pipeline.models import ModelKind
from pipeline.purify.load import load_purifier
from pipeline.types import Thresholds
from workers.canary.attackers import AttackPlan
from workers.canary.session import Against, Networks, Session
from workers.config import NO_PURIFIER

if TYPE_CHECKING:
    from workers.build import Context


def session_of(program: Context, began_s: float) -> Session:
    """A measurement of the program as it is set up now.

    Raises:
        PinwatchError: models are missing, or there are no thresholds for them.
    """
    bare = _bare_thresholds(program)
    networks = _networks(program, wants_bare=bare is not None)
    store = program.store()
    real = store.snapshot(networks.plain.key)
    against = Against(real, program.thresholds(real.epoch), bare)
    wanted = program.settings.canary
    plan = AttackPlan(wanted.eps_255, wanted.adaptive_eps_255, wanted.steps)
    return Session(networks, against, plan, program.clock, began_s)


def _networks(program: Context, wants_bare: bool) -> Networks:
    catalogue, settings = program.catalogue(), program.settings
    device = torch.device(program.device())
    network = load_network(catalogue.open(settings.embedder.name, ModelKind.EMBEDDER)).to(device)
    purifier = load_purifier(catalogue.open(settings.purifier, ModelKind.PURIFIER)).to(device)
    plain = program.embedder()
    purified = plain.key.purifier_id != NO_PURIFIER
    return Networks(
        live=program.with_evidence(plain),
        plain=plain,
        network=network,
        purifier=purifier if purified else None,
        bare=program.bare_embedder() if purified and wants_bare else None,
        device=device,
    )


def _bare_thresholds(program: Context) -> Thresholds | None:
    """What the embedder's card says without a purifier; ``None`` where it says nothing."""
    catalogue = program.catalogue()
    card = catalogue.card(program.settings.embedder.name, ModelKind.EMBEDDER)
    found = card.thresholds_for(catalogue.card(NO_PURIFIER, ModelKind.PURIFIER))
    if found is None:
        return None
    return replace(Thresholds(found.match, found.margin), votes=program.settings.decision.votes)
