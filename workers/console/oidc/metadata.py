"""What the provider says of itself (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workers.console.oidc.addresses import check_address
from workers.console.oidc.refused import unreachable

PATH = "/.well-known/openid-configuration"

TRUSTED_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures with public keys. Never ``none``, and never one whose key would be the client's secret."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The provider's addresses and habits.

    Attributes:
        authorization_endpoint: Where browsers are sent.
        token_endpoint: Where a code is exchanged.
        jwks_uri: Where its keys are.
        userinfo_endpoint: Where more about a user is; ``None``: nowhere.
        end_session_endpoint: Where browsers log out; ``None``: nowhere.
        algorithms: Of signatures that it makes and we trust.
        secret_in_body: The client's secret goes into the body, not into a header.
        names_itself: Its answers carry ``iss`` (RFC 9207).
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    algorithms: tuple[str, ...]
    secret_in_body: bool
    names_itself: bool


def metadata_of(document: Mapping[str, Any], issuer: str) -> Metadata:
    """Read the document.

    Raises:
        NotAdmitted: it is another provider's, or lacks what we need.
    """
    if document.get("issuer") != issuer:
        raise unreachable(f"the provider calls itself {str(document.get('issuer'))[:200]!r}, not {issuer!r}")
    offered = document.get("id_token_signing_alg_values_supported", ["RS256"])
    algorithms = tuple(one for one in TRUSTED_ALGORITHMS if isinstance(offered, list) and one in offered)
    if not algorithms:
        raise unreachable("the provider signs in no way that is trusted")
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Metadata(
        authorization_endpoint=_needed(document, "authorization_endpoint", issuer),
        token_endpoint=_needed(document, "token_endpoint", issuer),
        jwks_uri=_needed(document, "jwks_uri", issuer),
        userinfo_endpoint=_address(document, "userinfo_endpoint", issuer),
        end_session_endpoint=_address(document, "end_session_endpoint", issuer),
        algorithms=algorithms,
        secret_in_body=isinstance(methods, list) and "client_secret_basic" not in methods,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _needed(document: Mapping[str, Any], name: str, issuer: str) -> str:
    address = _address(document, name, issuer)
    if address is None:
        raise unreachable(f"the provider names no {name}")
    return address


def _address(document: Mapping[str, Any], name: str, issuer: str) -> str | None:
    address = document.get(name)
    if address is None:
        return None
    try:
        return check_address(str(address), issuer)
    except ValueError as error:
        raise unreachable(f"the provider's {name}: {error}") from None
