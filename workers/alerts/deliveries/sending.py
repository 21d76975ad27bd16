"""What a way to send is, and how it fails."""

from __future__ import annotations

from typing import Protocol

from pipeline.errors import PinwatchError
from workers.alerts.deliveries.message import Message
from workers.alerts.deliveries.receiver import Receiver

TIMEOUT_S = 10.0
"""For each wait on the network."""


class NotTaken(PinwatchError):
    """It was not taken; another attempt may do better."""

    retriable = True


class Refused(PinwatchError):
    """It was not taken, and never will be."""


class Sends(Protocol):
    """One way to send."""

    def send(self, receiver: Receiver, message: Message) -> None:
        """Return when the message was taken.

        Raises:
            NotTaken: it was not; try again later.
            Refused: it was not; do not try again.
        """
        ...
