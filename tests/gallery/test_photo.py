"""Photographs as they come: every kind is read, every trap is refused by name."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest

from gallery.photo import MAX_PIXELS, decode_photo, read_photo
from pipeline.errors import ImageError
from pipeline.types import ByteArray


def gradient(height: int = 60, width: int = 80) -> ByteArray:
    """Blue grows to the right, green downwards, red is 40."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    image[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    return image


def encoded(suffix: str, image: npt.NDArray[np.integer[Any]]) -> bytes:
    done, data = cv2.imencode(suffix, image)
    assert done
    return data.tobytes()


def close(one: ByteArray, other: ByteArray) -> bool:
    return one.shape == other.shape and float(np.abs(one.astype(int) - other).mean()) < 6


@pytest.mark.parametrize(
    ("suffix", "extension"),
    [(".jpg", "jpg"), (".png", "png"), (".webp", "webp"), (".bmp", "bmp"), (".tiff", "tif"), (".ppm", "ppm")],
)
def test_every_kind_is_read(tmp_path: Path, suffix: str, extension: str) -> None:
    path = tmp_path / f"photo{suffix.upper()}"
    path.write_bytes(encoded(suffix, gradient()))
    photo = read_photo(path)
    assert close(photo.image_bgr, gradient())
    assert photo.record.extension == extension
    assert (photo.record.width_px, photo.record.height_px) == (80, 60)
    assert photo.record.original_name == path.name
    assert photo.data == path.read_bytes()


def test_the_extension_follows_the_content_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(".jpg", gradient()))
    assert read_photo(path).record.extension == "jpg"


def test_grey_becomes_three_equal_channels() -> None:
    grey = gradient()[..., 0]
    assert np.array_equal(decode_photo(encoded(".png", grey), "grey").image_bgr, np.dstack([grey] * 3))


def test_alpha_is_left_out() -> None:
    with_alpha = np.dstack([gradient(), np.full((60, 80), 7, np.uint8)])
    assert np.array_equal(decode_photo(encoded(".png", with_alpha), "alpha").image_bgr, gradient())


def test_sixteen_bits_become_eight() -> None:
    deep = gradient().astype(np.uint16) * 257
    assert np.array_equal(decode_photo(encoded(".png", deep), "deep").image_bgr, gradient())


def test_a_palette_is_resolved() -> None:
    image = PIL.Image.fromarray(np.ascontiguousarray(gradient()[..., ::-1])).quantize(256)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert close(decode_photo(buffer.getvalue(), "palette").image_bgr, gradient())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int) -> None:
    """The camera stores the turned picture and says how; we must see what was in front of it."""
    upright = PIL.Image.fromarray(np.ascontiguousarray(gradient()[..., ::-1]))
    turn = {
        2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
        3: PIL.Image.Transpose.ROTATE_180,
        4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
        5: PIL.Image.Transpose.TRANSPOSE,
        6: PIL.Image.Transpose.ROTATE_90,
        7: PIL.Image.Transpose.TRANSVERSE,
        8: PIL.Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turn[orientation]) if orientation in turn else upright
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "JPEG", quality=95, exif=exif)
    assert close(decode_photo(buffer.getvalue(), "turned").image_bgr, gradient())


def test_the_first_picture_of_a_telephones_file_is_read() -> None:
    first, second = (
        PIL.Image.fromarray(np.ascontiguousarray(gradient(*size)[..., ::-1])) for size in ((60, 80), (40, 40))
    )
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second], quality=95)
    photo = decode_photo(buffer.getvalue(), "telephone.jpg")
    assert photo.record.extension == "jpg"
    assert close(photo.image_bgr, gradient())


def test_an_8k_picture_is_read_in_full() -> None:
    photo = decode_photo(encoded(".jpg", np.full((4320, 7680, 3), 128, np.uint8)), "8k")
    assert photo.image_bgr.shape == (4320, 7680, 3)


@pytest.mark.parametrize("shape", [(1, 1), (31, 400), (400, 31)])
def test_too_small_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=rf"tiny\.png is {shape[1]}x{shape[0]}: .* at least 32 px"):
        decode_photo(encoded(".png", np.zeros((*shape, 3), np.uint8)), "tiny.png")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bomb(width: int, height: int) -> bytes:
    """A few hundred bytes that claim to be a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [11_400, 20_000, 1_000_000])
def test_a_pixel_bomb_is_refused_by_its_header(side: int) -> None:
    assert side * side > MAX_PIXELS
    with pytest.raises(ImageError, match=r"bomb\.png.* more than 128 megapixels"):
        decode_photo(png_bomb(side, side), "bomb.png")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_jpeg_is_refused_by_name(share: float, capfd: pytest.CaptureFixture[str]) -> None:
    data = encoded(".jpg", np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8))
    with pytest.raises(ImageError, match=r"cut\.jpg"):
        decode_photo(data[: int(len(data) * share)], "cut.jpg")
    assert capfd.readouterr().err == ""


def test_a_truncated_png_is_refused_by_name() -> None:
    data = encoded(".png", gradient(300, 300))
    with pytest.raises(ImageError, match=r"cut\.png"):
        decode_photo(data[: len(data) // 2], "cut.png")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00", b"just some text " * 50, b"\xff\xd8\xff\xe0" + bytes(100), b"%PDF-1.4\n" + bytes(99)],
)
def test_what_is_no_photograph_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"notes\.jpg"):
        decode_photo(data, "notes.jpg")


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.jpg cannot be read"):
        read_photo(tmp_path / "nowhere.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_photo(tmp_path)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ImageError, match="larger than 256 MiB"):
        read_photo(path)


def test_a_long_name_that_is_not_text_can_be_kept(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 240 + "\udcff.png")
    path.write_bytes(encoded(".png", gradient()))
    name = read_photo(path).record.original_name
    assert name.isprintable()
    assert len(name.encode()) <= 255
