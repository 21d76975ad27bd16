"""What the provider's word on somebody counts for here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workers.console.access.identities import Granted
from workers.console.access.roles import Role
from workers.console.oidc.options import OidcOptions
from workers.console.oidc.refused import NotAdmitted


def granted(claims: Mapping[str, Any], options: OidcOptions) -> Granted:
    """Role and cameras of whoever `claims` are about.

    Raises:
        NotAdmitted: they are not among those who come in.
    """
    _check_email(claims, options.email_domains)
    groups = groups_of(claims, options.groups_claim)
    cameras = [name for group, names in options.cameras.items() if group in groups for name in names]
    seen = tuple(dict.fromkeys(cameras)) if options.cameras else None
    return Granted(_role(groups, options), seen)


def _role(groups: frozenset[str], options: OidcOptions) -> Role | None:
    role = next((role for group, role in options.roles.items() if group in groups), options.default_role)
    if role is None and options.decides_roles:
        raise NotAdmitted(
            "You are known to the identity provider, but in no group that may use this console. Ask whoever "
            "administers it.",
            "in no group with a role",
            403,
        )
    return role


def groups_of(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """The groups that `claims` name: at `path` itself, else where its dots lead (``realm_access.roles``)."""
    found = _at(claims, path)
    listed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return frozenset(one for one in listed if isinstance(one, str))


def _at(claims: Mapping[str, Any], path: str) -> Any:
    if path in claims:
        return claims[path]
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def lacking(claims: Mapping[str, Any], options: OidcOptions) -> bool:
    """Whether the provider has to be asked for more: many put little into an ID token."""
    groups_count = bool(options.roles or options.cameras)
    return (
        (groups_count and _at(claims, options.groups_claim) is None)
        or (bool(options.email_domains) and "email" not in claims)
        or not name_of(claims)
    )


def _check_email(claims: Mapping[str, Any], domains: tuple[str, ...]) -> None:
    """An address that nobody verified is what somebody typed."""
    if not domains:
        return
    email = claims.get("email")
    domain = email.rpartition("@")[2].casefold() if isinstance(email, str) and "@" in email else ""
    if claims.get("email_verified") is True and domain in {one.casefold() for one in domains}:
        return
    raise NotAdmitted(
        "The identity provider vouches for no e-mail address of yours that may use this console. Ask whoever "
        "administers it.",
        "no verified e-mail address of a domain that comes in",
        403,
    )


def name_of(claims: Mapping[str, Any]) -> str:
    """By which somebody would be known here; empty if they are called nothing."""
    names = (claims.get(key) for key in ("preferred_username", "name", "email"))
    return next((name for name in names if isinstance(name, str) and name.strip()), "")
