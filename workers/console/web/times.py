"""Times as operators read and type them: in the zone of the console."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gallery.times import utc_text_from_ns
from pipeline.errors import ConfigError, UsageError

_TYPED = "%Y-%m-%dT%H:%M"


class TimeZone:
    """A zone by its name in the tz database.

    Args:
        name: Such as ``Europe/Berlin``.

    Raises:
        ConfigError: there is none of that name on this machine.
    """

    def __init__(self, name: str) -> None:
        try:
            self._zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigError(f"console.time_zone: there is no time zone {name!r} on this machine") from error
        self.name = name

    @property
    def zone(self) -> ZoneInfo:
        """For reckoning."""
        return self._zone

    def show(self, text: str | None) -> str:
        """An ISO 8601 time with a zone as ``2025-01-31 09:00:00``; nothing for ``None``."""
        if text is None:
            return ""
        return datetime.fromisoformat(text).astimezone(self._zone).strftime("%Y-%m-%d %H:%M:%S")

    def show_ns(self, time_ns: int | None) -> str:
        """The same of nanoseconds since 1970 UTC."""
        return "" if time_ns is None else self.show(utc_text_from_ns(time_ns))

    def typed(self, text: str) -> datetime | None:
        """What was typed into a form; ``None`` for nothing.

        Raises:
            UsageError: it is no time.
        """
        if not text.strip():
            return None
        try:
            when = datetime.fromisoformat(text.strip())
        except ValueError:
            raise UsageError(f"{text!r} is not a time: write it like 2025-12-31 08:00") from None
        return when if when.tzinfo is not None else when.replace(tzinfo=self._zone)

    def for_form(self, when: datetime | None) -> str:
        """The same as forms show it again."""
        return "" if when is None else when.astimezone(self._zone).strftime(_TYPED)
