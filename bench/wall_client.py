"""A program that watches the wall, for those that measure it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def listen(
    address: str,
    secret: str,
    show: Mapping[str, int],
    *,
    take: Callable[[dict[str, Any]], None],
    look: Callable[[bytes, int], None],
    warm_s: float,
) -> None:
    """Listen until the console ends.

    Args:
        address: Of its socket.
        secret: Of a token.
        show: Width of pictures by camera, px.
        take: Given every event.
        look: Given every picture after `warm_s` seconds, with the number of its message.
        warm_s: See `look`.
    """
    since_s, headers = time.monotonic() + warm_s, {"Authorization": f"Bearer {secret}"}
    try:
        with connect(address, additional_headers=headers, max_size=2**24, proxy=None) as link:
            link.send(json.dumps({"show": dict(show)}))
            for number, message in enumerate(link):
                if isinstance(message, str):
                    take(json.loads(message))
                elif time.monotonic() > since_s:
                    look(message, number)
    except ConnectionClosed:
        pass
