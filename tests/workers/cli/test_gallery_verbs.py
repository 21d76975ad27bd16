"""The verbs of `pinwatch gallery`, and `pinwatch identify`, as scripts and people use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gallery.vision import Vision
from pipeline.errors import SubjectNotFound, TemplateKeyMismatch, UsageError
from pipeline.types import TemplateKey, Thresholds
from tests.gallery.fakes import KEY, OTHER_KEY, make_vision, pattern, picture, write_person, write_picture
from workers.build import Context
from workers.cli import gallery as gallery_verbs
from workers.cli.common import App
from workers.cli.identify import identify


class SmallWorld(Context):
    """A program whose faces are coloured checks, see ``tests/gallery/fakes.py``."""

    def __init__(self, data: Path, key: TemplateKey) -> None:
        super().__init__({})
        self.override(data=data, purifier="none")
        self._fake_key = key

    def vision(self) -> Vision:
        return make_vision(self._fake_key)

    def template_key(self) -> TemplateKey:
        return self._fake_key

    def _card_thresholds(self) -> Thresholds:
        return Thresholds(0.7, 0.05)


Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """``run("gallery", "list")``; errors come as exceptions, as `workers.cli.main` gets them."""
    app = App()
    app.add_typer(gallery_verbs.app, name="gallery")
    app.command("identify")(identify)

    def invoke(*arguments: object, stdin: str | None = None, key: TemplateKey = KEY) -> Result:
        context = SmallWorld(tmp_path / "data", key)
        result = CliRunner().invoke(app, [*map(str, arguments)], input=stdin, obj=context)
        context.close()
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Ada_L and Bo with two photographs each."""
    for person, name in enumerate(["Ada_L", "Bo"]):
        for variation in range(2):
            write_person(tmp_path / "people" / name / f"{variation}.png", person, variation)
    return tmp_path / "people"


def lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_import_ends_with_the_sums(run: Run, people: Path) -> None:
    (people / "Bo" / "broken.jpg").write_text("not a photograph")
    first = run("gallery", "import", people, "--json")
    assert first.exit_code == 0
    told, sums = lines(first)
    assert (told["name"], told["status"], told["reason"]) == ("Bo", "refused", "unreadable")
    assert sums == {"enrolled": 4, "refused": 1, "skipped": 0, "subjects": 2}
    again = lines(run("gallery", "import", people, "--json"))
    assert again[-1] == {"enrolled": 0, "refused": 1, "skipped": 4, "subjects": 2}


def test_import_tells_people_what_was_refused_and_why(run: Run, people: Path) -> None:
    write_person(people / "Copycat" / "0.png", 0, variation=9)
    result = run("gallery", "import", people)
    assert "refused (lookalike)" in result.stdout
    assert "looks like Ada_L" in result.stdout
    assert "4 photographs enrolled, 1 refused (1 lookalike), 0 enrolled before; 2 subjects" in result.stdout
    assert run("gallery", "import", people, "--allow-lookalike").stdout.startswith("1 photographs enrolled")


def test_an_import_that_enrolls_nobody_fails(run: Run, tmp_path: Path) -> None:
    (tmp_path / "nobody" / "Ada").mkdir(parents=True)
    assert run("gallery", "import", tmp_path / "nobody").exit_code == 1
    with pytest.raises(UsageError, match="cannot be read"):
        run("gallery", "import", tmp_path / "nowhere")


def test_enroll_tells_each_photograph_and_fails_if_one_was_refused(run: Run, tmp_path: Path) -> None:
    good = write_person(tmp_path / "good.png", 1)
    two = write_picture(
        tmp_path / "two.png", picture([(pattern(1, 2), 100, (20, 20)), (pattern(2), 90, (200, 20))])
    )
    result = run("gallery", "enroll", "Ada [née] 名前", good, two, "--json")
    assert result.exit_code == 1
    (told,) = lines(result)
    assert [(item["status"], item["reason"]) for item in told] == [
        ("enrolled", None),
        ("refused", "second_face"),
    ]
    assert run("gallery", "enroll", "Ada [née] 名前", two, "--largest").exit_code == 0
    assert "Ada [née] 名前" in run("gallery", "list").stdout
    shown = lines(run("gallery", "show", "Ada [née] 名前", "--json"))[0]
    assert (shown["templates"], len(shown["photos"])) == (2, 2)
    assert Path(shown["photos"][0]["file"]).is_file()


def test_list_remove_and_rename(run: Run, people: Path) -> None:
    run("gallery", "import", people)
    run("gallery", "rename", "Ada_L", "Ada Lovelace")
    assert [subject["name"] for subject in lines(run("gallery", "list", "--json"))[0]] == [
        "Ada Lovelace",
        "Bo",
    ]
    photo = lines(run("gallery", "show", "Bo", "--json"))[0]["photos"][0]["sha256"]
    run("gallery", "remove", "Bo", "--photo", photo[:10])
    assert lines(run("gallery", "show", "Bo", "--json"))[0]["templates"] == 1
    run("gallery", "remove", "Bo")
    with pytest.raises(SubjectNotFound, match="'Bo'"):
        run("gallery", "show", "Bo")


def test_another_embedder_is_refused_until_everything_is_embedded_again(run: Run, people: Path) -> None:
    run("gallery", "import", people)
    photo = people / "Bo" / "0.png"
    with pytest.raises(TemplateKeyMismatch, match=r"fake@1.*fake@2.*pinwatch gallery reembed"):
        run("identify", photo, key=OTHER_KEY)
    with pytest.raises(TemplateKeyMismatch, match="pinwatch gallery reembed"):
        run("gallery", "enroll", "Cy", photo, key=OTHER_KEY)
    done = run("gallery", "reembed", "--json", key=OTHER_KEY)
    assert lines(done) == [{"templates": 4, "dropped": 0, "epoch": 5}]
    assert "Bo (1.000)" in run("identify", photo, key=OTHER_KEY).stdout


def test_a_list_threshold_is_pointed_out_after_reembedding(run: Run, people: Path) -> None:
    run("gallery", "import", people)
    run("gallery", "lists", "add", "banned", "--threshold", "0.4")
    assert "threshold of their own" in run("gallery", "reembed", key=OTHER_KEY).stderr


def test_backup_restore_and_export(run: Run, people: Path, tmp_path: Path) -> None:
    run("gallery", "import", people)
    (told,) = lines(run("gallery", "backup", tmp_path / "one.backup", "--json"))
    assert (told["photos"], told["missing"]) == (4, [])
    run("gallery", "remove", "Bo")
    with pytest.raises(UsageError, match="--force"):
        run("gallery", "restore", tmp_path / "one.backup")
    run("gallery", "restore", tmp_path / "one.backup", "--force")
    assert len(lines(run("gallery", "list", "--json"))[0]) == 2
    run("gallery", "export", tmp_path / "out")
    assert len(list((tmp_path / "out" / "people").glob("*/*.png"))) == 4


def test_watch_lists(run: Run, people: Path) -> None:
    run("gallery", "import", people)
    run(
        "gallery",
        "lists",
        "add",
        "banned",
        "--purpose",
        "theft [May]",
        "--priority",
        "5",
        "--threshold",
        "0.6",
    )
    run("gallery", "list-add", "banned", "Bo", "Ada_L", "--expires", "2999-12-31")
    run("gallery", "list-remove", "banned", "Ada_L")
    (shown,) = lines(run("gallery", "lists", "show", "banned", "--json"))
    assert [(member["name"], member["expires_at"]) for member in shown["members"]] == [
        ("Bo", "2999-12-31T00:00:00.000000Z")
    ]
    assert (shown["priority"], shown["threshold"], shown["purpose"]) == (5, 0.6, "theft [May]")
    assert "theft [May]" in run("gallery", "lists", "show").stdout
    assert "watch lists: banned" in run("gallery", "show", "Bo").stdout
    with pytest.raises(UsageError, match="'soon' is not a time"):
        run("gallery", "list-add", "banned", "Bo", "--expires", "soon")


@pytest.fixture
def crowd(tmp_path: Path) -> Path:
    """Forty people with a photograph each, no two alike."""
    for person in range(40):
        write_person(tmp_path / "crowd" / f"person {person:02}" / "0.png", 1000 + person)
    return tmp_path / "crowd"


def test_calibrate_measures_refuses_draws_and_saves(run: Run, crowd: Path, tmp_path: Path) -> None:
    run("gallery", "import", crowd, "--allow-lookalike")
    table = run("gallery", "calibrate").stdout
    assert "780 pairs of different people" in table
    with pytest.raises(UsageError, match=r"0\.038 at best"):
        run("gallery", "calibrate", "--fmr", "0.001")
    with pytest.raises(UsageError, match="--save needs --fmr"):
        run("gallery", "calibrate", "--save")
    plot = tmp_path / "plot.png"
    done = run(
        "gallery", "calibrate", "--fmr", "0.04", "--tracks-per-day", "500", "--plot", plot, "--save", "--json"
    )
    (report,) = lines(done)
    assert plot.stat().st_size > 10_000
    (point,) = report["points"]
    assert point["false_alarms_per_camera_day"] == pytest.approx(500 * (1 - (1 - point["fmr"]) ** 40))
    context = SmallWorld(tmp_path / "data", KEY)
    in_force = context.thresholds()
    context.close()
    assert (in_force.match, in_force.margin, in_force.origin) == (point["threshold"], 0.05, "calibration:1")


def test_identify_answers_in_order_and_fails_at_the_end(run: Run, people: Path, tmp_path: Path) -> None:
    run("gallery", "import", people)
    bad = tmp_path / "bad.jpg"
    bad.write_text("not a photograph")
    group = picture(
        [(pattern(0, 3), 100, (110, 60)), (pattern(1, 3), 60, (10, 10)), (pattern(77), 50, (250, 10))]
    )
    seen = write_picture(tmp_path / "group.png", group)
    result = run("identify", bad, seen, people, "--json")
    assert result.exit_code == 1
    told = lines(result)
    assert [item["photo"] for item in told] == [
        str(path) for path in (bad, seen, *sorted(people.glob("*/*.png")))
    ]
    assert told[0]["faces"] == []
    assert "bad.jpg" in told[0]["error"]
    assert [(face["outcome"], face["subject"]) for face in told[1]["faces"]] == [
        ("known", "Ada_L"),
        ("known", "Bo"),
        ("unknown", None),
    ]
    assert told[1]["faces"][2]["candidate"] in ("Ada_L", "Bo")
    assert told[1]["faces"][0]["bbox"] == [110.0, 60.0, 210.0, 160.0]
    assert all(
        set(face) == {"bbox", "outcome", "subject", "candidate", "similarity"} for face in told[1]["faces"]
    )


def test_identify_reads_paths_from_standard_input(run: Run, people: Path) -> None:
    run("gallery", "import", people)
    photos = sorted(people.glob("*/*.png"))
    result = run("identify", "-", "--json", stdin="".join(f"{photo}\n" for photo in photos) + "\n")
    assert result.exit_code == 0
    assert [item["faces"][0]["subject"] for item in lines(result)] == ["Ada_L", "Ada_L", "Bo", "Bo"]


def test_identify_tells_people_in_one_line_a_photograph(run: Run, people: Path, tmp_path: Path) -> None:
    run("gallery", "import", people)
    wall = write_picture(tmp_path / "wall.png", picture([]))
    stranger = write_person(tmp_path / "stranger.png", 55)
    told = run("identify", people / "Bo" / "0.png", stranger, wall).stdout.splitlines()
    assert told[0].endswith("0.png: Bo (1.000)")
    assert "unknown (nearest" in told[1]
    assert told[2].endswith("wall.png: no face")


def test_identify_needs_something_to_look_at(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="standard input"):
        run("identify")
    (tmp_path / "empty").mkdir()
    result = run("identify", tmp_path / "empty", "--json")
    assert result.exit_code == 1
    assert "empty" in lines(result)[0]["error"]


def test_a_file_name_that_is_not_text_can_be_told(run: Run, tmp_path: Path) -> None:
    photo = write_person(tmp_path / "odd \udcff.png", 1)
    result = run("identify", photo, "--json")
    assert lines(result)[0]["photo"].endswith("odd \ufffd.png")
