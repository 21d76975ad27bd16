"""A camera that speaks HTTP and wants a password: it plays a clip to whoever connects."""

from __future__ import annotations

import base64
import io
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

import av

USER, PASSWORD = "watcher", "s3cret-Pa55word"
PIECE_BYTES, PIECE_S = 64 * 1024, 0.1
"""So that the clip of the crowd comes about as fast as it was filmed, and lasts as long as tests look."""


def streamable(clip: Path) -> bytes:
    """The clip with everything that a player needs at its beginning; nothing is encoded anew."""
    buffer = io.BytesIO()
    with av.open(str(clip)) as source, av.open(buffer, "w", format="mpegts") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return buffer.getvalue()


class HttpCamera:
    """Serves within ``with``; `asked` counts who was let in, `refused` who was not."""

    def __init__(self, footage: bytes) -> None:
        self.asked = self.refused = 0
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.headers.get("authorization") != wanted:
                    camera.refused += 1
                    self.send_response(401)
                    self.send_header("www-authenticate", 'Basic realm="camera"')
                    self.end_headers()
                    return
                camera.asked += 1
                self.send_response(200)
                self.send_header("content-type", "video/mp2t")
                self.end_headers()
                try:
                    for begin in range(0, len(footage), PIECE_BYTES):
                        self.wfile.write(footage[begin : begin + PIECE_BYTES])
                        time.sleep(PIECE_S)
                except OSError:
                    return

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def address(self) -> str:
        """With user and password."""
        return f"http://{USER}:{PASSWORD}@{self.host}/main.ts"

    def __enter__(self) -> HttpCamera:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
