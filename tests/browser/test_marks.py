"""Names on a picture stand beside each other, not over each other."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.browser.conftest import NewPage
from workers.console.access.roles import Role
from workers.console.web.static_files import StaticFiles

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 640, 360
_DRAW = """
async ([address, people]) => {
  const { drawMarks } = await import(address);
  const canvas = document.createElement("canvas");
  canvas.style.width = "640px";
  canvas.style.height = "360px";
  document.body.append(canvas);
  const pen = canvas.getContext("2d");
  const signs = [], texts = [];
  pen.fillRect = (...sign) => signs.push(sign);
  pen.fillText = (text) => texts.push(text);
  const boxes = people.map(({ box }, track) => [track, ...box]);
  const saidOf = (track) => people[track].said;
  drawMarks(canvas, { width: 16, height: 9 }, boxes, saidOf);
  return { signs: signs.filter((_, index) => index % 2 === 0), texts };
}
"""
"""A sign is a rectangle with a coloured one at its side."""


def person(x: float, y: float, name: str, size: float = 0.12) -> dict[str, Any]:
    return {"box": [x, y, x + size, y + 1.5 * size], "said": {"outcome": "known", "name": name}}


CROWDS = {
    "side by side": [person(0.3, 0.4, "Margaret Hamilton"), person(0.4, 0.41, "Katherine Johnson")],
    "at the top": [person(0.3, 0.0, "Margaret Hamilton"), person(0.4, 0.0, "Katherine Johnson")],
    "at the right": [person(0.85, 0.4, "Margaret Hamilton"), person(0.87, 0.4, "Katherine Johnson")],
    "a row": [person(0.05 + 0.11 * each, 0.4, f"Somebody with a name {each}") for each in range(6)],
}


@pytest.mark.parametrize("people", CROWDS.values(), ids=CROWDS.keys())
def test_names_do_not_cover_each_other(new_page: NewPage, people: list[dict[str, Any]]) -> None:
    page = new_page(Role.OPERATOR).open("/live")
    drawn = page.evaluate(_DRAW, [StaticFiles().address("wall_marks.js"), people])
    assert sorted(drawn["texts"]) == sorted(f"✓ {each['said']['name']}" for each in people)
    for left, top, long, tall in drawn["signs"]:
        assert left >= 0 <= top
        assert left + long <= WIDTH
        assert top + tall <= HEIGHT
    for one, other in itertools.combinations(drawn["signs"], 2):
        apart = (
            one[0] + one[2] <= other[0]
            or other[0] + other[2] <= one[0]
            or one[1] + one[3] <= other[1]
            or other[1] + other[3] <= one[1]
        )
        assert apart, (one, other)


def test_whoever_is_not_decided_on_yet_has_no_name(new_page: NewPage) -> None:
    page = new_page(Role.OPERATOR).open("/live")
    people = [{"box": [0.1, 0.1, 0.3, 0.4], "said": None}]
    drawn = page.evaluate(_DRAW, [StaticFiles().address("wall_marks.js"), people])
    assert drawn == {"signs": [], "texts": []}
