"""`pinwatch sightings`: search what was decided, also by a face; say whether it was right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from audit.ledger.entries import Kind
from audit.search.by_face import FaceAnswer, FaceFilter, FaceSearch
from audit.search.faces import FaceStore
from audit.search.sightings import Cursor, SightingFilter, SightingSearch
from audit.verdicts import Opinion, VerdictStore
from pipeline.errors import UsageError
from pipeline.types import Embedding, Outcome, Sighting
from workers.build import Context
from workers.cli.common import App, context, err, note_access, out, print_json
from workers.names import subject_ids
from workers.sighting import as_record
from workers.who import user_name

app = App(help="Search what was decided, by time, camera, person, outcome or a face; judge it.")

JsonFlag = Annotated[bool, typer.Option("--json", help="A JSON line each.")]


@app.command("search")
def search(
    ctx: typer.Context,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Last seen then or later, ISO.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Last seen before, ISO.")] = None,
    camera: Annotated[list[str] | None, typer.Option(metavar="CAMERA", help="By this one; several.")] = None,
    subject: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Named as this subject; several.")
    ] = None,
    near: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Whose nearest subject this is; several.")
    ] = None,
    outcome: Annotated[list[Outcome] | None, typer.Option(help="That ended so; several.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Of this run.")] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="PHOTO|DECISION",
            help="Tracks by how alike the face is, unknown ones too.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Go on where a page ended.")] = None,
    json: JsonFlag = False,
) -> None:
    """Search the sightings, the newest first; a track's last word each.

    `--like` takes a photograph, or the id of a decision, and compares the face with those of all kept
    tracks. Whose data was looked at is recorded in the ledger.

    Example: `pinwatch sightings search --camera gate --since 2026-11-30T08:00+01:00 --outcome unknown`
    """
    program = context(ctx)
    subjects = _ids(program, subject or ())
    between = parse_moment(since, "--since"), parse_moment(until, "--until")
    if like is not None:
        if near or run or after:
            raise UsageError("--like goes with --since, --until, --camera, --subject, --outcome and --limit")
        which = FaceFilter(*between, tuple(camera or ()), tuple(outcome or ()), subjects)
        _show_faces(
            program, FaceSearch(program.database()).search(_probe(program, like), which, limit=limit), json
        )
        return
    wanted = SightingFilter(
        *between,
        tuple(camera or ()),
        tuple(outcome or ()),
        subjects,
        _ids(program, near or ()),
        run,
        final=True,
    )
    cursor = None if after is None else Cursor.parse(after)
    page = SightingSearch(program.database()).page(wanted, after=cursor, limit=limit)
    note_access(program, "sightings search", subject_ids(page.sightings))
    names = program.store().names(subject_ids(page.sightings))
    if json:
        for sighting in page.sightings:
            print_json(as_record(sighting, names))
    else:
        out.print(_table(page.sightings, names))
        err.print(f"{len(page.sightings)} sightings")
    if page.next is not None:
        err.print(f"more: --after {page.next.text()}", markup=False)


@app.command("judge")
def judge(
    ctx: typer.Context,
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="The id of a decision.")],
    opinion: Annotated[Opinion, typer.Argument(help="Whether it is its candidate.")],
    note: Annotated[str, typer.Option(help="Why.")] = "",
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who says so; default: you.")] = None,
) -> None:
    """Say whether a sighting shows its candidate; the last word of each person counts.

    Example: `pinwatch sightings judge 43db788553b3679af4d5865141c60c27 confirm --note "knows her"`
    """
    program = context(ctx)
    given = VerdictStore(program.database(), now_ns=program.clock.now_ns).add(
        decision, by or user_name(), opinion, note
    )
    if program.settings.audit.ledger:
        program.ledger().append(Kind.VERDICT, msgspec.to_builtins(given))
    out.print(f"noted: {given.opinion.replace('_', ' ')}, by {given.person}", markup=False)


@app.command("verdicts")
def verdicts(ctx: typer.Context, json: JsonFlag = False) -> None:
    """Count what people said of sightings, and list the last words.

    Example: `pinwatch sightings verdicts`
    """
    store = VerdictStore(context(ctx).database())
    if json:
        for given in store.latest():
            print_json(msgspec.to_builtins(given))
        return
    table = Table("decision", "opinion", "by", "at", "note", box=None, pad_edge=False)
    for given in store.latest():
        opinion = given.opinion.replace("_", " ")
        table.add_row(
            given.decision_id[:12], opinion, escape(given.person), given.given_at, escape(given.note)
        )
    out.print(table)
    counts = ", ".join(f"{count} {opinion.replace('_', ' ')}" for opinion, count in store.counts().items())
    out.print(counts)


def parse_moment(text: str | None, option: str) -> dt.datetime | None:
    """A time as people type it; without a zone that of this machine.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is not ISO 8601, e.g. 2026-01-31T08:00:00+01:00") from None
    return moment if moment.tzinfo else moment.astimezone()


def _ids(program: Context, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(program.store().subject(name).id for name in names)


def _probe(program: Context, like: str) -> Embedding:
    """Of a photograph's most prominent face, or of the track that a decision ended.

    Raises:
        UsageError: there is neither.
        ImageError: there is no face in the photograph.
    """
    if Path(like).is_file():
        from gallery.photo import read_photo
        from gallery.vision import cut_faces
        from pipeline.embed.mirrored import embed_photo_crops

        vision = program.vision()
        faces = cut_faces(read_photo(Path(like)).image_bgr, vision)
        if not faces:
            raise UsageError(f"no face was found in {like}")
        return embed_photo_crops([faces[0].crop_rgb], vision.embedder)[0]
    found = FaceStore(program.database()).get([like])
    if not found:
        raise UsageError(
            f"--like {like}: neither a photograph nor the last decision of a track with a kept face"
        )
    return found[0].embedding


def _show_faces(program: Context, answer: FaceAnswer, json: bool) -> None:
    concerned = {hit.subject_id for hit in answer.hits if hit.subject_id}
    note_access(program, "search by a face", concerned)
    names = program.store().names(concerned)
    if json:
        for hit in answer.hits:
            print_json(msgspec.to_builtins(hit))
        return
    table = Table(
        "similarity",
        "decision",
        "camera",
        "track",
        "last seen",
        "outcome",
        "who",
        "group",
        box=None,
        pad_edge=False,
    )
    for hit in answer.hits:
        table.add_row(
            f"{hit.similarity:.3f}",
            hit.decision_id[:12],
            escape(hit.track.camera_id),
            str(hit.track.track_id),
            hit.last_seen_at or "",
            hit.outcome.value,
            escape(names.get(hit.subject_id or "", "")),
            hit.group_id or "",
        )
    out.print(table)
    err.print(f"{answer.compared} faces compared")
    for key, count in answer.left_out.items():
        err.print(f"{count} faces were made by {key} and could not be", markup=False)


def _table(sightings: Sequence[Sighting], names: Mapping[str, str]) -> Table:
    table = Table(
        "last seen",
        "camera",
        "track",
        "outcome",
        "nearest",
        "similarity",
        "decision",
        box=None,
        pad_edge=False,
    )
    for sighting in sightings:
        table.add_row(
            sighting.last_seen_at or f"{sighting.last_seen_s:.2f} s",
            escape(sighting.camera_id),
            str(sighting.track_id),
            sighting.outcome.value,
            escape(names.get(sighting.candidate_id or "", "")),
            "" if sighting.similarity is None else f"{sighting.similarity:.3f}",
            sighting.decision_id,
        )
    return table
