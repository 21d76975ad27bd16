"""What there is to be permitted, and to whom: the one table."""

from __future__ import annotations

import enum


class Permission(enum.StrEnum):
    """What a route can ask for."""

    ANYONE = "anyone"
    """Nobody needs to say who they are."""
    SIGNED_IN = "signed-in"
    OWN_ACCOUNT = "own-account"
    """One's own password and tokens: only in a session, never by a token."""
    READ_LIVE = "read:live"
    """Pictures of cameras as they come."""
    READ_SIGHTINGS = "read:sightings"
    READ_PEOPLE = "read:people"
    WRITE_PEOPLE = "write:people"
    ERASE_PEOPLE = "erase:people"
    """So that nothing of them can be read again."""
    READ_ALERTS = "read:alerts"
    WRITE_ALERTS = "write:alerts"
    """Acknowledge, assign, remark."""
    WRITE_RULES = "write:rules"
    """What raises an alert, and who is told elsewhere."""
    WRITE_VERDICTS = "write:verdicts"
    """Say whether a decision was right."""
    READ_FOOTAGE = "read:footage"
    READ_HEALTH = "read:health"
    READ_CAMERAS = "read:cameras"
    """How cameras are set up, without their passwords."""
    WRITE_CAMERAS = "write:cameras"
    READ_AUDIT = "read:audit"
    """The ledger: whether it holds, who looked at whom, and what is handed out."""
    ADMIN = "admin"
    """Users, their roles and their groups."""


class Role(enum.StrEnum):
    """What a user is."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


NOBODY = frozenset({Permission.ANYONE})
"""What whoever did not log in may do."""

_ALL_USERS = NOBODY | {Permission.SIGNED_IN, Permission.OWN_ACCOUNT}

PERMISSIONS = {
    Role.VIEWER: _ALL_USERS | {Permission.READ_LIVE, Permission.READ_SIGHTINGS, Permission.READ_ALERTS},
    Role.OPERATOR: _ALL_USERS
    | {
        Permission.READ_LIVE,
        Permission.READ_SIGHTINGS,
        Permission.READ_PEOPLE,
        Permission.WRITE_PEOPLE,
        Permission.READ_ALERTS,
        Permission.WRITE_ALERTS,
        Permission.WRITE_VERDICTS,
        Permission.READ_FOOTAGE,
        Permission.READ_HEALTH,
        Permission.READ_CAMERAS,
    },
    Role.AUDITOR: _ALL_USERS
    | {
        Permission.READ_SIGHTINGS,
        Permission.READ_PEOPLE,
        Permission.READ_ALERTS,
        Permission.WRITE_VERDICTS,
        Permission.READ_FOOTAGE,
        Permission.READ_HEALTH,
        Permission.READ_CAMERAS,
        Permission.READ_AUDIT,
    },
    Role.ADMINISTRATOR: frozenset(Permission),
}

SCOPES = tuple(permission for permission in Permission if permission not in _ALL_USERS)
"""What an API token can be given."""


def permitted(role: Role, scopes: frozenset[Permission] | None = None) -> frozenset[Permission]:
    """What a user may do, in a session (``None``) or by a token with `scopes`: never more than the role."""
    if scopes is None:
        return PERMISSIONS[role]
    return NOBODY | {Permission.SIGNED_IN} | (PERMISSIONS[role] & scopes & frozenset(SCOPES))
