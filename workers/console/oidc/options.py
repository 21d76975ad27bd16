"""Which identity provider, and what its word counts for here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.errors import ConfigError
from workers.console.access.roles import Role
from workers.console.oidc.addresses import check_address


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """How users come in through an identity provider.

    Attributes:
        issuer: Its address, exactly as it names itself.
        client_id: What it calls this console.
        client_secret: Shared with it; ``None``: it knows us by nothing but the address we are at.
        scopes: What is asked for; ``openid`` is among them.
        groups_claim: Where the groups of a user are: a claim, or a path of claims with dots between.
        roles: Role by group; the first that a user is in counts. Empty: administrators decide here.
        cameras: Groups of cameras by group; empty likewise.
        default_role: Of whoever is in none of the groups of `roles`; ``None``: they do not come in.
        email_domains: Only who has a verified address in one of them comes in; empty: all.
        button: On the login page.
        skew_s: By how much its clock may be off.
        timeout_s: How long it may take to answer.

    Raises:
        ConfigError: what is set does not fit together.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)
    cameras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_role: Role | None = None
    email_domains: tuple[str, ...] = ()
    button: str = "Log in with your organisation"
    skew_s: int = 60
    timeout_s: float = 5.0

    def __post_init__(self) -> None:
        try:
            check_address(self.issuer, self.issuer)
        except ValueError as error:
            raise ConfigError(f"console.oidc.issuer: {error}") from None
        if not self.client_id:
            raise ConfigError("console.oidc.client_id: the provider must know the console by some name")
        if "openid" not in self.scopes:
            raise ConfigError("console.oidc.scopes: `openid` must be among them")
        if self.default_role is not None and not self.email_domains:
            raise ConfigError(
                "console.oidc.default_role: without console.oidc.email_domains everybody whom the provider "
                "knows would come in"
            )

    @property
    def decides_roles(self) -> bool:
        """Whether roles follow the provider."""
        return bool(self.roles) or self.default_role is not None
