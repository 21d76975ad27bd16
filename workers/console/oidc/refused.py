"""Why somebody does not come in through the provider."""

from __future__ import annotations

from pipeline.errors import UsageError


class NotAdmitted(UsageError):
    """Somebody does not come in; the text is what they are shown.

    Args:
        text: For them.
        reason: For the record, in a few words.
        status: HTTP's.
        wait_s: Seconds until the next attempt is listened to; 0: at once.
    """

    def __init__(self, text: str, reason: str, status: int = 400, wait_s: float = 0.0) -> None:
        super().__init__(text)
        self.reason, self.status, self.wait_s = reason, status, wait_s


def unreachable(what: str) -> NotAdmitted:
    """The provider cannot be asked, or says nonsense."""
    return NotAdmitted(
        "The identity provider cannot be reached, or does not answer as it should. Try again in a moment; "
        "an administrator with a password can still log in.",
        what,
        503,
    )


def not_proven(reason: str) -> NotAdmitted:
    """What the provider sent does not hold."""
    return NotAdmitted("The answer of the identity provider does not hold. Log in again.", reason)


def begin_again(reason: str) -> NotAdmitted:
    """The answer belongs to no login of this browser."""
    return NotAdmitted(
        "This login was begun in another browser, is too old, or was finished already. Log in again.", reason
    )
