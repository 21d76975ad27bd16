"""`pinwatch identify`: who is in a photograph."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import UsageError
from pipeline.types import Outcome
from workers.cli.common import context, out, print_json
from workers.cli.showing import path_text, similarity_text

if TYPE_CHECKING:
    from gallery.identify import IdentifiedFace, PhotoAnswer
    from pipeline.types import Verdict

Photos = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PHOTO...", help="Photographs, folders of them, or - to read paths from standard input."
    ),
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object a photograph.")]


def identify(ctx: typer.Context, photos: Photos = None, json: JsonFlag = False) -> None:
    """Say who is in photographs: all faces of each, the most prominent first.

    A photograph that cannot be read gets an error and the others are still answered; the exit code
    is 1 at the end.

    Example: `pinwatch identify party.jpg ~/photos --json`
    """
    if not photos:
        raise UsageError("name photographs or folders, or - to read paths from standard input")
    program = context(ctx)
    failed = False
    for answer in program.identifier().identify(_paths(photos)):
        failed = failed or answer.error is not None
        names = program.store().names(_ids(answer))
        if json:
            print_json(as_json(answer, names))
        else:
            out.print(as_text(answer, names), markup=False)
    if failed:
        raise typer.Exit(1)


def as_json(answer: PhotoAnswer, names: Mapping[str, str]) -> dict[str, Any]:
    """One photograph as scripts get it."""
    found: dict[str, Any] = {
        "photo": path_text(answer.photo),
        "faces": [_face_json(face, names) for face in answer.faces],
    }
    if answer.error is not None:
        found["error"] = answer.error
    return found


def as_text(answer: PhotoAnswer, names: Mapping[str, str]) -> str:
    """One photograph as people read it."""
    if answer.error is not None:
        return f"{path_text(answer.photo)}: error: {answer.error}"
    faces = [_face_text(face.verdict, names) for face in answer.faces] or ["no face"]
    return f"{path_text(answer.photo)}: {'; '.join(faces)}"


def _face_json(found: IdentifiedFace, names: Mapping[str, str]) -> dict[str, Any]:
    verdict = found.verdict
    shown = {
        "bbox": [round(value, 2) for value in found.face.bbox.tolist()],
        "outcome": verdict.outcome.value,
        "subject": _name(verdict.subject_id, names),
        "candidate": _name(verdict.candidate_id, names),
        "similarity": verdict.similarity,
    }
    if verdict.attack_evidence is not None:  # told only where it was measured
        shown["attack_evidence"] = verdict.attack_evidence
    return shown


def _face_text(verdict: Verdict, names: Mapping[str, str]) -> str:
    subject, candidate = _name(verdict.subject_id, names), _name(verdict.candidate_id, names)
    if subject is not None:
        return f"{subject} ({similarity_text(verdict.similarity)})"
    notes = [] if candidate is None else [f"nearest {candidate}, {similarity_text(verdict.similarity)}"]
    if verdict.outcome is Outcome.SUSPECTED_ATTACK:
        notes.append(f"attack evidence {similarity_text(verdict.attack_evidence)}")
    return f"{verdict.outcome.value} ({'; '.join(notes)})" if notes else verdict.outcome.value


def _name(subject_id: str | None, names: Mapping[str, str]) -> str | None:
    return None if subject_id is None else names.get(subject_id, subject_id)


def _ids(answer: PhotoAnswer) -> list[str]:
    verdicts = [face.verdict for face in answer.faces]
    return [found for said in verdicts for found in (said.subject_id, said.candidate_id) if found]


def _paths(arguments: Sequence[str]) -> Iterator[Path]:
    """Every photograph that is meant, in order; a folder stands for the photographs in it and below."""
    for argument in arguments:
        names = (line.rstrip("\r\n") for line in sys.stdin) if argument == "-" else [argument]
        for name in names:
            if name:
                yield from _expanded(Path(name))


def _expanded(path: Path) -> list[Path]:
    from gallery.photo import PHOTO_SUFFIXES

    if not path.is_dir():
        return [path]
    photos = sorted(found for found in path.rglob("*") if found.suffix.lower() in PHOTO_SUFFIXES)
    return photos or [path]  # a folder without photographs is told as one that cannot be read
