"""What a reader of the repository is promised: the commands, their help, files that fit together."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/\w")


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every verb below a command group with its whole name, e.g. ``gallery enroll``."""
    for name, child in getattr(command, "commands", {}).items():
        here = (*path, name)
        if getattr(child, "commands", None):
            yield from verbs(child, here)
        else:
            yield " ".join(here), child


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    from workers.cli.main import app

    return dict(verbs(typer.main.get_command(app)))


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        pytest.skip("needs git and a checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    return [REPOSITORY / name for name in listed.split("\0") if name and (REPOSITORY / name).is_file()]


def test_readme_names_the_two_commands() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


def test_readme_names_every_verb(program: dict[str, Any]) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    missing = [verb for verb in program if not all(word in readme for word in verb.split())]
    assert not missing


def test_every_verb_has_help_with_an_example(program: dict[str, Any]) -> None:
    assert len(program) > 10
    without = [verb for verb, command in program.items() if "Example" not in (command.help or "")]
    assert not without


def test_every_option_of_every_verb_has_help(program: dict[str, Any]) -> None:
    options = [(verb, option) for verb, command in program.items() for option in command.params]
    without = [
        f"{verb} {option.name}"
        for verb, option in options
        if option.param_type_name == "option" and not (option.help or option.name in {"help"})
    ]
    assert not without


def test_changelog_has_an_entry_for_what_comes_next() -> None:
    assert re.search(r"^## Unreleased$", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)


def test_licence_is_the_one_that_the_package_names() -> None:
    text = (REPOSITORY / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0" in text
    assert 'license = "Apache-2.0"' in (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")


def test_no_file_names_a_path_of_a_developers_machine(tracked: list[Path]) -> None:
    found = []
    for file in tracked:
        raw = file.read_bytes()
        if b"\0" not in raw and MACHINE_PATH.search(raw.decode("utf-8")):
            found.append(str(file.relative_to(REPOSITORY)))
    assert not found


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = sorted(int(file.name[:4]) for file in (REPOSITORY / "docs" / "decisions").glob("0*.md"))
    assert len(set(numbers)) == len(numbers)
    assert {1, 2} <= set(numbers)


def test_the_image_copies_what_exists_and_runs_as_a_user() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [source for line in lines if line.startswith("COPY") for source in line.split()[1:-1]]
    assert copied
    assert not [source for source in copied if not (REPOSITORY / source).exists()]
    sent = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{source}" for source in copied} == {line for line in sent if line.startswith("!")}
    assert [line.split()[1] for line in lines if line.startswith("USER")][-1:] == ["pinwatch"]
    assert any(line.startswith("HEALTHCHECK") and '"doctor"' in line for line in lines)


def test_compose_mounts_what_the_program_reads(program: dict[str, Any]) -> None:
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
    service = compose["services"]["watch"]
    mounted = {volume.split(":")[-2 if volume.endswith(":ro") else -1] for volume in service["volumes"]}
    assert mounted == {service["environment"]["PINWATCH_DATA"], service["environment"]["PINWATCH_MODELS"]}
    assert service["command"][0] in program
