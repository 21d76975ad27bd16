"""Logging in through the provider: what joins its word, our users, sessions, attempts and the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from pipeline.errors import UsageError
from workers.console.access.attempts import Attempts
from workers.console.access.identities import Arrival, Found, Granted, Identities, Identity
from workers.console.access.login import Login, who_is
from workers.console.access.record import RecordAccess, Who
from workers.console.access.secret import digest
from workers.console.access.users import User
from workers.console.oidc.flow import Flow
from workers.console.oidc.options import OidcOptions
from workers.console.oidc.pending import Pending, PendingLogins
from workers.console.oidc.provider import Provider
from workers.console.oidc.refused import NotAdmitted, begin_again
from workers.console.oidc.rights import granted, name_of
from workers.console.oidc.secrets import LoginSecrets

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Begun:
    """A login under way: where the browser goes, and what it keeps meanwhile."""

    address: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Somebody is in: their session's cookie, and where they wanted to go."""

    user: User
    cookie: str
    wanted: str


class ProviderLogin:
    """The way in through the provider.

    Args:
        options: Which, and what its word counts for.
        provider: What is known of it.
        flow: The way there and back.
        pending: Logins under way.
        identities: Who is whom.
        login: Makes sessions.
        attempts: Counted here.
        record: Told of every login, also of those that failed.
    """

    def __init__(
        self,
        *,
        options: OidcOptions,
        provider: Provider,
        flow: Flow,
        pending: PendingLogins,
        identities: Identities,
        login: Login,
        attempts: Attempts,
        record: RecordAccess,
    ) -> None:
        self._options, self._provider, self._flow = options, provider, flow
        self._pending, self._identities, self._login = pending, identities, login
        self._attempts, self._record = attempts, record

    @property
    def button(self) -> str:
        """On the login page."""
        return self._options.button

    def problem(self) -> str | None:
        """Why nobody can log in through the provider at the moment; ``None`` if they can."""
        try:
            self._provider.keys()
        except NotAdmitted as error:
            return error.reason
        return None

    def begin(self, wanted: str, link: str | None, address: str) -> Begun:
        """Send a browser to the provider.

        Args:
            wanted: Where it wants to go afterwards.
            link: The one-time link with which somebody was invited.
            address: Where the browser is.

        Raises:
            NotAdmitted: nobody listens yet, or the provider cannot be reached.
        """
        secrets = LoginSecrets.new()
        wait_s = self._attempts.begin(_attempt(secrets), address)
        if wait_s > 0:
            self._record(Who(None, None, address), "login not listened to", ())
            raise NotAdmitted(
                f"Too many attempts failed. The next one is listened to in {max(1, round(wait_s))} seconds.",
                "too many attempts",
                429,
                wait_s,
            )
        try:
            to = self._flow.address(secrets)
        except NotAdmitted as error:
            raise self._failed(error, None, address) from None
        self._pending.begin(secrets.cookie, Pending(wanted, digest(link) if link else None))
        return Begun(to, secrets.cookie)

    def finish(self, parameters: Mapping[str, str], cookie: str | None, address: str) -> Finished:
        """Let somebody in who comes back from the provider.

        Args:
            parameters: Of the address that they were sent to.
            cookie: That the browser kept; good for nothing afterwards.
            address: Where the browser is.

        Raises:
            NotAdmitted: they do not come in; it is recorded.
        """
        user: User | None = None
        try:
            pending = None if cookie is None else self._pending.take(cookie)
            if cookie is None or pending is None:
                raise begin_again("no such login is under way")
            secrets = LoginSecrets(cookie)
            answer = self._flow.answer(parameters, secrets)
            arrival = self._arrival(answer.vouched.subject, answer.vouched.claims, pending)
            found = self._identities.look(arrival)
            user = found.user
            entered = self._admit(arrival, found, address)
        except NotAdmitted as error:
            raise self._failed(error, user, address) from None
        self._attempts.succeeded(_attempt(secrets), address)
        session = self._login.begin(entered, address, None, f"login through {self._options.issuer}")
        self._pending.keep_token(session.cookie, answer.id_token)
        return Finished(entered, session.cookie, pending.wanted)

    def farewell(self, session_cookie: str) -> str | None:
        """Where the browser logs out of the provider as well.

        Args:
            session_cookie: Of the session, which has not ended yet.

        Returns:
            ``None`` where the session did not begin there, or it knows no logout.
        """
        id_token = self._pending.token_of(session_cookie)
        return None if id_token is None else self._flow.logout_address(id_token)

    def _arrival(self, subject: str, claims: Mapping[str, object], pending: Pending) -> Arrival:
        identity = Identity(self._options.issuer, subject)
        rights = self._known(self._rights(subject, claims))
        return Arrival(identity, name_of(claims), rights, pending.link_sha256)

    def _rights(self, subject: str, claims: Mapping[str, object]) -> Granted:
        try:
            return granted(claims, self._options)
        except NotAdmitted as error:
            raise NotAdmitted(str(error), f"{error.reason}: {subject}", error.status) from None

    def _known(self, rights: Granted) -> Granted:
        """Names of groups of cameras that are not here are said in the log: somebody sees too little."""
        if rights.groups:
            missing = set(rights.groups) - self._identities.known_groups(rights.groups)
            if missing:
                log.warning("console.oidc.cameras names groups that are not here", groups=sorted(missing))
        return rights

    def _admit(self, arrival: Arrival, found: Found, address: str) -> User:
        self._check(arrival, found)
        self._record(who_is(found.user, address), self._in_words(arrival, found), ())
        try:
            user = self._identities.admit(arrival)
        except UsageError as error:
            raise NotAdmitted(str(error), str(error), 403) from None
        if user is None:
            raise begin_again("the user was changed meanwhile")
        return user

    def _check(self, arrival: Arrival, found: Found) -> None:
        if found.user is None and arrival.granted.role is None:
            raise NotAdmitted(
                "You are known to the identity provider, but nobody has invited you here. Ask whoever "
                "administers this console for a link, open it, and log in from there.",
                f"nobody was invited: {arrival.identity.subject}",
                403,
            )
        if found.user is not None and found.user.disabled:
            raise NotAdmitted("You may not log in here any more.", "the user is disabled", 403)

    def _in_words(self, arrival: Arrival, found: Found) -> str:
        whose = f"{arrival.identity.subject} of {arrival.identity.issuer}"
        rights = [] if arrival.granted.role is None else [f"role {arrival.granted.role}"]
        if arrival.granted.groups is not None:
            rights.append(f"cameras {', '.join(arrival.granted.groups) or 'none'}")
        what = {
            "known": f"{whose} comes in",
            "invited": f"user to be joined with {whose}",
            "new": f"user to be made for {whose}",
        }
        return "; ".join([what[found.how], *rights])

    def _failed(self, error: NotAdmitted, user: User | None, address: str) -> NotAdmitted:
        log.warning("login through the provider failed", reason=error.reason)
        self._record(
            who_is(user, address), f"login through {self._options.issuer} failed: {error.reason}", ()
        )
        return error


def _attempt(secrets: LoginSecrets) -> str:
    return f"provider {digest(secrets.cookie)}"
