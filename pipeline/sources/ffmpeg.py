"""Opening and reading containers with FFmpeg, its errors turned into ours.

FFmpeg's errors carry the whole address, password included. They are therefore never chained: each
is put into our own words, and raised where no exception is being handled, so that not even
``__context__`` leads back to it. PyAV keeps FFmpeg's own log silent unless somebody turns it on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from pipeline.errors import SourceError, SourceLost, SourceNotFound, SourceUnreadable
from pipeline.sources.channel import DropCounter

DEFAULT_RATE_HZ = 25.0

_NO_ACCESS = (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)
_NOT_VIDEO = (av.error.InvalidDataError, av.error.LookupError, av.error.PatchWelcomeError)


def open_input(
    target: str,
    explain: Callable[[Exception], SourceError],
    options: Mapping[str, str],
    open_s: float | None = None,
    read_s: float | None = None,
) -> InputContainer:
    """Open `target` and read its headers.

    Args:
        target: What FFmpeg opens; may hold credentials.
        explain: Makes our error of FFmpeg's.
        options: FFmpeg's.
        open_s: How long opening may take, ``None`` for ever; `read_s` the same for each packet.

    Raises:
        SourceError: what `explain` makes.
    """
    started_s = time.monotonic()
    try:
        return av.open(target, "r", options=dict(options), timeout=(open_s, read_s))
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        # Interrupted for taking too long, FFmpeg answers with whatever it was doing.
        late = open_s is not None and time.monotonic() - started_s >= open_s
        failure = explain(TimeoutError() if late else error)
    raise failure


def explain_network(shown: str, error: Exception) -> SourceError:
    """Our error for one of FFmpeg's about a network stream, which messages call `shown`.

    ``SourceLost`` if the same call may work later, else ``SourceNotFound`` or ``SourceUnreadable``.
    """
    match error:
        case av.error.ExitError() | TimeoutError():
            return SourceLost(f"{shown} does not answer in time; check that it is on and reachable")
        case error if isinstance(error, _NO_ACCESS):
            return SourceUnreadable(f"{shown} refuses the user name or password; correct the address")
        case av.error.HTTPNotFoundError():
            return SourceNotFound(f"{shown}: the device answers, but has no stream of that path; correct it")
        case av.error.HTTPClientError():
            return SourceUnreadable(f"{shown} refuses the request ({plain(error)}); check path and transport")
        case error if isinstance(error, _NOT_VIDEO):
            return SourceUnreadable(f"{shown} sends no video that can be decoded ({plain(error)})")
        case _:
            return SourceLost(f"{shown} cannot be reached ({plain(error)}); check host, port and network")


def plain(error: Exception) -> str:
    """What went wrong without where: FFmpeg's own words never hold the address, its full text does."""
    words = getattr(error, "strerror", None)
    return str(words).lower() if words else type(error).__name__


def video_stream(container: InputContainer, shown: str) -> VideoStream:
    """The best video stream that can be decoded; a cover picture is not a video.

    Raises:
        SourceUnreadable: there is none.
    """
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        kinds = ", ".join(sorted({other.type for other in container.streams}))
        raise SourceUnreadable(f"{shown} holds no video, only {kinds or 'nothing'}")
    # Not in the type stubs: a stream whose codec this FFmpeg lacks has no context.
    if getattr(stream, "codec_context", None) is None:
        raise SourceUnreadable(f"{shown}: its video codec cannot be decoded here; convert it to H.264")
    return stream


def rate_of(stream: VideoStream) -> float:
    """Nominal frames per second; :data:`DEFAULT_RATE_HZ` where the stream does not say."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else DEFAULT_RATE_HZ


def decoded(packet: Packet[VideoStream], drops: DropCounter) -> Iterator[VideoFrame]:
    """The whole frames that `packet` completes; broken ones are counted as ``corrupt``."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        drops.add("corrupt")
        return
    for frame in frames:
        if frame.is_corrupt:  # concealed: parts of it are guesses, and a guess must not name anybody
            drops.add("corrupt")
        else:
            yield frame
