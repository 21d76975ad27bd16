"""Sends alerts to a web server, signed."""

from __future__ import annotations

from collections.abc import Callable

import requests

from workers.alerts.deliveries.message import Message
from workers.alerts.deliveries.receiver import Receiver
from workers.alerts.deliveries.sending import TIMEOUT_S, NotTaken, Refused
from workers.alerts.deliveries.signing import KEY, SIGNATURE, TIMESTAMP, signature

_NEVER = frozenset({400, 410, 413, 415, 422})
"""Answers that mean this message, whenever it comes."""


class Webhook:
    """POSTs JSON. Follows no redirect: it would carry what we say to somebody whom nobody chose.

    Args:
        now_ns: Wall-clock time, nanoseconds since 1970 UTC.
        timeout_s: For the connection, and for each part of the answer.
    """

    def __init__(self, now_ns: Callable[[], int], timeout_s: float = TIMEOUT_S) -> None:
        self._now_ns, self._timeout_s = now_ns, timeout_s

    def send(self, receiver: Receiver, message: Message) -> None:
        """See :class:`Sends`."""
        body, timestamp = message.body(), str(self._now_ns() // 1_000_000_000)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Pinwatch",
            KEY: message.key,
            TIMESTAMP: timestamp,
            SIGNATURE: signature(receiver.secret, timestamp, body),
        }
        with requests.Session() as session:
            session.trust_env = False  # no passwords from ~/.netrc
            try:
                answer = session.post(
                    receiver.url,
                    data=body,
                    headers=headers,
                    timeout=self._timeout_s,
                    allow_redirects=False,
                    stream=True,  # what it says beside the status is not read
                )
            except (requests.RequestException, ValueError) as error:
                raise NotTaken(f"the webhook cannot be reached: {type(error).__name__}") from error
            answer.close()
        _check(answer.status_code)


def _check(status: int) -> None:
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise NotTaken(f"the webhook answered {status} and leads elsewhere: save the address it leads to")
    if status in _NEVER:
        raise Refused(f"the webhook answered {status}: it does not take what is sent")
    raise NotTaken(f"the webhook answered {status}")
