from __future__ import annotations

import itertools
import multiprocessing
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gallery.database import Database
from pipeline.errors import ConfigError, SourceNotFound, UsageError
from pipeline.region import Polygon
from pipeline.sources.options import Transport
from pipeline.sources.select import StreamSpec, UsbSpec
from workers.camera_file import read_cameras
from workers.camera_settings import make_camera
from workers.cameras import Camera, CameraStore

SECRET = "hunter2"
ADDRESS = f"rtsp://admin:{SECRET}@10.0.0.7/main"
NOW_NS = 1_700_000_000_000_000_000
WHOLE = {
    "name": "lobby",
    "address": ADDRESS,
    "transport": "udp",
    "substream": f"rtsp://admin:{SECRET}@10.0.0.7/sub",
    "rate_limit_hz": 12.5,
    "region_of_interest": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]],
    "privacy_masks": [[[0.9, 0.9], [1, 0.9], [1, 1]], [[0, 0], [0.1, 0], [0, 0.1]]],
    "clock_offset_s": -0.4,
    "enabled": False,
}


def camera(**settings: Any) -> Camera:
    return make_camera({"name": "lobby", "address": ADDRESS, **settings})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CameraStore]:
    database = Database.open(tmp_path / "data")
    yield CameraStore(database)
    database.close()


class TestSettings:
    def test_all_of_them(self) -> None:
        whole = make_camera(WHOLE)
        assert whole.transport is Transport.UDP
        assert isinstance(whole.address, StreamSpec)
        assert whole.address.address.reveal() == ADDRESS
        assert whole.region is not None
        assert whole.region.polygon == Polygon(((0, 0), (0.5, 0), (0.5, 1), (0, 1)))
        assert whole.mask is not None
        assert len(whole.mask.polygons) == 2
        plan = whole.plan()
        assert (plan.camera_id, plan.main, plan.substream) == ("lobby", whole.address, whole.substream)
        assert (plan.transport, plan.rate_limit_hz, plan.clock_offset_s) == (Transport.UDP, 12.5, -0.4)
        assert plan.mask == whole.mask

    def test_what_is_left_out(self) -> None:
        plain = camera()
        assert plain.transport is Transport.TCP
        assert plain.enabled
        assert (plain.substream, plain.region, plain.mask, plain.rate_limit_hz) == (None,) * 4

    @pytest.mark.parametrize("index", [0, "0", 12])
    def test_a_number_is_a_camera_of_this_machine(self, index: object) -> None:
        assert camera(address=index).address == UsbSpec(int(str(index)))

    def test_credentials_show_nowhere(self) -> None:
        whole = make_camera(WHOLE)
        for text in (
            repr(whole),
            str(whole),
            str(whole.shown()),
            whole.model_dump_json(),
            repr(whole.plan()),
        ):
            assert SECRET not in text
            assert "admin" not in text
        assert whole.shown()["address"] == "rtsp://***@10.0.0.7/main"

    @pytest.mark.parametrize(
        ("change", "path", "words"),
        [
            ({"adress": ADDRESS}, "camera.adress", "did you mean address"),
            ({"zzz": 1}, "camera.zzz", "known are name, address"),
            ({"name": ""}, "camera.name", "1 to 64"),
            ({"name": "a/b"}, "camera.name", "1 to 64"),
            ({"name": "a:b"}, "camera.name", "1 to 64"),
            ({"name": "x" * 65}, "camera.name", "1 to 64"),
            ({"name": "17"}, "camera.name", "mere number"),
            ({"address": f"rtsp://admin:{SECRET}"}, "camera.address", "HOST"),
            ({"address": f"ftp://admin:{SECRET}@x"}, "camera.address", "must start with"),
            ({"address": -1}, "camera.address", "must be an address"),
            ({"address": True}, "camera.address", "must be an address"),
            ({"substream": 0}, "camera.substream", "must be an address"),
            ({"transport": "pigeon"}, "camera.transport", "tcp"),
            ({"rate_limit_hz": 0}, "camera.rate_limit_hz", "greater than 0"),
            ({"clock_offset_s": "soon"}, "camera.clock_offset_s", "number"),
            ({"clock_offset_s": float("nan")}, "camera.clock_offset_s", "3600"),
            ({"region_of_interest": [[0, 0], [1, 1]]}, "camera.region_of_interest", "at least 3"),
            ({"region_of_interest": "left"}, "camera.region_of_interest", ""),
            ({"privacy_masks": [[[0, 0], [2, 0], [0, 1]]]}, "camera.privacy_masks.0", "from 0 to 1"),
            ({"privacy_masks": [3]}, "camera.privacy_masks.0", "list of corners"),
        ],
    )
    def test_what_does_not_fit_is_named_by_its_path(
        self, change: dict[str, Any], path: str, words: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            camera(**change)
        assert str(caught.value).startswith(f"{path}: ")
        assert words in str(caught.value)
        assert SECRET not in str(caught.value)
        assert caught.value.__context__ is None, "the cause holds the settings as they came"

    def test_every_problem_is_told_at_once(self) -> None:
        with pytest.raises(ConfigError) as caught:
            camera(name="", transport="pigeon", extra=1)
        assert len(str(caught.value).splitlines()) == 3

    def test_settings_must_be_keys_and_values(self) -> None:
        with pytest.raises(ConfigError, match="camera"):
            make_camera(["lobby", ADDRESS])


class TestStore:
    def test_what_was_saved_comes_back(self, store: CameraStore) -> None:
        store.add(make_camera(WHOLE), NOW_NS)
        store.add(camera(name="gate", address=1), NOW_NS)
        assert store.names() == ["gate", "lobby"]
        assert store.get("lobby") == make_camera(WHOLE)
        address = store.get("lobby").address
        assert isinstance(address, StreamSpec)
        assert address.address.reveal() == ADDRESS

    def test_a_name_is_taken_once_unless_it_is_to_be_replaced(self, store: CameraStore) -> None:
        store.add(camera(), NOW_NS)
        with pytest.raises(UsageError, match="--replace"):
            store.add(camera(enabled=False), NOW_NS)
        assert store.get("lobby").enabled
        store.add(camera(enabled=False), NOW_NS, replace=True)
        assert not store.get("lobby").enabled

    def test_remove(self, store: CameraStore) -> None:
        store.add(camera(), NOW_NS)
        store.remove("lobby")
        assert store.names() == []
        with pytest.raises(SourceNotFound, match="lobby"):
            store.remove("lobby")

    def test_no_camera_of_that_name(self, store: CameraStore) -> None:
        store.add(camera(), NOW_NS)
        with pytest.raises(SourceNotFound, match=r"'loby'.*did you mean lobby"):
            store.get("loby")
        with pytest.raises(SourceNotFound, match="cameras list"):
            store.get("zzz")

    def test_importing_twice_changes_nothing(self, store: CameraStore) -> None:
        cameras = [make_camera(WHOLE), camera(name="gate")]
        assert store.add_all(cameras, NOW_NS).added == ("lobby", "gate")
        report = store.add_all([*cameras, camera(name="yard")], NOW_NS)
        assert (report.added, report.changed, report.unchanged) == (("yard",), (), ("lobby", "gate"))
        report = store.add_all([camera(name="gate", transport="udp")], NOW_NS)
        assert report.changed == ("gate",)
        assert store.names() == ["gate", "lobby", "yard"]


class TestEpochs:
    def test_each_camera_counts_for_itself_from_one(self, store: CameraStore) -> None:
        assert [store.next_epoch("lobby") for _ in range(3)] == [1, 2, 3]
        assert store.next_epoch("gate") == 1

    def test_epochs_outlive_the_camera_and_the_program(self, tmp_path: Path) -> None:
        for expected in (1, 2):
            database = Database.open(tmp_path)
            store = CameraStore(database)
            store.add(camera(), NOW_NS)
            assert store.next_epoch("lobby") == expected
            store.remove("lobby")
            database.close()

    def test_no_number_is_given_twice_to_threads(self, store: CameraStore) -> None:
        numbers: list[int] = []

        def count() -> None:
            numbers.extend(store.next_epoch("lobby") for _ in range(10))

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(numbers) == list(range(1, 41))

    def test_nor_to_processes(self, tmp_path: Path) -> None:
        Database.open(tmp_path).close()
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            numbers = pool.map(_count_in_a_process, [str(tmp_path)] * 2)
        assert sorted(itertools.chain.from_iterable(numbers)) == list(range(1, 21))


def _count_in_a_process(folder: str) -> list[int]:
    database = Database.open(Path(folder))
    numbers = [CameraStore(database).next_epoch("lobby") for _ in range(10)]
    database.close()
    return numbers


class TestFile:
    def write(self, tmp_path: Path, text: str) -> Path:
        path = tmp_path / "cameras.yaml"
        path.write_text(text)
        return path

    @pytest.mark.parametrize("head", ["", "cameras:\n"])
    def test_a_list_with_or_without_a_heading(self, tmp_path: Path, head: str) -> None:
        path = self.write(
            tmp_path,
            head + f"- name: lobby\n  address: {ADDRESS}\n  region_of_interest: [[0, 0], [1, 0], [1, 1]]\n"
            "- {name: usb, address: 0}\n",
        )
        assert [each.name for each in read_cameras(path)] == ["lobby", "usb"]

    def test_every_problem_of_every_camera_is_told_with_its_path(self, tmp_path: Path) -> None:
        path = self.write(
            tmp_path,
            f"- {{name: lobby, address: {ADDRESS}}}\n"
            f"- {{name: gate, adress: {ADDRESS}, privacy_masks: [[[0, 0], [3, 0], [0, 1]]]}}\n"
            f"- {{name: lobby, address: 'rtsp://admin:{SECRET}'}}\n"
            "- {name: lobby, address: 1}\n",
        )
        with pytest.raises(ConfigError) as caught:
            read_cameras(path)
        lines = str(caught.value).splitlines()
        assert all(line.startswith(f"{path}: cameras") for line in lines)
        for words in (
            "cameras.1.adress: unknown key",
            "cameras.1.address: Field required",
            "cameras.1.privacy_masks.0: ",
            "cameras.2.address: ",
            "the name lobby is there twice",
        ):
            assert any(words in line for line in lines), words
        assert SECRET not in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "list of cameras"),
            ("- 3\n", "cameras.0"),
            ("name: lobby\n", "list of cameras"),
            (f"- name: lobby\n  address: '{ADDRESS}\n  x", "not YAML, line"),
            ("- !!python/object/apply:os.system ['true']\n", "not YAML"),
        ],
    )
    def test_what_is_no_list_of_cameras(self, tmp_path: Path, text: str, words: str) -> None:
        with pytest.raises(ConfigError, match=words) as caught:
            read_cameras(self.write(tmp_path, text))
        assert SECRET not in str(caught.value)

    def test_files_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"no file .*nowhere\.yaml"):
            read_cameras(tmp_path / "nowhere.yaml")
        with pytest.raises(ConfigError, match="cannot be read"):
            read_cameras(tmp_path)
        (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\xd8")
        with pytest.raises(ConfigError, match="cannot be read"):
            read_cameras(tmp_path / "binary.yaml")
