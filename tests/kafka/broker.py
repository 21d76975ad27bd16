"""A Kafka broker of one node (KRaft) on this machine, that can be killed and started again.

By hand: ``python -m tests.kafka.broker`` starts one on port 9092 until Ctrl-C.
"""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
_START_S = 60.0
_JAVA = (
    "java",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # it lives for minutes: compiling well would take most of them
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


def jars_folder() -> Path:
    """Where the jars are kept from one run to the next; named after what is in them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = uuid.uuid5(uuid.NAMESPACE_URL, POM.read_text(encoding="utf-8")).hex[:8]
    return cache / "pinwatch-tests" / f"kafka-{digest}"


def fetch_jars() -> Path:
    """The folder with the jars, fetched by Maven the first time.

    Raises:
        RuntimeError: Java or Maven is missing, or Maven cannot fetch them.
    """
    folder = jars_folder()
    if folder.is_dir():
        return folder
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise RuntimeError(f"no {tool} on this machine (Debian: default-jre-headless, maven)")
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    done = subprocess.run(
        [
            *("mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"),
            *(f"-DoutputDirectory={part}", "-DincludeScope=runtime"),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Maven cannot fetch the broker's jars: {(done.stdout + done.stderr)[-400:]}")
    with contextlib.suppress(OSError):  # somebody else was faster
        part.rename(folder)
    return folder


def free_port() -> int:
    """A port that nobody listens on."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ones: held all at once, so that none is given twice."""
    with contextlib.ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]


class Broker:
    """Broker and controller in one process; what it stores outlives it.

    Args:
        folder: Of its data and log.
        port: Where clients reach it; a free one by default.
        settings: More of Kafka's settings, over the ones here.
        users: Passwords by name, for SCRAM-SHA-512.
    """

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
    ) -> None:
        self._users = dict(users or {})
        self._folder, self.port = folder, port or free_port()
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._properties = folder / "server.properties"
        self._jars = fetch_jars()

    @property
    def servers(self) -> str:
        """For clients."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it takes connections.

        Raises:
            RuntimeError: it ends, or does not listen in time.
        """
        if not self._properties.exists():
            self._prepare()
        log = (self._folder / "broker.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [*self._java(), "kafka.Kafka", str(self._properties)], stdout=log, stderr=log
            )
        self._await_listening()

    def kill(self) -> None:
        """``kill -9``."""
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=60)
            self._process = None

    def _prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        controller, internal, *_ = (port for port in free_ports(3) if port != self.port)
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": ",".join(
                f"{name}://127.0.0.1:{port}"
                for name, port in (("CLIENT", self.port), ("INTERNAL", internal), ("CONTROLLER", controller))
            ),
            "advertised.listeners": f"CLIENT://127.0.0.1:{self.port},INTERNAL://127.0.0.1:{internal}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "INTERNAL",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            **self._settings,
        }
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._format()

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        users = [
            f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]"
            for name, password in self._users.items()
        ]
        command = [
            *self._java(),
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",  # which may begin with a dash
            "-c",
            str(self._properties),
        ]
        subprocess.run([*command, *users], check=True, capture_output=True, timeout=60)

    def _java(self) -> list[str]:
        return [*_JAVA, "-cp", f"{self._jars}/*"]

    def _await_listening(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return
            time.sleep(0.2)
        tail = (self._folder / "broker.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the broker does not listen on port {self.port}:\n{tail}")


@contextlib.contextmanager
def running(
    folder: Path, port: int | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Broker]:
    """A broker, stopped at the end."""
    broker = Broker(folder, port, settings)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def main() -> int:
    """Run one until Ctrl-C."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), port=9092) as broker:
        sys.stdout.write(f"Kafka listens on {broker.servers}; Ctrl-C ends it\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
