"""Records of what was measured: one a line, in files that are kept beside the source.

A record without its threat model, attack, budget, number of pairs, seed and command cannot be made;
a report is made of records alone (`pipeline.robustness.report`), so that no figure is typed in.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pipeline.errors import StorageError, UsageError
from pipeline.robustness.threat import Goal, ThreatModel

WORST = "worst"
"""The name in place of an attack's: per pair the worst over all examples of this and weaker threat models."""

CLEAN = "clean"
"""The name in place of an attack's: nothing was changed."""

UNBOUNDED_255 = 255.0
"""The budget of an attack that may change colour values at will (of a patch, say)."""

Identity = tuple[str, str, ThreatModel, Goal | None, str, float]

_Member = TypeVar("_Member", ThreatModel, Goal)

_SHARES = ("accuracy", "ci_low", "ci_high", "clean_accuracy")
_TEXTS = ("defence", "embedder", "attack", "command")


@dataclass(frozen=True, slots=True)
class Result:
    """What one defence kept of its accuracy under one attack.

    Attributes:
        defence: Name of the purifier, or ``none``.
        embedder: Name of the embedder behind it.
        threat_model: What the attacker knows.
        goal: What the attacker wants; ``None`` for both at once, or where nobody wants anything (clean
            photographs, corruptions).
        attack: Name of the attack, with the surrogate that it was made on if there is one;
            :data:`WORST` or :data:`CLEAN` for those two.
        eps_255: L-infinity budget in 8-bit units, 0..255; 0 where none applies (clean, corruptions),
            255 where a region may be changed without bound.
        n: Pairs. All of them: a pair that is wrong without an attack counts as wrong.
        accuracy: Share of them decided rightly, 0..1.
        ci_low: 95 % interval of `accuracy`, 0..1, by `pipeline.robustness.statistics`.
        ci_high: See `ci_low`.
        clean_accuracy: Of the same pairs without an attack, 0..1.
        seed: Of everything random.
        command: What made this record, one line.

    Raises:
        ValueError: a value is of another type or out of its range.
    """

    defence: str
    embedder: str
    threat_model: ThreatModel
    goal: Goal | None
    attack: str
    eps_255: float
    n: int
    accuracy: float
    ci_low: float
    ci_high: float
    clean_accuracy: float
    seed: int
    command: str

    def __post_init__(self) -> None:
        for name in _TEXTS:
            _check_text(name, getattr(self, name))
        if not isinstance(self.threat_model, ThreatModel):
            raise ValueError(f"threat_model must be a ThreatModel, not {self.threat_model!r}")
        if self.goal is not None and not isinstance(self.goal, Goal):
            raise ValueError(f"goal must be a Goal or None, not {self.goal!r}")
        for name, least in (("n", 1), ("seed", 0)):
            _check_count(name, getattr(self, name), least)
        for name, most in (("eps_255", UNBOUNDED_255), *((share, 1.0) for share in _SHARES)):
            # 8 and 8.0 are the same budget and have to be the same text in a file
            object.__setattr__(self, name, _number(name, getattr(self, name), most))
        if not self.ci_low <= self.accuracy <= self.ci_high:
            raise ValueError(
                f"accuracy {self.accuracy:g} must lie in its interval, ci_low {self.ci_low:g} "
                f"to ci_high {self.ci_high:g}"
            )

    @property
    def identity(self) -> Identity:
        """What a second measurement of the same thing shares with the first, and so replaces it."""
        return self.defence, self.embedder, self.threat_model, self.goal, self.attack, self.eps_255

    def to_record(self) -> dict[str, Any]:
        """As JSON holds it: the fields above in order; threat model as ``T4``, goal as ``dodge``."""
        return {field: getattr(self, field) for field in FIELDS}


FIELDS = tuple(field.name for field in dataclasses.fields(Result))


def result_from(record: object) -> Result:
    """The reverse of :meth:`Result.to_record`.

    Raises:
        ValueError: a field is missing, unknown, or does not fit.
    """
    if not isinstance(record, dict):
        raise ValueError("a record must be a JSON object")
    lacking = [field for field in FIELDS if field not in record]
    unknown = [repr(field) for field in record if field not in FIELDS]
    if lacking or unknown:
        parts = (("it lacks", lacking), ("it has unknown", unknown))
        raise ValueError("; ".join(f"{what} {', '.join(names)}" for what, names in parts if names))
    threat_model = _member(ThreatModel, "threat_model", record["threat_model"])
    goal = None if record["goal"] is None else _member(Goal, "goal", record["goal"])
    return Result(**{**record, "threat_model": threat_model, "goal": goal})


def merged(results: Iterable[Result]) -> list[Result]:
    """Sorted, and each identity once: the later one replaces the earlier."""
    latest = {result.identity: result for result in results}
    return sorted(latest.values(), key=_order)


def read_results(path: Path) -> list[Result]:
    """All records of a file, or of every ``*.jsonl`` in a folder: sorted, each identity once.

    Within a file a later line replaces an earlier one. Two files may not differ about the same
    measurement, since nothing says which of them is right.

    Raises:
        UsageError: nothing is there, or a line is no record; the message has file and line.
    """
    if not path.is_dir():
        return merged(result for _, result in _lines(path))
    files = sorted(path.glob("*.jsonl"))
    if not files:
        raise UsageError(f"the folder {path} holds no results (files of the name *.jsonl)")
    found: dict[Identity, tuple[str, Result]] = {}
    for file in files:
        # of one file the last line counts, so that only then it is held against the other files
        for place, result in {result.identity: (place, result) for place, result in _lines(file)}.values():
            before, known = found.setdefault(result.identity, (place, result))
            if known != result:
                raise UsageError(
                    f"{place}: {before} has another measurement of the same thing "
                    f"({_named(result)}): remove one of them"
                )
    return merged(result for _, result in found.values())


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Write a file anew, one record a line, sorted, each identity once; whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text("".join(f"{line}\n" for line in json_lines(merged(results))), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StorageError(f"cannot write the results {path}: {error}") from error


def add_results(path: Path, results: Iterable[Result]) -> None:
    """Add to a file, if there is one; what it holds of the same identity is replaced.

    Raises:
        UsageError: it holds something else.
        StorageError: it cannot be written.
    """
    before = read_results(path) if path.exists() else []
    write_results(path, [*before, *results])


def json_lines(results: Iterable[Result]) -> list[str]:
    """Each result as one line of JSON, without its end."""
    return [json.dumps(result.to_record(), ensure_ascii=False) for result in results]


def _lines(path: Path) -> list[tuple[str, Result]]:
    """``file:line`` and result of every line."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the results {path} cannot be read: {error}") from error
    if lines[-1] == "":
        lines.pop()
    return [(f"{path}:{number}", _line(f"{path}:{number}", line)) for number, line in enumerate(lines, 1)]


def _line(place: str, line: str) -> Result:
    try:
        return result_from(json.loads(line, object_pairs_hook=_unique, parse_constant=_refuse))
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


def _member(kind: type[_Member], name: str, value: object) -> _Member:
    known = [str(member) for member in kind]
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    return kind(value)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"{name} must be text on one line, not {value!r}")


def _check_count(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")


def _number(name: str, value: object, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number, not {value!r}")
    if not math.isfinite(value) or not 0.0 <= value <= most:
        raise ValueError(f"{name} must be in 0 to {most:g}, not {value!r}")
    return float(value)


def _order(result: Result) -> tuple[str, str, str, str, str, float]:
    goal = "" if result.goal is None else result.goal.value
    return result.defence, result.embedder, result.threat_model, goal, result.attack, result.eps_255


def _named(result: Result) -> str:
    goal = "no goal" if result.goal is None else result.goal
    return (
        f"{result.defence}, {result.embedder}, {result.threat_model}, {goal}, "
        f"{result.attack}, eps {result.eps_255:g}"
    )
