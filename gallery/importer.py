"""Takes a folder of people in: one folder a person, whose name is the folder's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

from gallery.enroll import Enroller, Enrollment, EnrollOptions, Ready, Refusal, Status
from gallery.names import clean_name
from gallery.photo import PHOTO_SUFFIXES
from pipeline.errors import UsageError

BATCH = 16
"""Photographs that are embedded together. Each is committed by itself."""


@dataclass(frozen=True, slots=True)
class Item:
    """One photograph to import."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """What a folder holds.

    Attributes:
        items: The photographs, by name and then by file.
        problems: Folders and files that cannot be imported, each with the reason.
    """

    items: tuple[Item, ...]
    problems: tuple[Enrollment, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        enrolled: Photographs that are new in the gallery.
        skipped: Photographs that were enrolled before.
        subjects: Subjects of whom at least one photograph of this folder is enrolled now.
        refused: Photographs, and folders, that were refused, with the reason.
        notes: Enrolled photographs of which the user should know something, such as other faces.
    """

    enrolled: int
    skipped: int
    subjects: int
    refused: tuple[Enrollment, ...]
    notes: tuple[Enrollment, ...] = ()

    @property
    def refused_by_reason(self) -> dict[str, int]:
        counted = Counter(str(item.refusal) for item in self.refused)
        return dict(sorted(counted.items()))


@dataclass(slots=True)
class _Tally:
    """Counts while the import runs."""

    seen: list[Enrollment] = field(default_factory=list)

    def report(self) -> ImportReport:
        by_status = Counter(item.status for item in self.seen)
        there = {item.name for item in self.seen if item.status is not Status.REFUSED}
        return ImportReport(
            enrolled=by_status[Status.ENROLLED],
            skipped=by_status[Status.SKIPPED],
            subjects=len(there),
            refused=tuple(item for item in self.seen if item.status is Status.REFUSED),
            notes=tuple(item for item in self.seen if item.status is Status.ENROLLED and item.detail),
        )


def plan_import(folder: Path) -> Plan:
    """List a folder of people. Files and folders whose name begins with a dot are left out.

    Raises:
        UsageError: there is no such folder, it cannot be read, or holds no folders.
    """
    people = [entry for entry in _entries(folder) if entry.is_dir()]
    if not people:
        raise UsageError(f"{folder} holds no folders: an import takes one folder of photographs a person")
    items: list[Item] = []
    problems: list[Enrollment] = []
    for person in people:
        found = _photos_of(person)
        if isinstance(found, Enrollment):
            problems.append(found)
        else:
            items += found
    return Plan(tuple(items), tuple(problems))


def import_items(
    plan: Plan,
    enroller: Enroller,
    options: EnrollOptions | None = None,
    on_result: Callable[[Enrollment], None] = lambda result: None,
) -> ImportReport:
    """Enroll everything of a plan that is not enrolled yet; the most prominent face of each photograph.

    It may be stopped at any instant and run again: what was committed is skipped, the rest is done.

    Args:
        plan: From :func:`plan_import`.
        enroller: The way in.
        options: What is let in; ``largest`` is set whatever they say.
        on_result: Called with every result as it becomes certain.

    Raises:
        StorageError: disk full or no permission; what was enrolled before that stays.
    """
    chosen = replace(options or enroller.options, largest=True)
    tally = _Tally()
    for result in chain(plan.problems, _results(plan.items, enroller, chosen)):
        tally.seen.append(result)
        on_result(result)
    return tally.report()


def _results(items: Sequence[Item], enroller: Enroller, options: EnrollOptions) -> Iterator[Enrollment]:
    remaining = iter(items)
    while batch := list(islice(remaining, BATCH)):
        seen = [enroller.look(item.name, item.path, options) for item in batch]
        yield from (found for found in seen if isinstance(found, Enrollment))
        yield from enroller.admit([found for found in seen if isinstance(found, Ready)])


def _entries(folder: Path) -> list[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be read: {error.strerror}") from error
    return [entry for entry in found if not entry.name.startswith(".")]


def _photos_of(person: Path) -> list[Item] | Enrollment:
    """The photographs in one person's folder, or why there are none."""
    try:
        name = clean_name(person.name)
        files = _entries(person)
    except UsageError as error:
        return _problem(person, str(error))
    photos = [path for path in files if path.suffix.lower() in PHOTO_SUFFIXES]
    if not photos:
        return _problem(person, f"the folder {person} holds no photographs")
    return [Item(name, path) for path in photos]


def _problem(person: Path, detail: str) -> Enrollment:
    return Enrollment(person, person.name, Status.REFUSED, Refusal.UNREADABLE, detail)
