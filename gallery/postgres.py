"""The database that several machines share: PostgreSQL."""

from __future__ import annotations

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError

from gallery.engine_errors import raise_ours
from pipeline.errors import ConfigError, PinwatchError, StorageError

_DRIVER = "postgresql+psycopg"
_CONNECT_S = 10
_SCHEMA_LOCK = 0x50494E57  # "PINW": any number that others are unlikely to use
_FULL_DISK = {"53100", "53200"}
_NO_ACCESS = {"28000", "28P01", "42501", "25006"}


def parse_address(address: str) -> URL:
    """``postgresql://user:password@host/name`` as SQLAlchemy wants it.

    Raises:
        ConfigError: it is none.
    """
    try:
        url = make_url(address)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql" or not url.database:
        raise ConfigError(
            "database must be postgresql://USER:PASSWORD@HOST/NAME, or unset for a file under the data folder"
        )
    return url.set(drivername=_DRIVER)


def postgres_engine(url: URL) -> Engine:
    """An engine whose errors are ours.

    Raises:
        ConfigError: the driver is not installed.
    """
    try:
        engine = create_engine(
            url,
            connect_args={"connect_timeout": _CONNECT_S, "application_name": "pinwatch"},
            pool_pre_ping=True,
            hide_parameters=True,  # errors would quote them, and addresses of cameras hold passwords
        )
    except ModuleNotFoundError as error:
        raise ConfigError("PostgreSQL needs its driver: pip install 'pinwatch[postgres]'") from error

    raise_ours(engine, lambda error: postgres_error(error, url))
    return engine


def one_view(connection: Connection) -> Connection:
    """A connection whose next transaction reads, and sees nothing that others commit meanwhile."""
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def lock_schema(connection: Connection) -> None:
    """Wait until nobody else changes the schema, up to the end of this transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _SCHEMA_LOCK})


def postgres_error(error: BaseException, url: URL) -> PinwatchError | None:
    """What an error of the driver means to a user; ``None`` leaves it as it is (a broken constraint)."""
    from psycopg import OperationalError

    where = f"PostgreSQL at {url.host or 'localhost'}, database {url.database}"
    state = getattr(error, "sqlstate", None)
    if state in _NO_ACCESS:
        return StorageError(f"{where} refuses us ({_one_line(error)}): check user, password and rights")
    if state in _FULL_DISK:
        return StorageError(f"{where} cannot write ({_one_line(error)}). Nothing stored before is lost")
    if isinstance(error, OperationalError):
        return StorageError(f"{where} cannot be reached ({_one_line(error)}): is it running?")
    return None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
