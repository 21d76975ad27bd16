"""What tests may need beyond Python, and what happens when it is not there.

A test asks with a marker (``@pytest.mark.assets``) or by taking the fixture of that name. Where the
requirement is missing the test is skipped and listed at the end with what it needs, unless the
variable ``PINWATCH_REQUIRE`` (a comma-separated list) names it: then it fails.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from gallery.database import Database

REPOSITORY = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile("pinwatch", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("pinwatch")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and nothing else: migrating anew for every test would take long."""
    from gallery.database import DATABASE_NAME, Database

    folder = tmp_path_factory.mktemp("schema")
    Database.open(folder).close()
    return folder / DATABASE_NAME


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Iterator[Database]:
    """An empty database in the data folder `tmp_path`/data."""
    from gallery.database import DATABASE_NAME, Database

    (tmp_path / "data").mkdir()
    shutil.copyfile(empty_database, tmp_path / "data" / DATABASE_NAME)
    opened = Database.open(tmp_path / "data")
    yield opened
    opened.close()


class Requirement(enum.StrEnum):
    """Everything that ``PINWATCH_REQUIRE`` may list."""

    ASSETS = "assets"
    RTSP = "rtsp"
    KAFKA = "kafka"
    POSTGRES = "postgres"
    BROWSER = "browser"
    MQTT = "mqtt"
    OIDC = "oidc"


def assets_folder() -> Path:
    """The folder of ``PINWATCH_ASSETS``; by default ``shared/assets`` beside the checkout."""
    return Path(os.environ.get("PINWATCH_ASSETS") or REPOSITORY.parent / "shared" / "assets").resolve()


def _lacking_assets() -> str | None:
    folder = assets_folder()
    if (folder / "models").is_dir():
        return None
    return f"the models, faces and clips (no folder {folder}; set PINWATCH_ASSETS)"


_RTSP_PROBE = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstApp, GstRtspServer
Gst.init(None)
wanted = ("decodebin", "x264enc", "avdec_h264", "rtph264pay")
raise SystemExit(", ".join(name for name in wanted if not Gst.ElementFactory.find(name)) or 0)
"""


def _lacking_rtsp() -> str | None:
    try:
        done = subprocess.run(
            ["/usr/bin/python3", "-c", _RTSP_PROBE], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"an RTSP server ({error})"
    if done.returncode == 0:
        return None
    last = done.stderr.strip().rpartition("\n")[2]
    return f"an RTSP server (Debian: gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins; {last})"


def _lacking_kafka() -> str | None:
    from tests.kafka.broker import fetch_jars

    try:
        fetch_jars()
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        return f"a Kafka broker ({error})"
    return None


def _lacking_postgres() -> str | None:
    from tests.postgres.server import programs

    try:
        programs()
    except RuntimeError as error:
        return f"a PostgreSQL server ({error})"
    return None


def _lacking_browser() -> str | None:
    from tests.browser.chromium import program

    try:
        program()
    except RuntimeError as error:
        return f"a browser ({error})"
    return None


def _lacking_oidc() -> str | None:
    from tests.oidc.server import fetch_packages

    try:
        fetch_packages()
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        return f"an identity provider ({error})"
    return None


def _lacking_mqtt() -> str | None:
    from tests.workers.alerts.broker import program

    return None if program() else "an MQTT broker (Debian: mosquitto)"


@functools.cache
def lacking(requirement: Requirement) -> str | None:
    """What of `requirement` is not on this machine, and how to get it; ``None`` if all is there."""
    match requirement:
        case Requirement.ASSETS:
            return _lacking_assets()
        case Requirement.RTSP:
            return _lacking_rtsp()
        case Requirement.KAFKA:
            return _lacking_kafka()
        case Requirement.POSTGRES:
            return _lacking_postgres()
        case Requirement.MQTT:
            return _lacking_mqtt()
        case Requirement.OIDC:
            return _lacking_oidc()
        case Requirement.BROWSER:
            return _lacking_browser()


@functools.cache
def required() -> frozenset[Requirement]:
    """The requirements whose absence must fail.

    Raises:
        pytest.UsageError: ``PINWATCH_REQUIRE`` names something else.
    """
    names = [name.strip() for name in os.environ.get("PINWATCH_REQUIRE", "").split(",")]
    try:
        return frozenset(Requirement(name) for name in names if name)
    except ValueError as error:
        raise pytest.UsageError(f"PINWATCH_REQUIRE: {error}; choose from {', '.join(Requirement)}") from error


def need(requirement: Requirement) -> None:
    """Return if `requirement` is there; else skip the running test, or fail it where it is required."""
    missing = lacking(requirement)
    if missing is None:
        return
    if requirement in required():
        pytest.fail(f"PINWATCH_REQUIRE lists {requirement}, but this machine lacks {missing}", pytrace=False)
    pytest.skip(f"needs {missing}")


def pytest_sessionstart() -> None:
    required()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for requirement in Requirement:
        if item.get_closest_marker(requirement):
            need(requirement)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    terminalreporter.section("skipped, and what each needs")
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        terminalreporter.line(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with ``models/``, ``faces/`` and ``clips/``."""
    need(Requirement.ASSETS)
    return assets_folder()


@pytest.fixture(scope="session")
def models(assets: Path) -> Path:
    """The folder of model files."""
    return assets / "models"


@pytest.fixture
def full_disk() -> Callable[[int], contextlib.AbstractContextManager[None]]:
    """``with full_disk(size)``: no file can grow past `size` bytes, the nearest to a full disk without root.

    The kernel refuses the write (EFBIG where a full disk says ENOSPC; both are ``OSError``).
    """

    @contextlib.contextmanager
    def limited(size_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
