"""Logging in and out, and setting passwords: what joins users, sessions, attempts and the record."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from pipeline.errors import UsageError
from workers.console.access.attempts import Attempts
from workers.console.access.links import Invited, Links
from workers.console.access.passwords import MAX_CHARACTERS, Passwords, check_password
from workers.console.access.principal import Principal
from workers.console.access.record import RecordAccess, Who
from workers.console.access.secret import digest
from workers.console.access.sessions import Sessions
from workers.console.access.users import User, Users


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A new session; `cookie` is its secret."""

    user: User
    cookie: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not right, or nobody listens yet. It does not say whether there is such a user.

    Attributes:
        wait_s: Seconds until the next attempt is listened to; 0: at once.
    """

    wait_s: float = 0.0


class Login:
    """The way in.

    Args:
        users: Who there is.
        passwords: Compares.
        sessions: Made here.
        attempts: Counted here.
        links: By which passwords are set.
        record: Told of every login, also of those that failed.
    """

    def __init__(
        self,
        *,
        users: Users,
        passwords: Passwords,
        sessions: Sessions,
        attempts: Attempts,
        links: Links,
        record: RecordAccess,
    ) -> None:
        self._users, self._passwords, self._sessions = users, passwords, sessions
        self._attempts, self._links, self._record = attempts, links, record

    def enter(self, name: str, password: str, address: str, old_cookie: str | None) -> LoggedIn | Refused:
        """Log in.

        Args:
            name: As typed.
            password: As typed.
            address: Where it was typed.
            old_cookie: The session that the browser had, which ends.
        """
        name = unicodedata.normalize("NFC", name.strip())
        wait_s = self._attempts.begin(name, address)
        if wait_s > 0:
            self._record(Who(None, None, address), "login not listened to", ())
            return Refused(wait_s)
        user = self._users.named(name)
        if not self._proves(user, password) or user is None:
            self._record(who_is(user, address), "login failed", ())
            return Refused()
        self._attempts.succeeded(name, address)
        return self.begin(user, address, old_cookie, "login")

    def leave(self, principal: Principal, cookie: str) -> None:
        """Log out."""
        self._sessions.end(cookie)
        self._record(principal.who, "logout", ())

    def invited(self, secret: str) -> Invited | None:
        """Whom a one-time link is for."""
        return self._links.look(secret)

    def accept(self, secret: str, name: str, password: str, address: str) -> LoggedIn | Refused:
        """Set a password by a one-time link, and log in.

        Raises:
            UsageError: the name or the password cannot be one; the link is still good.
        """
        attempt = f"link {digest(secret)}"
        wait_s = self._attempts.begin(attempt, address)
        if wait_s > 0:
            return Refused(wait_s)
        invited = self._links.look(secret)
        if invited is None:
            return Refused()
        self._attempts.succeeded(attempt, address)  # whoever has the link does not guess
        self._record(who_is(invited.user, address), "password to be set by link", ())
        user = self._links.accept(secret, name, password)
        return Refused() if user is None else self.begin(user, address, None, "login by link")

    def change_password(self, principal: Principal, old: str, new: str) -> LoggedIn | Refused:
        """Another password: every session of the user ends, and a new one begins.

        Raises:
            UsageError: the new password cannot be one.
        """
        wait_s = self._attempts.begin(principal.name, principal.who.address)
        if wait_s > 0:
            return Refused(wait_s)
        user = self._users.get(principal.user_id)
        if not self._proves(user, old) or user is None:
            self._record(principal.who, "password not changed", ())
            return Refused()
        self._attempts.succeeded(principal.name, principal.who.address)
        check_password(new, user.name)
        self._record(principal.who, "password to be changed", ())
        self._users.set_password(user.id, self._passwords.hash(new))
        return self.begin(user, principal.who.address, None, "login with the new password")

    def _proves(self, user: User | None, password: str) -> bool:
        """Takes as long whether or not there is such a user."""
        kept = self._users.password_hash("" if user is None else user.id)
        fits = self._passwords.fits(kept, password[: MAX_CHARACTERS + 1])
        return fits and user is not None and not user.disabled

    def begin(self, user: User, address: str, old_cookie: str | None, what: str) -> LoggedIn:
        """A session for a user who proved who they are.

        Args:
            user: Not disabled.
            address: Where they come from.
            old_cookie: The session that the browser had, which ends.
            what: How it is recorded.
        """
        self._record(who_is(user, address), what, ())
        return LoggedIn(user, self._sessions.begin(user.id, old_cookie))


def who_is(user: User | None, address: str) -> Who:
    """For the record, before there is a session."""
    return Who(None, None, address) if user is None else Who(user.id, None, address, user.name)


def first_link(users: Users, links: Links) -> str | None:
    """The secret that makes the first administrator; ``None`` where there are users already."""
    return links.issue(None) if users.empty() else None


def link_of(users: Users, links: Links, name: str) -> str:
    """A secret with which the user of that name sets a password.

    Raises:
        UsageError: there is no such user, or they are disabled.
    """
    user = users.named(name)
    if user is None:
        raise UsageError(f"there is no user called {name!r}")
    if user.disabled:
        raise UsageError(f"{name} is disabled: enable them first")
    if user.provider is not None:
        raise UsageError(f"{name} logs in at {user.provider}, and has no password here")
    return links.issue(user.id)
