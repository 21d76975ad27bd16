"""`pinwatch pin`: fits PIN's immune space to photographs of faces, and shows what was fitted."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipeline.errors import UsageError
from workers.build import Context
from workers.cli.common import App, context, err, out, print_json, progress

if TYPE_CHECKING:
    from pipeline.types import ByteArray

app = App(help="Fit and inspect purifiers (PIN).")


@app.command("fit")
def fit(
    ctx: typer.Context,
    *,
    faces: Annotated[
        Path,
        typer.Option(help="Folder of photographs, searched with its subfolders; one face is taken of each."),
    ],
    name: Annotated[str, typer.Option(help="What `--purifier` will call it.")] = "pin",
    components: Annotated[int, typer.Option(min=1, help="Luma components to keep.")] = 800,
    chroma_components: Annotated[
        int | None, typer.Option(min=0, help="Of them, for the colour differences; default a quarter.")
    ] = None,
    basis: Annotated[
        str, typer.Option(help="separable, eigen (eigenfaces), or dct (cosines).")
    ] = "separable",
    selector: Annotated[
        str, typer.Option(help="topk, threshold (with --level) or wiener (with --noise).")
    ] = "topk",
    level: Annotated[
        float, typer.Option(min=0.001, help="Smallest coefficient that is kept, pictures in -1..1.")
    ] = 0.1,
    noise: Annotated[
        float, typer.Option(min=1e-6, help="Variance of the noise assumed, pictures in -1..1.")
    ] = 0.05,
    size: Annotated[int, typer.Option(min=1, help="Use at most this many photographs.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the choice among more photographs than that.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit a purifier to the faces in a folder of photographs, and keep it in `DATA/models`.

    Eigenfaces need more faces than components; the separable basis is as good with far fewer. The faces
    found are kept in `DATA/models/NAME.work` until the purifier is there: the same command again goes on
    where it was stopped.

    Example: `pinwatch pin fit --faces photos/ --components 800 --name office`
    """
    import torch

    from pipeline.models import sha256_of
    from pipeline.purify.fit import BasisKind, FitOptions, fit_pin, save_fitted
    from pipeline.purify.selector import SelectorKind

    program = context(ctx)
    kind = BasisKind(_one_of("--basis", basis, [str(known) for known in BasisKind]))
    chosen = SelectorKind(_one_of("--selector", selector, ["topk", "threshold", "wiener"]))
    options = FitOptions(components, chroma_components, kind, seed)
    folder = program.settings.data / "models"
    _check_name(name, [card.name for card in program.catalogue().cards()])
    photos = _photographs(faces, size, seed)
    kept = folder / f"{name}.work" / "crops"
    crops = list(_aligned_crops(photos, program, kept))
    with progress() as bar:
        bar.add_task("fitting the basis", total=None)
        fitted = fit_pin(crops, options, torch.device(program.device()))
    selection = {SelectorKind.THRESHOLD: {"level": level}, SelectorKind.WIENER: {"noise": noise}}
    card = save_fitted(fitted, folder, name, options, chosen, selection=selection.get(chosen))
    _forget(kept)
    if json:
        path = folder / card.files[0].name
        print_json(
            {"name": name, "model_id": card.model_id, "faces": fitted.faces, "sha256": sha256_of(path)}
        )
    else:
        out.print(f"{card.model_id}: {card.description}", markup=False)
        out.print(f"Use it with: --purifier {name}", markup=False)


@app.command("train")
def train(
    ctx: typer.Context,
    *,
    faces: Annotated[
        Path,
        typer.Option(
            help="Folder with a subfolder of photographs for each person, or a file "
            "from `pinwatch robustness pack`, of which the people of its training split are taken."
        ),
    ],
    name: Annotated[str, typer.Option(help="What `--purifier` will call it.")] = "pin",
    selector: Annotated[
        str,
        typer.Option(help="pinwatch (gains for each face, trained under attack) or paper (as published)."),
    ] = "pinwatch",
    steps: Annotated[int, typer.Option(min=1, help="pinwatch: training steps.")] = 600,
    examples: Annotated[int, typer.Option(min=64, help="pinwatch: attacked faces to train on.")] = 2_000,
    clean_weight: Annotated[
        float, typer.Option(min=0.01, help="pinwatch: less is more robust and less accurate.")
    ] = 1.0,
    components: Annotated[int, typer.Option(min=1, help="paper: eigenfaces to choose from.")] = 2_500,
    penalty: Annotated[float, typer.Option(min=0.0, help="paper: price of a component (lambda).")] = 0.015,
    epochs: Annotated[int, typer.Option(min=1, help="paper: epochs of the selection.")] = 200,
    denoise_epochs: Annotated[
        int, typer.Option(min=0, help="paper: epochs of the autoencoder before it.")
    ] = 20,
    learning_rate: Annotated[
        float, typer.Option(min=1e-6, help="paper: of the selection; less, if training diverges.")
    ] = 0.01,
    width: Annotated[
        float,
        typer.Option(min=0.05, max=1.0, help="paper: share of the published channels, for slow machines."),
    ] = 1.0,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="paper: the mean over all masks instead of REINFORCE's estimate (ours)."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
) -> None:
    """Train a purifier that chooses for each face, and keep it in `DATA/models`.

    Attacked faces and the state of training are kept in `DATA/models/NAME.work`: the same command again
    goes on where it was stopped.

    Example: `pinwatch pin train --faces people/ --name office --embedder mobilefacenet`
    """
    from workers.train import PaperRecipe, PinwatchRecipe, train_purifier

    program = context(ctx)
    _one_of("--selector", selector, ["pinwatch", "paper"])
    _check_name(name, [card.name for card in program.catalogue().cards()])
    recipe = (
        PinwatchRecipe(steps, examples, clean_weight)
        if selector == "pinwatch"
        else PaperRecipe(components, penalty, epochs, denoise_epochs, learning_rate, width, exact)
    )
    with progress() as bar:
        task = bar.add_task("starting", total=1)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        card = train_purifier(program, faces, name, recipe, seed=seed, tell=tell, track=bar.track)
    out.print(f"{card.model_id}: {card.description}", markup=False)
    out.print(f"Use it with: --purifier {name}; thresholds: pinwatch gallery calibrate", markup=False)


@app.command("info")
def info(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a purifier.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a fitted purifier: its basis, what it keeps, and how much of faces that explains.

    Example: `pinwatch pin info office`
    """
    from pipeline.models import ModelKind

    model = context(ctx).catalogue().open(name, ModelKind.PURIFIER)
    described: dict[str, Any] = {
        "name": name,
        "id": model.card.model_id,
        "what": model.card.description,
        "selector": model.card.architecture.removeprefix("pin_"),
        "source": model.card.source,
        "licence": model.card.licence,
        **dict(model.card.options),
    }
    if model.card.files:
        from pipeline.purify.storage import load_pin

        stored = load_pin(model.main_path)
        described |= {"file": str(model.main_path), "components": stored.basis.count}
    if json:
        print_json(described)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for label, value in described.items():
        table.add_row(label, str(value))
    out.print(table)


def _one_of(option: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise UsageError(f"{option} must be {' or '.join(known)}, not {value!r}")
    return value


def _check_name(name: str, taken: Collection[str]) -> None:
    """Refuse a name in use: templates that were made behind the old purifier still name it."""
    from pipeline.models import check_card_name

    try:
        check_card_name(name)
    except ValueError as error:
        raise UsageError(f"--name: {error}") from None
    if name in taken:
        raise UsageError(
            f"there is a model called {name!r} already: choose another --name, "
            f"or delete its files, its card and, if it was trained, the folder {name}.work first"
        )


def _photographs(folder: Path, size: int, seed: int) -> list[Path]:
    from workers.facepack import photographs

    photos = photographs(folder)
    if len(photos) > size:
        photos = sorted(random.Random(seed).sample(photos, size))  # noqa: S311 - a sample, not a secret
    return photos


def _aligned_crops(photos: Sequence[Path], program: Context, kept: Path) -> Iterator[ByteArray]:
    """The face nearest the middle of each photograph; says at the end how many gave none, and why."""
    from workers.kept_crops import kept_crops

    left_out: Counter[str] = Counter()
    found = kept_crops(photos, program.photo_detector(), kept, program.settings.detector)
    with progress() as bar:
        for crop in bar.track(found, total=len(photos), description="finding faces"):
            if isinstance(crop, str):
                left_out[crop] += 1
            else:
                yield crop
    for reason, count in left_out.items():
        err.print(f"{count} of {len(photos)} photographs were left out: {reason}", markup=False)


def _forget(kept: Path) -> None:
    """Delete crops that were kept: people's faces are not to stay where nothing needs them."""
    shutil.rmtree(kept, ignore_errors=True)
    with suppress(OSError):  # a stopped training may have left something of its own beside them
        kept.parent.rmdir()
