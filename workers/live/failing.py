"""How failures are logged that end nothing: with the way they came only where nobody foresaw them."""

from __future__ import annotations

import structlog

from pipeline.errors import PinwatchError
from pipeline.redact import redact

log = structlog.get_logger(__name__)


def log_failure(event: str, error: Exception, **about: object) -> str:
    """Log it; what to tell people.

    Args:
        event: What failed.
        error: How.
        about: What it was about, for the log.
    """
    told = redact(str(error)) or type(error).__name__
    log.error(event, error=told, exc_info=None if isinstance(error, PinwatchError) else error, **about)
    return told
