"""The wall's WebSocket: what is asked of it on one side, what is new on the other."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect

from pipeline.errors import PinwatchError, UsageError
from pipeline.seams import Clock
from workers.console.access.principal import Principal
from workers.console.access.roles import Permission
from workers.console.wall.people import NamedEvents
from workers.console.wall.requests import Ask, AskLimit, parse_ask
from workers.console.wall.service import TooManyWalls, Wall
from workers.console.web.guard import admit_socket, needs, principal_of
from workers.live.events import Event
from workers.live.state import LiveState
from workers.live.tiles import Tile, pack_tile
from workers.live.video import Chunk, pack_chunk
from workers.live.viewer import Viewer

log = structlog.get_logger(__name__)

ALIVE_EVERY_S = 5.0
"""So often something is sent, if only that nothing is new: a page that hears less has lost the console."""

ASKS_WITHIN_S = 10.0
TAKES_WITHIN_S = 10.0
"""Whoever takes nothing for so long is let go."""

REFUSED, GONE, BUSY, BROKEN = 1008, 1001, 1013, 1011


class SocketRoute:
    """Opens sockets.

    Args:
        wall: What is shown.
        clock: Time.
        check_every_s: How often it is checked whether whoever watches still may.
    """

    def __init__(self, wall: Wall, clock: Clock, check_every_s: float) -> None:
        self._wall, self._clock, self._check_every_s = wall, clock, check_every_s

    @needs(Permission.READ_LIVE)
    async def watch(self, websocket: WebSocket) -> None:
        """Hold one open until somebody has enough of it."""
        principal = principal_of(websocket)
        await websocket.accept()
        try:
            with self._wall.place(principal):
                events = await run_in_threadpool(self._wall.events_for, principal)
                session = _Session(websocket, self._wall, events, self._clock, self._check_every_s)
                await session.serve(principal)
        except TooManyWalls as error:
            await _close(websocket, BUSY, str(error))
        except UsageError as error:
            await _close(websocket, REFUSED, str(error))
        except HTTPException as error:
            await _close(websocket, REFUSED, str(error.detail))
        except PinwatchError as error:
            log.error("a live wall ended", error=str(error))
            await _close(
                websocket, BROKEN, "this cannot be done at the moment: the log of the console says why"
            )
        except (WebSocketDisconnect, TimeoutError):
            await _close(websocket, GONE, "too slow")


class _Session:
    """One socket."""

    def __init__(
        self, websocket: WebSocket, wall: Wall, events: NamedEvents, clock: Clock, check_every_s: float
    ) -> None:
        self._websocket, self._hub, self._events = websocket, wall.hub, events
        self._clock, self._check_every_s = clock, check_every_s
        self._limit = AskLimit()

    async def serve(self, principal: Principal) -> None:
        """Until either side ends it.

        Raises:
            HTTPException: whoever watches may not any more.
            UsageError: nobody should ask like that.
            TimeoutError, WebSocketDisconnect: the other side is gone, or as good as.
        """
        async with asyncio.timeout(ASKS_WITHIN_S):
            first = await self._next_ask()
        with self._hub.connect(principal.sees, first.after) as viewer:
            viewer.show(first.show or {})
            await self._play(viewer, first.video)
            tasks = [
                asyncio.create_task(work) for work in (self._listen(viewer), self._tell(principal, viewer))
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, viewer: Viewer) -> None:
        while True:
            ask = await self._next_ask()
            if ask.show is not None:
                viewer.show(ask.show)
            await self._play(viewer, ask.video)

    async def _play(self, viewer: Viewer, camera_id: str | None) -> None:
        if camera_id is not None and not viewer.play(camera_id or None) and camera_id:
            await self._send({"kind": "video", "camera": camera_id, "available": False})

    async def _next_ask(self) -> Ask:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", GONE))
        self._limit.check(_now_s())
        text = message.get("text")
        if text is None:
            raise UsageError("a message is text")
        return parse_ask(text)

    async def _tell(self, principal: Principal, viewer: Viewer) -> None:
        await self._send_state(principal, self._hub.state())
        check_at_s = _now_s() + self._check_every_s
        while True:
            taken = await viewer.take(min(ALIVE_EVERY_S, max(0.0, check_at_s - _now_s())))
            if taken.over:
                await _close(self._websocket, GONE, "the console ends")
                return
            if _now_s() >= check_at_s:
                principal = await admit_socket(self._websocket, Permission.READ_LIVE)
                viewer.allow(principal.sees)
                check_at_s = _now_s() + self._check_every_s
            if taken.gap:
                await self._send({"kind": "gap"})
                await self._send_state(principal, self._hub.state())
            await self._send_events(principal, taken.events)
            for tile in taken.tiles:
                await self._send_tile(principal, tile)
            if taken.video is not None and viewer.played is not None:
                await self._send_video(viewer.played, taken.video)
            if not taken:
                await self._send({"kind": "alive", "server_now_ns": self._clock.now_ns()})

    async def _send_state(self, principal: Principal, state: LiveState) -> None:
        seen = [event for event in state.tracks if principal.sees(event.camera_id or "")]
        tracks = await run_in_threadpool(self._events.bodies, principal, seen)
        cameras = [
            {"camera": one.camera_id, **one.body()} for one in state.cameras if principal.sees(one.camera_id)
        ]
        await self._send(
            {
                "kind": "state",
                "id": state.after,
                "server_now_ns": self._clock.now_ns(),
                "cameras": cameras,
                "tracks": tracks,
                "trouble": state.trouble,
            }
        )

    async def _send_events(self, principal: Principal, events: Sequence[Event]) -> None:
        if not events:
            return
        for body in await run_in_threadpool(self._events.bodies, principal, events):
            await self._send(body)

    async def _send_tile(self, principal: Principal, tile: Tile) -> None:
        if principal.sees(tile.camera_id):
            packed = pack_tile(tile, self._clock.now_ns())
            async with asyncio.timeout(TAKES_WITHIN_S):
                await self._websocket.send_bytes(packed)

    async def _send_video(self, camera_id: str, chunk: Chunk) -> None:
        packed = pack_chunk(camera_id, chunk, self._clock.now_ns())
        async with asyncio.timeout(TAKES_WITHIN_S):
            await self._websocket.send_bytes(packed)

    async def _send(self, message: dict[str, Any]) -> None:
        text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
        async with asyncio.timeout(TAKES_WITHIN_S):
            await self._websocket.send_text(text)


def _now_s() -> float:
    return asyncio.get_running_loop().time()


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    """Say why, if anybody is still there to hear it."""
    with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError, OSError):
        async with asyncio.timeout(1.0):
            await websocket.close(code, reason[:120])
