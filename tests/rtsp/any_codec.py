# mypy: ignore-errors
"""An RTSP server for tests whose stream /main is in any codec: made by a GStreamer description.

Runs under the system's Python, as ``server.py``. Every client gets the file from its beginning, at its own
pace. Writes ``ready PORT`` when it listens; ends when standard input does.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main():
    path, encode = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service="0")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( filesrc location={path} ! decodebin ! videoconvert ! {encode} name=pay0 pt=96 )")
    server.get_mount_points().add_factory("/main", factory)
    if not server.attach(None):
        sys.exit("the port is taken")
    GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, lambda *_: sys.exit(0))
    sys.stdout.write(f"ready {server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


main()
