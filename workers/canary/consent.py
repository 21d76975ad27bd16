"""Takes down what somebody agreed to."""

from __future__ import annotations

import datetime as dt

from gallery.times import utc_text, utc_text_from_ns
from pipeline.errors import UsageError
from workers.canary.records import Consent


def make_consent(text: str, taken_by: str, now_ns: int, until: dt.date) -> Consent:
    """A consent that begins now and ends with the day `until`, UTC.

    Raises:
        UsageError: there are no words, or that day has been.
    """
    if not text.strip():
        raise UsageError("say what was agreed to: a consent without words is none")
    taken_at = utc_text_from_ns(now_ns)
    end = utc_text(dt.datetime.combine(until, dt.time.max, dt.UTC))
    if end <= taken_at:
        raise UsageError(f"the consent would be over already: {until} has been")
    return Consent(text.strip(), taken_by, taken_at, end)
