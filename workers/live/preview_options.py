"""How pictures get from readers to consoles: addresses, the shared secret, certificates."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import ConfigError
from workers.config import WorkerSettings

MIN_SECRET = 16


@dataclass(frozen=True, slots=True)
class PreviewOptions:
    """Where a reader shows its pictures, and to whom.

    Attributes:
        host: Where it listens.
        port: 0 for any free one.
        secret: Whoever knows it may look.
        url: The address that consoles use; ``None`` to make one of host and port.
        tls: Our certificate; ``None`` speaks plainly.

    Raises:
        ConfigError: the secret is too short, or the address is none.
    """

    host: str
    port: int
    secret: str = field(repr=False)
    url: str | None = None
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        check_secret(self.secret)
        if self.url is not None:
            check_url(self.url)

    def address(self, port: int) -> str:
        """The address that consoles use, where `port` is what we listen on."""
        if self.url is not None:
            return self.url
        host = socket.gethostname() if _any(self.host) else self.host
        host = f"[{host}]" if ":" in host else host
        return f"{'ws' if self.tls is None else 'wss'}://{host}:{port}"


def preview_options(settings: WorkerSettings) -> PreviewOptions:
    """What the settings say.

    Raises:
        ConfigError: something is missing or does not fit.
    """
    return PreviewOptions(
        settings.preview_host,
        settings.preview_port,
        secret_of(settings),
        settings.preview_url,
        _server_tls(settings.preview_certificate_file, settings.preview_key_file),
    )


def secret_of(settings: WorkerSettings) -> str:
    """What readers and consoles know alike.

    Raises:
        ConfigError: it is not set, or too short.
    """
    if settings.preview_secret is None:
        raise ConfigError(
            "worker.preview_secret is not set: give readers and consoles the same one, such as what "
            "`openssl rand -hex 32` prints, in PINWATCH_WORKER__PREVIEW_SECRET"
        )
    secret = settings.preview_secret.get_secret_value()
    check_secret(secret)
    return secret


def client_tls(ca_file: Path | None) -> ssl.SSLContext:
    """What a console checks readers' certificates against.

    Raises:
        ConfigError: the file is not there, or holds no certificates.
    """
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"worker.preview_ca_file {ca_file} cannot be used: {error}") from None


def check_secret(secret: str) -> None:
    """Raise ``ConfigError`` unless `secret` can travel in a header and is hard to guess."""
    if len(secret) < MIN_SECRET or not (secret.isascii() and secret.isprintable() and " " not in secret):
        raise ConfigError(
            f"worker.preview_secret must be {MIN_SECRET} characters or more of printable ASCII without spaces"
        )


def check_url(url: str) -> None:
    """Raise ``ConfigError`` unless `url` is where a reader can be reached."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or "@" in parts.netloc:
        raise ConfigError("worker.preview_url must be like ws://reader-1:9500 or wss://reader-1.example.org")


def _server_tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise ConfigError("worker.preview_certificate_file and worker.preview_key_file belong together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{certificate} and {key} cannot be used for pictures: {error}") from None
    return context


def _any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
