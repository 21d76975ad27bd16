"""How records of what was measured are kept: one a line of JSON, in files beside the source.

What a record holds is its kind's own affair (`pipeline.robustness.results` and
`pipeline.robustness.detection_rates`); here is what they share.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, NoReturn, Protocol, TypeVar

from pipeline.errors import StorageError, UsageError


class Record(Protocol):
    """One measurement."""

    @property
    def identity(self) -> tuple[Any, ...]:
        """What a second measurement of the same thing shares with the first, and so replaces it."""

    def to_record(self) -> dict[str, Any]:
        """As JSON holds it."""


_Record = TypeVar("_Record", bound=Record)


def merged(records: Iterable[_Record]) -> list[_Record]:
    """Sorted, and each identity once: the later one replaces the earlier."""
    latest = {record.identity: record for record in records}
    return sorted(latest.values(), key=_order)


def read_records(path: Path, parse: Callable[[object], _Record]) -> list[_Record]:
    """All records of a file, or of every ``*.jsonl`` in a folder: sorted, each identity once.

    Within a file a later line replaces an earlier one. Two files may not differ about the same
    measurement, since nothing says which of them is right.

    Args:
        path: File or folder.
        parse: Makes a record of what stands in a line; its ``ValueError`` says what does not fit.

    Raises:
        UsageError: nothing is there, or a line is no record; the message has file and line.
    """
    if not path.is_dir():
        return merged(record for _, record in _lines(path, parse))
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise UsageError(f"the folder {path} holds no results (files of the name *.jsonl)")
    found: dict[tuple[Any, ...], tuple[str, _Record]] = {}
    for file in files:
        # of one file the last line counts, so that only then it is held against the other files
        last = {record.identity: (place, record) for place, record in _lines(file, parse)}
        for place, record in last.values():
            before, known = found.setdefault(record.identity, (place, record))
            if known != record:
                raise UsageError(
                    f"{place}: {before} has another measurement of the same thing "
                    f"({_named(record)}): remove one of them"
                )
    return merged(record for _, record in found.values())


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write a file anew, one record a line, sorted, each identity once; whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text("".join(f"{line}\n" for line in json_lines(merged(records))), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write the results {path}: {error}") from error


def add_records(path: Path, records: Iterable[_Record], parse: Callable[[object], _Record]) -> None:
    """Add to a file, if there is one; what it holds of the same identity is replaced.

    Raises:
        UsageError: it holds something else.
        StorageError: it cannot be written.
    """
    before = read_records(path, parse) if path.exists() else []
    write_records(path, [*before, *records])


def json_lines(records: Iterable[Record]) -> list[str]:
    """Each record as one line of JSON, without its end."""
    return [json.dumps(record.to_record(), ensure_ascii=False) for record in records]


def values_of(
    record: object, fields: Sequence[str], members: Mapping[str, type[enum.StrEnum]]
) -> dict[str, Any]:
    """What a JSON object says of `fields`: exactly these.

    Args:
        record: From JSON.
        fields: All that must be there.
        members: Of which enumeration a field is a member, if it is not null.

    Raises:
        ValueError: a field is missing, unknown, or no member.
    """
    if not isinstance(record, dict):
        raise ValueError("a record must be a JSON object")
    lacking = [field for field in fields if field not in record]
    unknown = [repr(field) for field in record if field not in fields]
    if lacking or unknown:
        parts = (("it lacks", lacking), ("it has unknown", unknown))
        raise ValueError("; ".join(f"{what} {', '.join(names)}" for what, names in parts if names))
    given = {name: kind for name, kind in members.items() if record[name] is not None}
    return record | {name: _member(kind, name, record[name]) for name, kind in given.items()}


def check_text(name: str, value: object) -> None:
    """Raises ``ValueError`` unless `value` is one line that says something."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"{name} must be text on one line, not {value!r}")


def check_kind(name: str, value: object, *kinds: type) -> None:
    """Raises ``ValueError`` unless `value` is of one of `kinds`."""
    if not isinstance(value, kinds):
        wanted = " or ".join("None" if kind is NoneType else kind.__name__ for kind in kinds)
        raise ValueError(f"{name} must be a {wanted}, not {value!r}")


def check_count(name: str, value: object, least: int) -> None:
    """Raises ``ValueError`` unless `value` is a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")


def check_interval(name: str, value: float, ci_low: float, ci_high: float) -> None:
    """Raises ``ValueError`` unless `value` is in its interval."""
    if not ci_low <= value <= ci_high:
        raise ValueError(
            f"{name} {value:g} must lie in its interval, ci_low {ci_low:g} to ci_high {ci_high:g}"
        )


def number(name: str, value: object, most: float) -> float:
    """`value`, 0..`most`, as float: 8 and 8.0 are the same and have to be the same text in a file.

    Raises:
        ValueError: it is not such a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, not {value!r}")
    if not math.isfinite(value) or not 0.0 <= value <= most:
        raise ValueError(f"{name} must be in 0 to {most:g}, not {value!r}")
    return float(value)


def _lines(path: Path, parse: Callable[[object], _Record]) -> list[tuple[str, _Record]]:
    """``file:line`` and record of every line."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the results {path} cannot be read: {error}") from error
    if lines[-1] == "":
        lines.pop()
    places = [f"{path}:{number}" for number in range(1, len(lines) + 1)]
    return [(place, _line(place, line, parse)) for place, line in zip(places, lines, strict=True)]


def _line(place: str, line: str, parse: Callable[[object], _Record]) -> _Record:
    try:
        return parse(json.loads(line, object_pairs_hook=_unique, parse_constant=_refuse))
    except json.JSONDecodeError as error:
        raise UsageError(f"{place}: not a line of JSON: {error.msg} at column {error.colno}") from None
    except ValueError as error:
        raise UsageError(f"{place}: not a result: {error}") from None


def _unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(items)
    if len(record) != len(items):
        raise ValueError("a field is there twice")
    return record


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number that a record may hold")


def _member(kind: type[enum.StrEnum], name: str, value: object) -> enum.StrEnum:
    known = [str(member) for member in kind]
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    return kind(value)


def _order(record: Record) -> tuple[Any, ...]:
    return tuple("" if value is None else value for value in record.identity)


def _named(record: Record) -> str:
    return ", ".join(str(value) for value in record.identity if value is not None)
