"""The provider as it is known at the moment: its document and its keys, fetched now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import requests
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet, import_key

from workers.console.oidc.fetch import get_json
from workers.console.oidc.metadata import PATH, Metadata, metadata_of
from workers.console.oidc.options import OidcOptions
from workers.console.oidc.refused import NotAdmitted, unreachable

KEPT_S = 3600.0
"""How long its word is taken without asking again."""
QUIET_S = 10.0
"""After a failure, and after keys were asked for again, it is left alone for so long."""
_KINDS = ("RSA", "EC", "OKP")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Known(Generic[Value]):
    """What the last question brought: a value or a failure, and when."""

    at_s: float
    value: Value | None
    failure: NotAdmitted | None


class _Kept(Generic[Value]):
    """Something that is asked for once in a while, by one thread at a time."""

    def __init__(self, ask: Callable[[], Value], monotonic_s: Callable[[], float]) -> None:
        self._ask, self._monotonic_s = ask, monotonic_s
        self._known: _Known[Value] | None = None
        self._turn = threading.Lock()

    def get(self, not_older_than_s: float = KEPT_S) -> Value:
        with self._turn:
            known, now = self._known, self._monotonic_s()
            limit_s = QUIET_S if known is not None and known.failure is not None else not_older_than_s
            if known is None or now - known.at_s >= limit_s:
                known = self._known = self._asked()
        if known.value is None:
            failure = known.failure
            assert failure is not None
            raise NotAdmitted(str(failure), failure.reason, failure.status)
        return known.value

    def _asked(self) -> _Known[Value]:
        try:
            return _Known(self._monotonic_s(), self._ask(), None)
        except NotAdmitted as failure:
            return _Known(self._monotonic_s(), None, failure)


class Provider:
    """Its document and its keys.

    Args:
        options: Which it is.
        monotonic_s: Seconds that only grow.
    """

    def __init__(self, options: OidcOptions, monotonic_s: Callable[[], float]) -> None:
        self._options = options
        self._metadata = _Kept(self._ask_metadata, monotonic_s)
        self._keys = _Kept(self._ask_keys, monotonic_s)

    def metadata(self) -> Metadata:
        """What it says of itself.

        Raises:
            NotAdmitted: it cannot be reached, or is not what it should be.
        """
        return self._metadata.get()

    def keys(self) -> KeySet:
        """Its keys for signatures; raises as :meth:`metadata`."""
        return self._keys.get()

    def newer_keys(self) -> KeySet:
        """The same, asked for again: it signed with a key that we do not know."""
        return self._keys.get(not_older_than_s=QUIET_S)

    def _ask_metadata(self) -> Metadata:
        issuer = self._options.issuer
        return metadata_of(self._get(issuer.rstrip("/") + PATH), issuer)

    def _ask_keys(self) -> KeySet:
        found = self._get(self.metadata().jwks_uri).get("keys")
        read = [_read_key(key) for key in found] if isinstance(found, list) else []
        keys = [key for key in read if key is not None]
        if not keys:
            raise unreachable("the provider has no keys for signatures")
        return KeySet(keys)

    def _get(self, address: str) -> dict[str, Any]:
        with requests.Session() as session:
            return get_json(session, address, self._options.timeout_s)


def _read_key(key: Any) -> Key | None:
    """A public key for signatures; ``None`` for another, and for one that we cannot read."""
    if not isinstance(key, dict) or key.get("kty") not in _KINDS or key.get("use", "sig") != "sig":
        return None
    try:
        return import_key(key)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
