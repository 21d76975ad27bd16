# mypy: ignore-errors
"""An RTSP camera for tests: plays a file in a loop as /main and, smaller, as /sub, frame by frame in step.

Runs under the system's Python, which has GStreamer (Debian: python3-gi, gir1.2-gst-rtsp-server-1.0 and the
plugin packages good, bad, ugly and libav). Writes ``ready PORT`` when it listens. Takes ``pause MOUNT`` and
``resume MOUNT`` on standard input: a paused stream stays connected and sends nothing. With ``--burn`` the
time is in the pixels of every picture, as ``bench.burnt.read_back`` reads it.
"""

import argparse
import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtspServer  # noqa: E402, F401 - GstApp adds push_buffer

ROLE = "viewer"
X264 = "x264enc tune=zerolatency speed-preset=ultrafast bitrate=4000 threads=1"


class Feed:
    """Decodes the file over and over at its own pace and hands each picture to all who watch."""

    def __init__(self, path, width, height, burn):
        self._size = (width, height) if burn else None
        scale = f"videoscale ! video/x-raw,format=I420,width={width},height={height}"
        self._watchers = []
        self._pipeline = Gst.parse_launch(
            f"filesrc name=file ! decodebin ! videoconvert ! {scale} ! "
            "appsink name=sink emit-signals=true sync=true max-buffers=4"
        )
        self._pipeline.get_by_name("file").set_property("location", path)
        self._pipeline.get_by_name("sink").connect("new-sample", self._on_sample)
        bus = self._pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::eos", self._on_end)
        bus.connect("message::error", self._on_error)

    def play(self):
        self._pipeline.set_state(Gst.State.PLAYING)

    def watch(self, deliver):
        self._watchers.append(deliver)
        return lambda *_: self._watchers.remove(deliver)

    def _on_sample(self, sink):
        sample = sink.emit("pull-sample")
        now = Gst.SystemClock.obtain().get_time()
        buffer = sample.get_buffer()
        if self._size:
            buffer = burnt(buffer, *self._size)
        for deliver in tuple(self._watchers):
            deliver(buffer, sample.get_caps(), now)
        return Gst.FlowReturn.OK

    def _on_end(self, _bus, _message):
        self._pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.KEY_UNIT, 0)

    def _on_error(self, _bus, message):
        sys.exit(f"cannot play: {message.parse_error()}")


def burnt(buffer, width, height):
    """The picture (I420) with 64 bits of nanoseconds in its top fifth: black and white in four rows of 16."""
    data = bytearray(buffer.extract_dup(0, buffer.get_size()))
    now_ns = time.time_ns()
    across = [round(width * at / 16) for at in range(17)]
    for row in range(4):
        bits = [now_ns >> (16 * row + column) & 1 for column in range(16)]
        line = b"".join(
            bytes([16 + 219 * bit]) * (across[at + 1] - across[at]) for at, bit in enumerate(bits)
        )
        top, bottom = (round(height * 0.2 * at / 4) for at in (row, row + 1))
        data[top * width : bottom * width] = line * (bottom - top)
    return Gst.Buffer.new_wrapped(bytes(data))


class Mount:
    """One address of the server; all its clients share one encoder."""

    def __init__(self, feed, size, gop, private):
        self.paused = False
        self._feed = feed
        width, height = size
        self.factory = GstRtspServer.RTSPMediaFactory()
        self.factory.set_shared(True)
        self.factory.set_launch(
            "( appsrc name=feed is-live=true format=time ! "
            f"videoscale ! video/x-raw,width={width},height={height} ! {X264} key-int-max={gop} ! "
            "video/x-h264,profile=baseline ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
        )
        self.factory.connect("media-configure", self._on_configure)
        if private:
            self.factory.set_permissions(_permissions())

    def _on_configure(self, _factory, media):
        source = media.get_element().get_by_name("feed")
        media.connect("unprepared", self._feed.watch(lambda *what: self._push(source, *what)))

    def _push(self, source, picture, caps, now):
        if not self.paused and now > source.get_base_time() > 0:  # it has begun to play
            # A buffer of its own with the same pixels: copy() only adds a reference.
            buffer = picture.copy_region(Gst.BufferCopyFlags.MEMORY, 0, 2**64 - 1)
            # The same moment for both mounts, however long this process is kept waiting in between.
            buffer.pts = now - source.get_base_time()
            source.set_property("caps", caps)
            source.emit("push-buffer", buffer)


def _permissions():
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role(ROLE, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role(ROLE, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    return permissions


def _authentication(user, password):
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE)
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return auth


def _say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _obey(_channel, _condition, mounts):
    line = sys.stdin.readline()
    if not line:  # whoever started us has gone
        sys.exit(0)
    order, _, mount = line.strip().partition(" ")
    mounts[mount].paused = order == "pause"
    _say("done")
    return True


def _size(text):
    width, _, height = text.partition("x")
    return int(width), int(height)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--port", default="0")
    parser.add_argument("--main", type=_size, default=(640, 360))
    parser.add_argument("--sub", type=_size, default=(320, 180))
    parser.add_argument("--gop", type=int, default=12)
    parser.add_argument("--burn", action="store_true")
    parser.add_argument("--user")
    parser.add_argument("--password")
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer(address="127.0.0.1", service=options.port)
    feed = Feed(options.file, *options.main, options.burn)
    mounts = {
        "/main": Mount(feed, options.main, options.gop, options.user),
        "/sub": Mount(feed, options.sub, options.gop, options.user),
    }
    for path, mount in mounts.items():
        server.get_mount_points().add_factory(path, mount.factory)
    if options.user:
        server.set_auth(_authentication(options.user, options.password))
    if not server.attach(None):
        sys.exit("the port is taken")
    feed.play()
    GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, _obey, mounts)
    _say(f"ready {server.get_bound_port()}")
    GLib.MainLoop().run()


main()
