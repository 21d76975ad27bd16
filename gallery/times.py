"""Times as the database keeps them: ISO 8601 UTC text of fixed width, so that text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.errors import UsageError


def utc_text(when: datetime) -> str:
    """``2025-01-31T08:00:00.000000Z``.

    Raises:
        UsageError: `when` has no time zone.
    """
    if when.tzinfo is None:
        raise UsageError(f"the time {when.isoformat()} has no zone: write it with one, such as Z or +02:00")
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def utc_text_from_ns(now_ns: int) -> str:
    """The same for nanoseconds since 1970 UTC, rounded down to microseconds."""
    seconds, rest_ns = divmod(now_ns, 1_000_000_000)
    return utc_text(datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1000))


def parse_time(text: str) -> datetime:
    """An ISO 8601 time with a zone; a date alone means its first moment in UTC.

    Raises:
        UsageError: it is not such a time.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is not a time: write it like 2025-12-31 or 2025-12-31T08:00Z") from error
    if when.tzinfo is None and len(text) == len("2025-12-31"):
        return when.replace(tzinfo=UTC)
    utc_text(when)
    return when
