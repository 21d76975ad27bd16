"""What consoles and readers say to each other beside the pictures: JSON texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from pipeline.errors import MalformedMessage
from workers.live.relay import Shown
from workers.live.state import CameraState, CameraStatus
from workers.live.tiles import WIDTHS

MAX_CAMERAS = 1000
MAX_TEXT_BYTES = 256 * 1024

_Message = TypeVar("_Message", bound=msgspec.Struct)


class _Show(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From a console: these cameras in these widths, and no others."""

    show: dict[str, list[int]]


class _State(msgspec.Struct, frozen=True):
    camera: str
    state: CameraState
    since_ns: int
    detail: str


class _States(msgspec.Struct, frozen=True):
    """From a reader: how cameras fare."""

    states: list[_State]


def show_text(shown: Shown) -> str:
    """What a console sends."""
    return _text(_Show({camera: sorted(widths) for camera, widths in sorted(shown.items())}))


def parse_show(text: str) -> Shown:
    """What a console wants.

    Raises:
        MalformedMessage: it says something else.
    """
    wanted = _parse(text, _Show).show
    if len(wanted) > MAX_CAMERAS:
        raise MalformedMessage(f"{len(wanted)} cameras are wanted at once, and {MAX_CAMERAS} can be")
    for camera, widths in wanted.items():
        if not set(WIDTHS).issuperset(widths):
            raise MalformedMessage(f"pictures of {camera} are wanted {widths} px wide, and may be {WIDTHS}")
    return {camera: frozenset(widths) for camera, widths in wanted.items()}


def states_text(states: Iterable[CameraStatus]) -> str:
    """What a reader sends."""
    return _text(_States([_State(each.camera_id, each.state, each.since_ns, each.detail) for each in states]))


def parse_states(text: str) -> Sequence[CameraStatus]:
    """What a reader says.

    Raises:
        MalformedMessage: it says something else.
    """
    states = _parse(text, _States).states
    return [CameraStatus(each.camera, each.state, each.since_ns, each.detail) for each in states]


def _text(message: msgspec.Struct) -> str:
    return msgspec.json.encode(message).decode()


def _parse(text: str, kind: type[_Message]) -> _Message:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedMessage(f"not a message of this protocol: {error}") from error
