"""One attempt to send, which ends in time whatever the other side does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from workers.alerts.deliveries.sending import NotTaken

LONGEST_S = 30.0
_LOOK_S = 0.05


def attempt(send: Callable[[], None], ended: threading.Event, longest_s: float = LONGEST_S) -> bool:
    """Send in a thread of its own, which is left to itself if it takes too long or the program ends.

    Args:
        send: What to do.
        ended: The program ends.
        longest_s: Whoever answers a byte at a time must not keep others waiting.

    Returns:
        Whether it came to an end; not when the program ended before it did.

    Raises:
        NotTaken: it took too long.
        PinwatchError: what `send` raised.
    """
    raised: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            send()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the caller's thread
            raised.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="alert delivery", daemon=True).start()
    deadline = time.monotonic() + longest_s
    while not done.wait(_LOOK_S):
        if ended.is_set():
            return False
        if time.monotonic() > deadline:
            raise NotTaken(f"it was not taken within {longest_s:g} s")
    if raised:
        raise raised[0]
    return True
