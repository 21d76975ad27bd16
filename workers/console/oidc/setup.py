"""Puts the way in through the provider together."""

from __future__ import annotations

from pipeline.seams import Clock
from workers.console.access.attempts import Attempts
from workers.console.access.identities import Identities
from workers.console.access.login import Login
from workers.console.access.record import RecordAccess
from workers.console.oidc.flow import Flow
from workers.console.oidc.options import OidcOptions
from workers.console.oidc.pending import PendingLogins
from workers.console.oidc.provider import Provider
from workers.console.oidc.service import ProviderLogin


def provider_login(
    options: OidcOptions,
    *,
    public: str,
    login: Login,
    identities: Identities,
    pending: PendingLogins,
    attempts: Attempts,
    record: RecordAccess,
    clock: Clock,
) -> ProviderLogin:
    """The way in through the provider of `options`; nothing is asked of it yet.

    Args:
        options: Which provider.
        public: Address of the console.
        login: Makes sessions.
        identities: Who is whom.
        pending: Logins under way.
        attempts: Counted here.
        record: Told of every login.
        clock: Time.
    """
    provider = Provider(options, clock.monotonic_s)
    return ProviderLogin(
        options=options,
        provider=provider,
        flow=Flow(options, provider, public, clock.now_ns),
        pending=pending,
        identities=identities,
        login=login,
        attempts=attempts,
        record=record,
    )
