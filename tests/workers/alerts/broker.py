"""An MQTT broker on this machine, for as long as a test runs."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kafka.broker import free_port

USER, PASSWORD = "pinwatch", "correct horse"


def program() -> str | None:
    """Debian puts it where only administrators look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def running(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """A broker that wants a password; its port.

    Args:
        folder: For its files.
        certificate: And its key, for TLS.
    """
    binary = program()
    assert binary is not None
    passwords = folder / "passwords"
    passwords.touch(0o600)
    subprocess.run(
        [shutil.which("mosquitto_passwd") or "/usr/bin/mosquitto_passwd", "-b", passwords, USER, PASSWORD],
        check=True,
        capture_output=True,
        timeout=30,
    )
    for path in (folder, passwords):
        path.chmod(0o755)  # started by root, the broker becomes another user
    port = free_port()
    lines = [f"listener {port} 127.0.0.1", f"password_file {passwords}", "allow_anonymous false"]
    if certificate is not None:
        lines += [f"certfile {certificate[0]}", f"keyfile {certificate[1]}"]
    (folder / "mosquitto.conf").write_text("\n".join([*lines, "user root", ""]))
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen([binary, "-c", folder / "mosquitto.conf"], stdout=log, stderr=log)
    try:
        _wait(process, port, folder / "broker.log")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text(errors="replace")[-2000:])
        time.sleep(0.05)
