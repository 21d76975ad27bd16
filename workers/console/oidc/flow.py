"""The authorization code flow: sends a browser to the provider, and learns from its answer who came back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from workers.console.access.secret import same
from workers.console.oidc.fetch import get_json
from workers.console.oidc.id_token import IdTokens, Vouched
from workers.console.oidc.metadata import Metadata
from workers.console.oidc.options import OidcOptions
from workers.console.oidc.provider import Provider
from workers.console.oidc.refused import NotAdmitted, begin_again, not_proven, unreachable
from workers.console.oidc.rights import lacking
from workers.console.oidc.secrets import LoginSecrets

ANSWER = "/oidc/answer"
"""Where browsers come back to."""
_KNOWN_ERRORS = frozenset(
    (
        *("access_denied", "login_required", "consent_required", "interaction_required"),
        *("account_selection_required", "invalid_request", "unauthorized_client", "invalid_scope"),
        *("unsupported_response_type", "server_error", "temporarily_unavailable"),
    )
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        vouched: Who it is.
        id_token: As it came.
    """

    vouched: Vouched
    id_token: str


class Flow:
    """The way to the provider and back.

    Args:
        options: Which provider.
        provider: What is known of it.
        public: Address of the console.
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
    """

    def __init__(
        self, options: OidcOptions, provider: Provider, public: str, now_ns: Callable[[], int]
    ) -> None:
        self._options, self._provider, self._public = options, provider, public
        self._id_tokens = IdTokens(options, provider, now_ns)

    def address(self, secrets: LoginSecrets) -> str:
        """Where the browser goes to log in.

        Raises:
            NotAdmitted: the provider cannot be reached.
        """
        metadata = self._provider.metadata()
        with self._session(metadata) as session:
            address, _ = session.create_authorization_url(
                metadata.authorization_endpoint,
                state=secrets.state,
                nonce=secrets.nonce,
                code_verifier=secrets.verifier,
            )
        return str(address)

    def answer(self, parameters: Mapping[str, str], secrets: LoginSecrets) -> Answer:
        """Who came back.

        Args:
            parameters: Of the address that the browser was sent back to.
            secrets: Of its login.

        Raises:
            NotAdmitted: nobody did, or it is not proven.
        """
        metadata = self._provider.metadata()
        self._check(parameters, secrets, metadata)
        tokens = self._exchange(metadata, parameters["code"], secrets)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str) or not isinstance(access_token, str):
            raise not_proven("the provider sent no ID token")
        vouched = self._id_tokens.check(id_token, secrets.nonce, access_token)
        return Answer(self._told_more(metadata, vouched, access_token), id_token)

    def logout_address(self, id_token: str) -> str | None:
        """Where the browser logs out of the provider; ``None`` if it has no such place."""
        try:
            metadata = self._provider.metadata()
        except NotAdmitted:
            return None
        if metadata.end_session_endpoint is None:
            return None
        query = {
            "id_token_hint": id_token,
            "client_id": self._options.client_id,
            "post_logout_redirect_uri": f"{self._public}/login",
        }
        separator = "&" if "?" in metadata.end_session_endpoint else "?"
        return f"{metadata.end_session_endpoint}{separator}{urlencode(query)}"

    def _check(self, parameters: Mapping[str, str], secrets: LoginSecrets, metadata: Metadata) -> None:
        if not same(parameters.get("state", ""), secrets.state):
            raise begin_again("the answer has another state")
        otherwise = "" if metadata.names_itself else self._options.issuer
        if parameters.get("iss", otherwise) != self._options.issuer:
            raise not_proven("the answer comes from another provider")
        error = parameters.get("error")
        if error is not None:
            raise _declined(error)
        if not parameters.get("code"):
            raise not_proven("the answer has no code")

    def _exchange(self, metadata: Metadata, code: str, secrets: LoginSecrets) -> Mapping[str, Any]:
        with self._session(metadata) as session:
            try:
                tokens = session.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=secrets.verifier,
                    redirect_uri=f"{self._public}{ANSWER}",
                    allow_redirects=False,
                )
            except OAuthError as error:
                raise not_proven(f"the provider does not take the code: {_short(error.error)}") from None
            except (requests.RequestException, ValueError, TypeError, KeyError, AttributeError) as error:
                raise unreachable(f"the provider's token endpoint: {type(error).__name__}") from None
        return tokens if isinstance(tokens, Mapping) else {}

    def _told_more(self, metadata: Metadata, vouched: Vouched, access_token: str) -> Vouched:
        """Many providers name groups and addresses only where they are asked for them."""
        if metadata.userinfo_endpoint is None or not lacking(vouched.claims, self._options):
            return vouched
        headers = {"authorization": f"Bearer {access_token}"}
        with requests.Session() as session:
            more = get_json(session, metadata.userinfo_endpoint, self._options.timeout_s, headers)
        if more.get("sub") != vouched.subject:
            raise not_proven("the provider tells of somebody else")
        return Vouched(vouched.subject, {**more, **vouched.claims})

    def _session(self, metadata: Metadata) -> OAuth2Session:
        secret = self._options.client_secret
        method = "client_secret_post" if metadata.secret_in_body else "client_secret_basic"
        return OAuth2Session(
            client_id=self._options.client_id,
            client_secret=secret,
            token_endpoint_auth_method="none" if secret is None else method,
            scope=" ".join(self._options.scopes),
            redirect_uri=f"{self._public}{ANSWER}",
            code_challenge_method="S256",
            default_timeout=self._options.timeout_s,
        )


def _declined(error: str) -> NotAdmitted:
    known = _short(error) if error in _KNOWN_ERRORS else "an error that is not known"
    if error == "access_denied":
        return NotAdmitted("The identity provider did not let you in.", f"the provider says {known}", 403)
    return NotAdmitted("The identity provider could not log you in. Try again.", f"the provider says {known}")


def _short(text: object) -> str:
    """Of words that others chose."""
    return "".join(one for one in str(text)[:60] if one.isascii() and (one.isalnum() or one in "_-."))
