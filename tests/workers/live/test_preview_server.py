"""A reader's preview server: who is let in, what they get, and what is not done when nobody watches."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from pipeline.errors import ConfigError, UsageError
from tests.workers.live.readers import SECRET, FakeReader, until
from workers.config import WorkerSettings, load_settings
from workers.live.preview_options import PreviewOptions, preview_options, secret_of
from workers.live.state import CameraState
from workers.live.tiles import Tile, unpack_tile


@pytest.fixture
def reader() -> Iterator[FakeReader]:
    with FakeReader() as running:
        yield running


def come(reader: FakeReader, authorization: str | None = f"Bearer {SECRET}") -> ClientConnection:
    headers = {} if authorization is None else {"Authorization": authorization}
    return connect(reader.url, additional_headers=headers, proxy=None, compression=None, close_timeout=1)


def next_tile(connection: ClientConnection) -> Tile:
    while True:
        message = connection.recv(timeout=10)
        if isinstance(message, bytes):
            return unpack_tile(message)[0]


def show(connection: ClientConnection, **cameras: list[int]) -> None:
    connection.send(json.dumps({"show": cameras}))


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", f"Bearer {SECRET[:-1]}", f"Bearer {SECRET}x", f"Basic {SECRET}", SECRET],
)
def test_nobody_looks_without_the_secret(
    reader: FakeReader,
    authorization: str | None,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(InvalidStatus) as refused, come(reader, authorization):
        pass
    assert refused.value.response.status_code == 401
    assert reader.relay.consoles == 0
    assert "does not know the secret" in (said := "".join(capfd.readouterr()))
    assert SECRET not in said
    assert not [record for record in caplog.records if record.name not in ("websockets.client", "asyncio")]


def test_what_is_wanted_is_encoded_and_nothing_else(reader: FakeReader) -> None:
    with come(reader) as connection:
        time.sleep(0.2)
        assert reader.encoded == 0, "somebody is there, and watches nothing"
        show(connection, gate=[320])
        tile = next_tile(connection)
        assert (tile.camera_id, tile.stream_epoch, tile.width_px, tile.height_px) == ("gate", 1, 320, 180)
        assert tile.jpeg.startswith(b"\xff\xd8")
        (box,) = tile.boxes
        assert (box.track_id, box.x0, box.y0, box.x1, box.y1) == (7, 0.1, 0.1, 0.3, 0.5)
        show(connection, gate=[320, 640])
        assert {next_tile(connection).width_px for _ in range(8)} == {320, 640}
        show(connection)
        until(lambda: not reader.wanted("gate"), "nobody wants it")
        time.sleep(0.1)
        before = reader.encoded
        time.sleep(0.2)
        assert reader.encoded == before


def test_who_goes_wants_nothing_any_more(reader: FakeReader) -> None:
    changes: list[str] = []
    no_more = reader.relay.on_wanted(changes.append)
    with come(reader) as connection:
        show(connection, gate=[320], yard=[640])
        until(lambda: reader.wanted("gate") == {320}, "it is wanted")
    until(lambda: not reader.wanted("gate"), "nobody wants it")
    assert changes == ["gate", "yard", "gate", "yard"]
    assert reader.relay.consoles == 0
    no_more()
    with come(reader) as connection:
        show(connection, gate=[320])
        until(lambda: reader.wanted("gate") == {320}, "it is wanted")
    assert len(changes) == 4


def test_two_consoles_get_the_same_pictures_encoded_once(reader: FakeReader) -> None:
    with come(reader) as one, come(reader) as two:
        show(one, gate=[320])
        show(two, gate=[320])
        first = {next_tile(one).pts_ns for _ in range(10)}
        second = {next_tile(two).pts_ns for _ in range(10)}
        assert first & second
        assert reader.encoded <= max(len(first), len(second)) * 3


def test_newcomers_are_told_how_cameras_are(reader: FakeReader) -> None:
    reader.relay.camera_state("gate", CameraState.LOST, 17, "no picture")
    with come(reader) as connection:
        told = json.loads(connection.recv(timeout=10))
        assert told == {
            "states": [{"camera": "gate", "state": "lost", "since_ns": 17, "detail": "no picture"}]
        }
        reader.relay.camera_state("gate", "lost", 18, "no picture")
        reader.relay.camera_state("gate", "live", 19)
        assert json.loads(connection.recv(timeout=10))["states"][0]["since_ns"] == 19


@pytest.mark.parametrize(
    "message", [b"bytes", "{", "[]", '{"show": {"gate": [17]}}', '{"show": {"gate": 320}}', '{"x": 1}']
)
def test_what_nobody_understands_ends_that_connection_only(reader: FakeReader, message: str | bytes) -> None:
    with come(reader) as good, come(reader) as bad:
        show(good, gate=[320])
        bad.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            bad.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1003
        assert next_tile(good).camera_id == "gate"


def test_a_slow_console_gets_the_newest_picture_and_costs_no_memory(reader: FakeReader) -> None:
    with come(reader) as slow:
        show(slow, gate=[1280])
        until(lambda: reader.encoded > 60, "much was encoded meanwhile")
        viewer = reader.relay._viewers[0]
        assert len(viewer.tiles) <= 1


def test_it_ends_at_once_also_with_consoles_connected() -> None:
    with FakeReader() as reader, come(reader) as connection:
        show(connection, gate=[320])
        next_tile(connection)
        begun = time.monotonic()
        reader.close()
        assert time.monotonic() - begun < 3
        with pytest.raises(ConnectionClosed):
            _drain(connection)


def _drain(connection: ClientConnection) -> None:
    while True:
        connection.recv(timeout=5)


def test_a_port_that_is_taken_is_named(reader: FakeReader) -> None:
    with pytest.raises(UsageError, match=rf"127\.0\.0\.1:{reader.server.port} .*worker\.preview_port"):
        FakeReader(port=reader.server.port)


def test_settings_without_a_secret_or_with_a_short_one_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="PINWATCH_WORKER__PREVIEW_SECRET"):
        preview_options(WorkerSettings(preview_port=9500))
    with pytest.raises(ConfigError, match="16 characters") as refused:
        secret_of(WorkerSettings.model_validate({"preview_secret": "hunter2"}))
    assert "hunter2" not in str(refused.value)
    with pytest.raises(ConfigError, match="belong together"):
        preview_options(
            WorkerSettings.model_validate(
                {"preview_port": 1, "preview_secret": SECRET, "preview_key_file": "/nowhere"}
            )
        )


@pytest.mark.parametrize(
    "document",
    ["worker: {preview_secret: 1234567}", "kafka: {security: {mechanism: PLAIN, password: '1234567'}}"],
)
def test_what_is_wrong_with_a_secret_is_said_without_it(tmp_path: Path, document: str) -> None:
    (tmp_path / "config.yaml").write_text(document, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_settings(tmp_path / "config.yaml", {})
    assert "1234567" not in str(refused.value)


def test_addresses() -> None:
    assert PreviewOptions("127.0.0.1", 0, SECRET).address(9) == "ws://127.0.0.1:9"
    assert PreviewOptions("::1", 0, SECRET).address(9) == "ws://[::1]:9"
    assert PreviewOptions("0.0.0.0", 0, SECRET).address(9) not in ("ws://0.0.0.0:9", "ws://:9")
    assert PreviewOptions("0.0.0.0", 0, SECRET, "wss://r.example.org").address(9) == "wss://r.example.org"
    assert SECRET not in repr(PreviewOptions("::1", 0, SECRET))
    for wrong in ("http://r:1", "ws://", "ws://user:pw@r:1"):
        with pytest.raises(ConfigError, match="preview_url"):
            PreviewOptions("::1", 0, SECRET, wrong)
