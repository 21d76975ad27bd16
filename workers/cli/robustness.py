"""`pinwatch robustness`: what the defences keep of their accuracy under attack."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import PinwatchError, StorageError, UsageError
from workers.cli.common import App, context, err, progress
from workers.cli.common import out as console
from workers.cli.showing import path_text

if TYPE_CHECKING:
    from pipeline.robustness.detection_rates import DetectionRate
    from pipeline.robustness.frontier import Frontier
    from pipeline.robustness.results import Result

# Written out, since they are defined where torch is imported, and `--help` does without.
PLAN_NAMES = ("full", "small", "small-transfer", "small-white-box", "small-adaptive", "smoke")
CONTROL_NAMES = (
    "none",
    *("eigen-2500", "eigen-1500", "eigen-800", "eigen-400"),
    *("threshold-0.1", "threshold-0.2"),
    *("wiener-0.01", "wiener-0.05", "wiener-0.1", "wiener-0.2"),
    *("2dpca-800", "2dpca-400"),
    *("dct-800", "dct-300"),
)

SOURCE_TREE = Path(__file__).resolve().parents[2]
"""Where the program lies; in a checkout, with the results that are kept in it."""

app = App(help="Robustness under attack: measured results, with threat model, attack and budget.")


@app.command("report")
def report(
    ctx: typer.Context,
    *,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of results (*.jsonl; of attack evidence, in its subfolder evidence/), or one file. "
            "Default: those of the source tree.",
        ),
    ] = None,
    defence: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this defence (purifier); can be given several times."),
    ] = None,
    embedder: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only behind this embedder; can be given several times."),
    ] = None,
    threat_model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL", help="Only under this threat model, e.g. T4; several times for several."
        ),
    ] = None,
    plots: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw the results in this folder (PNG).")
    ] = None,
    eps: Annotated[
        float | None,
        typer.Option(metavar="EPS", help="Budget (0..255) at which clean and robust accuracy are drawn."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this file, not to standard output.")
    ] = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON record of accuracy a line, not Markdown (without attack evidence)."
        ),
    ] = False,
) -> None:
    """Show measured robustness: a table of what each defence costs and keeps, and every attack.

    Reads results only: nothing is attacked, no model is needed.

    Example: `pinwatch robustness report --threat-model T4 --plots plots/ --out robustness.md`
    """
    from pipeline.robustness.detection_rates import read_rates
    from pipeline.robustness.frontier import Frontier
    from pipeline.robustness.records import json_lines
    from pipeline.robustness.report import markdown
    from pipeline.robustness.results import CLEAN, read_results

    folder = results or committed_results(SOURCE_TREE)
    found, rates = read_results(folder), read_rates(folder)
    found = _only(found, "--defence", defence, lambda result: result.defence)
    found = _only(found, "--embedder", embedder, lambda result: result.embedder)
    wanted = _only(found, "--threat-model", threat_model, lambda result: result.threat_model)
    # what a defence costs belongs beside what it keeps, under whichever threat model
    shown = [*(result for result in found if result.attack == CLEAN), *wanted]
    pictures = [] if plots is None else _draw(Frontier.of(shown), plots, eps)
    if json:
        text = "".join(f"{line}\n" for line in json_lines(wanted))
    else:
        linked = [(caption, _address(path, out)) for caption, path in pictures]
        text = markdown(shown, linked, _of_evidence(rates, defence, embedder, threat_model))
    _write(text, out)


def committed_results(source_tree: Path) -> Path:
    """The folder of results in a checkout.

    Raises:
        UsageError: there is none, as where the program was installed without its source.
    """
    folder = source_tree / "docs" / "robustness" / "results"
    if not folder.is_dir():
        raise UsageError("this installation holds no results: name a folder of them with --results")
    return folder


def _only(
    results: Sequence[Result], option: str, wanted: Sequence[str] | None, named: Callable[[Result], str]
) -> list[Result]:
    """Those that an option asks for; all if it asks for nothing."""
    known = sorted({str(named(result)) for result in results})
    unknown = [name for name in wanted or () if name not in known]
    if unknown:
        raise UsageError(f"{option}: there are no results of {unknown[0]!r}, only of {', '.join(known)}")
    return [result for result in results if not wanted or named(result) in wanted]


def _of_evidence(
    rates: Sequence[DetectionRate],
    defence: Sequence[str] | None,
    embedder: Sequence[str] | None,
    threat_model: Sequence[str] | None,
) -> list[DetectionRate]:
    """Those that the options ask for; false alarms belong beside detections, under whichever threat model."""
    from pipeline.robustness.threat import ThreatModel

    return [
        rate
        for rate in rates
        if (not defence or rate.defence in defence)
        and (not embedder or rate.embedder in embedder)
        and (not threat_model or rate.threat_model in (ThreatModel.CORRUPTION, *threat_model))
    ]


def _draw(frontier: Frontier, folder: Path, eps_255: float | None) -> list[tuple[str, Path]]:
    """Caption and file of each picture."""
    from pipeline.robustness.plots import draw_all

    pictures = draw_all(frontier, folder, eps_255)
    for _, path in pictures:
        err.print(f"drawn in {path_text(path)}", markup=False)
    return pictures


def _address(picture: Path, document: Path | None) -> str:
    """Of a picture, from the folder in which the document lies (or the current one)."""
    folder = Path() if document is None else document.parent
    return Path(os.path.relpath(picture, folder)).as_posix()


def _write(text: str, target: Path | None) -> None:
    if target is None:
        typer.echo(text, nl=False)
        return
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"cannot write {path_text(target)}: {error}") from error


@app.command("pack")
def pack(
    ctx: typer.Context,
    *,
    faces: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder with a subfolder of photographs for each person.")
    ],
    pairs: Annotated[
        Path, typer.Option(metavar="FILE", help="Verification pairs of LFW's View 2, tab-separated.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the crops.")] = Path("faces.npz"),
    jpeg: Annotated[
        int | None,
        typer.Option(
            min=50, max=100, help="JPEG quality for people who only train, to make the file smaller."
        ),
    ] = None,
) -> None:
    """Cut the faces that training and evaluation need, aligned, into one file with the pairs between them.

    Example: `pinwatch robustness pack --faces lfw/ --pairs pairs.txt --out faces.npz`
    """
    from workers.facepack import pack_faces

    program = context(ctx)
    with progress() as bar:
        packed = pack_faces(faces, pairs, out, program.photo_detector(), jpeg=jpeg, track=bar.track)
    console.print(f"{out}: {len(packed.photos)} crops, {len(packed.pairs)} pairs", markup=False)


@app.command("run")
def run(
    ctx: typer.Context,
    *,
    faces: Annotated[Path, typer.Option(metavar="FILE", help="From `pinwatch robustness pack`.")],
    defence: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help=f"Purifier's card (CARD+sampled: of the kind paper, sampling its masks), or a control: "
            f"{', '.join(CONTROL_NAMES)}. Several times for several.",
        ),
    ],
    transfer: Annotated[
        list[str] | None, typer.Option(metavar="CARD", help="Embedder that T1 attacks through.")
    ] = None,
    surrogate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Control or purifier's card that T2b attacks through; default the usual controls.",
        ),
    ] = None,
    plan: Annotated[str, typer.Option(help=f"How much: {', '.join(PLAN_NAMES)}.")] = "small",
    split: Annotated[str, typer.Option(help="Who is attacked: score, or select while choosing.")] = "score",
    out: Annotated[Path, typer.Option(metavar="FILE", help="Records, added to.")] = Path("results.jsonl"),
    work: Annotated[
        Path, typer.Option(metavar="DIR", help="Attacked crops, so that a stopped run goes on.")
    ] = Path("robustness-work"),
) -> None:
    """Attack defences by the protocol and write what withstood; checks the harness by sanity gates.

    Example: `pinwatch robustness run --faces faces.npz --embedder mobilefacenet --defence none --defence pin`
    """
    from pipeline.robustness.plan import PLANS
    from pipeline.robustness.protocol import Split
    from pipeline.robustness.run import Request
    from pipeline.robustness.run import run as evaluate

    program = context(ctx)
    if plan not in PLANS:
        raise UsageError(f"--plan must be one of {', '.join(PLANS)}, not {plan!r}")
    if split not in (Split.SELECT, Split.SCORE):
        raise UsageError(f"--split must be select or score, not {split!r}")
    request = Request(
        faces=faces,
        models=tuple(program.settings.model_folders),
        embedder=program.settings.embedder.name,
        defences=tuple(defence),
        transfer=tuple(transfer or ()),
        surrogates=tuple(surrogate or ()),
        plan=plan,
        split=Split(split),
        out=out,
        work=work,
        device=program.device(),
    )
    with progress() as bar:
        task = bar.add_task("starting", total=None)
        gates = evaluate(
            request,
            lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )
    for gate in gates:
        console.print(f"{'held' if gate.held else 'FAILED'}: {gate.name}: {gate.detail}", markup=False)
    if not all(gate.held for gate in gates):
        raise PinwatchError("a sanity gate did not hold: the records are not to be believed")
