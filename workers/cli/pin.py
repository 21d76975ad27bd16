"""`pinwatch pin`: fits PIN's immune space to photographs of faces, and shows what was fitted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipeline.errors import ImageError, UsageError
from workers.cli.common import App, context, err, out, print_json, progress

if TYPE_CHECKING:
    from pipeline.seams import Detector
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
    basis: Annotated[str, typer.Option(help="separable, or eigen (eigenfaces).")] = "separable",
    size: Annotated[int, typer.Option(min=1, help="Use at most this many photographs.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the choice among more photographs than that.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit a purifier to the faces in a folder of photographs, and keep it in `DATA/models`.

    Eigenfaces need more faces than components; the separable basis is as good with far fewer.

    Example: `pinwatch pin fit --faces photos/ --components 800 --name office`
    """
    from pipeline.models import sha256_of
    from pipeline.purify.fit import BasisKind, FitOptions, fit_pin, save_fitted

    program = context(ctx)
    kind = _basis_kind(basis, [str(known) for known in BasisKind])
    options = FitOptions(components, chroma_components, BasisKind(kind), seed)
    folder = program.settings.data / "models"
    _check_name(name, [card.name for card in program.catalogue().cards()])
    photos = _photographs(faces, size, seed)
    crops = list(_aligned_crops(photos, program.photo_detector()))
    fitted = fit_pin(crops, options)
    card = save_fitted(fitted, folder, name, options)
    if json:
        path = folder / card.files[0].name
        print_json(
            {"name": name, "model_id": card.model_id, "faces": fitted.faces, "sha256": sha256_of(path)}
        )
    else:
        out.print(f"{card.model_id}: {card.description}", markup=False)
        out.print(f"Use it with: --purifier {name}", markup=False)


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
        **dict(model.card.options),
    }
    if model.card.files:
        from pipeline.purify.storage import load_pin

        _, basis = load_pin(model.main_path)
        described |= {"file": str(model.main_path), "components": basis.count}
    if json:
        print_json(described)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for label, value in described.items():
        table.add_row(label, str(value))
    out.print(table)


def _basis_kind(basis: str, known: Sequence[str]) -> str:
    if basis not in known:
        raise UsageError(f"--basis must be {' or '.join(known)}, not {basis!r}")
    return basis


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
            "or delete its files and its card first"
        )


def _photographs(folder: Path, size: int, seed: int) -> list[Path]:
    from gallery.photo import PHOTO_SUFFIXES

    if not folder.is_dir():
        raise UsageError(f"--faces must be a folder of photographs: {folder} is none")
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    if not photos:
        raise UsageError(f"the folder {folder} holds no photographs")
    if len(photos) > size:
        photos = sorted(random.Random(seed).sample(photos, size))  # noqa: S311 - a sample, not a secret
    return photos


def _aligned_crops(photos: Sequence[Path], detector: Detector) -> Iterator[ByteArray]:
    """The largest face of each photograph; says at the end how many gave none, and why."""
    left_out: Counter[str] = Counter()
    with progress() as bar:
        for path in bar.track(photos, description="finding faces"):
            crop = _aligned_crop(path, detector)
            if isinstance(crop, str):
                left_out[crop] += 1
            else:
                yield crop
    for reason, count in left_out.items():
        err.print(f"{count} of {len(photos)} photographs were left out: {reason}", markup=False)


def _aligned_crop(path: Path, detector: Detector) -> ByteArray | str:
    """uint8 (112, 112, 3) RGB, or why there is none."""
    from gallery.find import find_faces
    from gallery.photo import read_photo
    from pipeline.align import align

    try:
        image_bgr = read_photo(path).image_bgr
    except ImageError:
        return "they cannot be read"
    faces = find_faces(image_bgr, detector)
    if not faces:
        return "no face was found"
    try:
        return align(image_bgr, faces[0].landmarks)
    except ValueError:
        return "the landmarks fit no face"
