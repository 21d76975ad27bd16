"""By which addresses browsers reach the console, and which of them may send forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.errors import ConfigError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Origins:
    """Where we are.

    Attributes:
        public: The address to print and to put into links, without a slash at the end.
        allowed: Every origin whose pages are ours.
    """

    public: str
    allowed: frozenset[str]

    @property
    def secure(self) -> bool:
        """Whether browsers come over HTTPS."""
        return self.public.startswith("https://")

    @property
    def hosts(self) -> frozenset[str]:
        """What a ``Host`` header may say. Another one was led here by somebody else's name server."""
        return frozenset(urlsplit(origin).netloc for origin in self.allowed)

    def sent_by_us(self, headers: Mapping[str, str]) -> bool:
        """Whether a form comes from a page of ours, as far as the browser says."""
        origin = headers.get("origin")
        if origin is not None:
            return origin in self.allowed
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def origins(host: str, port: int, public_url: str | None) -> Origins:
    """The origins of a console that listens on `host` and `port`.

    Raises:
        ConfigError: `public_url` is no origin; or it is missing, and others than this machine may come.
    """
    if public_url is not None:
        public = _origin(public_url)
        return Origins(public, frozenset({public}))
    if host not in LOOPBACK:
        raise ConfigError(
            f"a console on {host} needs console.public_url, the address that browsers use, such as "
            "https://pinwatch.example.org"
        )
    near = {f"http://{f'[{name}]' if ':' in name else name}{_port(port)}" for name in LOOPBACK}
    shown = f"[{host}]" if ":" in host else host
    return Origins(f"http://{shown}{_port(port)}", frozenset(near))


def _port(port: int) -> str:
    return "" if port == 80 else f":{port}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise ConfigError(f"console.public_url must be like https://pinwatch.example.org, not {url!r}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(f"console.public_url must be a host without a path, not {url!r}")
    return f"{parts.scheme}://{parts.netloc.lower()}"
