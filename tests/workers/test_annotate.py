"""Captions that can be read, on a copy of the picture."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.types import ByteArray, Outcome
from workers.annotate import AnnotatedVideo, Label, draw, text_size_px
from workers.lettering import fit_text, outcome_colour_bgr, outcome_words, text_width_px


def label(*bbox: float, text: str = "", outcome: Outcome | None = Outcome.UNKNOWN) -> Label:
    return Label(np.array(bbox, np.float32), text, outcome)


def grey(height: int, width: int) -> ByteArray:
    return np.full((height, width, 3), 128, np.uint8)


def plate(text: str, outcome: Outcome = Outcome.UNKNOWN) -> ByteArray:
    """A caption's plate by itself, cut from a picture with nothing else near."""
    alone = label(200, 200, 240, 250, text=text, outcome=outcome)
    size = text_size_px(360)
    height, width = round(size * 1.4), text_width_px(alone.caption, size) + 2 * (size // 3)
    return draw(grey(360, 640), [alone])[200 - height : 200, 200 : 200 + width]


def shows(image: ByteArray, part: ByteArray) -> bool:
    """Whether `part` can be seen whole somewhere in `image`."""
    return float(cv2.matchTemplate(image, part, cv2.TM_SQDIFF_NORMED).min()) < 1e-4


def test_the_picture_itself_stays() -> None:
    image = grey(360, 640)
    drawn = draw(image, [label(100, 100, 160, 180)])
    assert (image == 128).all()
    assert drawn.shape == image.shape
    assert (drawn != 128).any()


def test_no_labels_change_nothing() -> None:
    image = grey(36, 64)
    assert np.array_equal(draw(image, []), image)


@pytest.mark.parametrize("outcome", [None, *Outcome])
def test_the_caption_says_the_outcome(outcome: Outcome | None) -> None:
    words = outcome_words(outcome)
    assert label(0, 0, 9, 9, outcome=outcome).caption == words
    assert label(0, 0, 9, 9, text="Zoë 0.7", outcome=outcome).caption == f"{words}: Zoë 0.7"


def test_outcomes_differ_in_brightness_or_hue_and_carry_dark_text() -> None:
    colours = [outcome_colour_bgr(outcome) for outcome in (None, *Outcome)]
    for one, other in itertools.combinations(colours, 2):
        assert np.abs(np.subtract(one, other)).max() > 40
    for blue, green, red in colours:
        assert 0.114 * blue + 0.587 * green + 0.299 * red > 100


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (360, 640)])
def test_the_caption_is_legible_at_the_size_of_the_picture(height: int, width: int) -> None:
    drawn = draw(grey(height, width), [label(width * 0.4, height * 0.5, width * 0.45, height * 0.6)])
    coloured = (drawn == np.array(outcome_colour_bgr(Outcome.UNKNOWN), np.uint8)).all(axis=2)
    above = coloured[: round(height * 0.5) - 4]
    assert np.ptp(np.flatnonzero(above.any(axis=1))) >= max(12, height * 0.03)


@pytest.mark.parametrize(
    "bbox",
    [(10, 0, 60, 50), (600, 5, 700, 90), (-30, 300, 40, 400), (-1e9, -1e9, 1e9, 1e9), (630, 350, 639, 359)],
)
def test_the_caption_is_inside_the_picture_wherever_the_face_is(bbox: tuple[float, ...]) -> None:
    drawn = draw(grey(360, 640), [label(*bbox, text="Grace Hopper 0.83")])
    assert shows(drawn, plate("Grace Hopper 0.83"))


def test_captions_of_neighbours_do_not_cover_each_other() -> None:
    names = ["first", "second", "third"]
    labels = [label(100, 100 + 9 * n, 160, 180 + 9 * n, text=name) for n, name in enumerate(names)]
    drawn = draw(grey(360, 640), labels)
    assert [shows(drawn, plate(name)) for name in names] == [True] * 3


def test_names_outside_ascii_are_drawn_as_themselves() -> None:
    box = (100, 100, 160, 180)
    pictures = [
        draw(grey(360, 640), [label(*box, text=name)]) for name in ("Zoë", "Zo?", "李小龙", "???", "Ψωμί")
    ]
    for one, other in itertools.combinations(pictures, 2):
        assert not np.array_equal(one, other)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (20, 2000)])
def test_tiny_pictures_do_no_harm(height: int, width: int) -> None:
    assert draw(grey(height, width), [label(0, 0, 5, 5, text="Grace Hopper")]).shape == (height, width, 3)


def test_a_box_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        label(0, 0, np.nan, 1)


@pytest.mark.parametrize("text", ["Grace Hopper", "a" * 200, "", "two\nlines", "Zoë Ångström"])
def test_text_is_fitted_to_one_line(text: str) -> None:
    fitted = fit_text(text, 20, 150)
    assert "\n" not in fitted
    assert text_width_px(fitted, 20) <= 150
    assert fitted.rstrip("…") in " ".join(text.split())


def test_text_is_kept_whole_where_it_fits() -> None:
    assert fit_text("Grace Hopper", 20, text_width_px("Grace Hopper", 20)) == "Grace Hopper"
    assert fit_text("Grace Hopper", 20, 1) == ""


def test_an_annotated_video_shows_its_labels(tmp_path: Path) -> None:
    path = tmp_path / "named.mp4"
    with AnnotatedVideo(path, 640, 360) as video:
        video.write(grey(360, 640), 0)
        video.write(grey(360, 640), 40_000_000, [label(100, 100, 300, 300, outcome=Outcome.KNOWN)])
    with av.open(path) as container:
        frames = list(container.decode(video=0))
    plain, drawn = (frame.to_ndarray(format="bgr24").astype(np.int32) for frame in frames)
    assert frames[1].time == pytest.approx(0.04)
    assert np.abs(plain - 128).max() < 6
    assert np.abs(drawn[97:103, 150:250] - outcome_colour_bgr(Outcome.KNOWN)).mean() < 60
    assert np.abs(drawn - 128).max() > 60
