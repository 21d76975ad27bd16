"""Credentials in stream addresses never reach a log, a message or a screen.

Two lines of defence. Addresses travel as :class:`Address`, whose text is already redacted and whose
secret is only had by asking (``reveal``). Whatever was written by others (FFmpeg, a user, an
exception) goes through :func:`redact` before it is shown. Where it is not clear how far a secret
reaches, more is hidden rather than less.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import UsageError

HIDDEN = "***"

SCHEMES = frozenset({"rtsp", "rtsps", "http", "https"})
"""What a network camera's address may start with."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)(\S+)")
_TRAILING = "'\"`)]}>,;:."
_NAMED_IN_PATH = re.compile(
    r"((?:user(?:name)?|usr|login|pass(?:word|wd|phrase)?|pwd|psw|token|key|secret|auth|sig(?:nature)?|session)\w*=)"
    r"[^/?#]*",
    re.IGNORECASE,
)
# fmt: off
_HARMLESS = frozenset({
    "audio", "camera", "cameraid", "ch", "channel", "channelid", "channelno", "chn", "codec", "compression",
    "fps", "framerate", "h", "height", "id", "input", "multicast", "profile", "profileid", "proto",
    "protocol", "quality", "resolution", "rotation", "size", "stream", "streamid", "streamtype",
    "subchannel", "subtype", "transport", "transportmode", "unicast", "ver", "version", "video",
    "videocodec", "w", "width",
})
# fmt: on
"""Query parameters whose values are shown. All others are taken for secrets: makers invent names."""


def redact(text: str) -> str:
    """`text` with the credentials of every address in it replaced by ``***``.

    Hidden are the user name and password before the ``@``, the value of every query parameter that
    is not known to be harmless, and ``user=...``, ``password=...`` and the like inside the path.
    Redacting twice changes nothing.
    """
    return _ADDRESS.sub(lambda found: found[1] + _redact_rest(found[2]), text)


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: redacts every text in the event; put it after the traceback formatter."""
    for key, value in event.items():
        event[key] = _redact_value(value)
    return event


def _redact_value(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case BaseException():
            return redact(str(value))
        case Mapping():
            return {key: _redact_value(child) for key, child in value.items()}
        case list() | tuple() | set() | frozenset():
            return type(value)(_redact_value(child) for child in value)
        case _:
            return value


def _redact_rest(rest: str) -> str:
    """Redact what follows ``scheme://``."""
    body = rest.rstrip(_TRAILING)
    tail = rest[len(body) :]
    before, at, after = body.rpartition("@")
    # An @ further right may belong to the path, but then an unescaped password could hold a slash too.
    body = HIDDEN + at + after if before else after
    path, question, query = body.partition("?")
    path, hash_sign, _ = path.partition("#")
    path = _NAMED_IN_PATH.sub(rf"\1{HIDDEN}", path)
    shown = path + (hash_sign + HIDDEN if hash_sign else "")
    return shown + question + _redact_query(query) + tail


def _redact_query(query: str) -> str:
    parts = re.split(r"([&;])", query)
    return "".join(part if part in ("&", ";", "") else _redact_parameter(part) for part in parts)


def _redact_parameter(part: str) -> str:
    name, equals, value = part.partition("=")
    if not equals:
        return HIDDEN
    harmless = name.lower() in _HARMLESS and re.fullmatch(r"[\w.\-]{0,32}", value)
    return part if harmless else f"{name}={HIDDEN}"


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """The address of a network camera; shows itself only without its credentials.

    Make it with :meth:`parse`.
    """

    _secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Check `text` and wrap it.

        Raises:
            UsageError: no scheme of :data:`SCHEMES`, no host, or characters that need ``%``-encoding.
        """
        problem = _problem_of(text)
        if problem:
            raise UsageError(f"{_shown_whole(text)!r} is not a stream address: {problem}")
        return cls(text)

    @property
    def scheme(self) -> str:
        return self._secret.partition("://")[0].lower()

    def reveal(self) -> str:
        """The full address with its credentials; for the library that connects, nothing else."""
        return self._secret

    def __str__(self) -> str:
        return redact(self._secret)

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"


def _problem_of(text: str) -> str | None:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in SCHEMES:
        return f"it must start with one of {', '.join(sorted(f'{name}://' for name in SCHEMES))}"
    if re.search(r"[\x00-\x20\x7f\ud800-\udfff]", text):
        return "it holds a space or a control character; write it as %20 and the like"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    host = authority.rpartition("@")[2]
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\[\]:@]+)(:\d{1,5})?", host):
        return (
            "between :// and the next / there must be HOST, HOST:PORT or USER:PASSWORD@HOST; in a password "
            "write / as %2F, ? as %3F, # as %23, @ as %40 and % as %25"
        )
    return None


def _shown_whole(text: str) -> str:
    """`text`, known to be meant as one address, with everything up to its last @ hidden, blanks and all."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text if "@" not in text else HIDDEN + "@" + text.rpartition("@")[2]
    body = re.sub(r"\s", "_", rest)
    if "@" not in body and re.search(r":(?!\d+(?:$|[/?#]))", body):
        return f"{scheme}://{HIDDEN}"
    return scheme + separator + _redact_rest(body)
