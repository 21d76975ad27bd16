"""Makes all templates again from the kept photographs, for another embedder or purifier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from gallery.photo import decode_photo
from gallery.records import NewTemplate, StoredTemplate
from gallery.store import GalleryStore
from gallery.vision import CutFace, Vision, cut_face
from pipeline.embed.mirrored import embed_photo_crops
from pipeline.errors import GalleryCorrupt, ImageError

BATCH = 16
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Reembedded:
    """What was done.

    Attributes:
        templates: How many were made.
        dropped: Photographs that could not be used any more, with the reason.
        epoch: The gallery epoch since which the new templates count.
    """

    templates: int
    dropped: tuple[str, ...]
    epoch: int


def reembed(
    store: GalleryStore,
    vision: Vision,
    *,
    force: bool = False,
    skip_broken: bool = False,
    on_template: Callable[[], None] = lambda: None,
) -> Reembedded:
    """Replace every template by one of ``vision.embedder``, from the same face of the same photograph.

    All are made before the first is replaced, and all are replaced in one transaction: whatever
    fails, the gallery is as it was. Enrolling meanwhile makes it fail so.

    Args:
        store: The gallery.
        vision: The networks; the detector is not needed, the faces are known.
        force: Make them again even if they were made by this embedder and purifier.
        skip_broken: Drop templates whose photograph is missing or damaged, instead of failing.
        on_template: Called after each.

    Raises:
        GalleryCorrupt: photographs are missing or damaged, and `skip_broken` is not set.
        GalleryBusy: somebody changed the gallery meanwhile; nothing was replaced.
    """
    if store.key() in (None, vision.embedder.key) and not force:
        return Reembedded(0, (), store.epoch())
    pairs, broken = embedded_anew(store, store.templates(), vision, on_template)
    if broken and not skip_broken:
        raise GalleryCorrupt(_explain(list(broken.values())))
    epoch = store.replace(pairs, drop=list(broken))
    return Reembedded(len(pairs), tuple(broken.values()), epoch)


def embedded_anew(
    store: GalleryStore,
    templates: Sequence[StoredTemplate],
    vision: Vision,
    on_template: Callable[[], None] = lambda: None,
) -> tuple[list[tuple[StoredTemplate, NewTemplate]], dict[int, str]]:
    """Each template and the one that takes its place; by their ids those that cannot be made, and why."""
    pairs: list[tuple[StoredTemplate, NewTemplate]] = []
    broken: dict[int, str] = {}
    for batch in _batches(templates):
        cuts = _cut_all(batch, store, vision, broken)
        embeddings = embed_photo_crops([cut.crop_rgb for _, cut in cuts], vision.embedder)
        for (old, cut), embedding in zip(cuts, embeddings, strict=True):
            pairs.append((old, NewTemplate(embedding, old.face, cut.quality.value, old.detector_id)))
        for _ in batch:
            on_template()
    return pairs, broken


def _batches(templates: Sequence[StoredTemplate]) -> Iterator[list[StoredTemplate]]:
    remaining = iter(templates)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _cut_all(
    batch: Sequence[StoredTemplate], store: GalleryStore, vision: Vision, broken: dict[int, str]
) -> list[tuple[StoredTemplate, CutFace]]:
    cuts = []
    for template in batch:
        try:
            data = store.photos.read(template.photo)
            photo = decode_photo(data, str(store.photos.path(template.photo)))
        except (GalleryCorrupt, ImageError) as error:
            broken[template.id] = str(error)
            continue
        cuts.append((template, cut_face(photo.image_bgr, template.face, vision)))
    return cuts


def _explain(problems: Sequence[str]) -> str:
    shown = "\n".join(f"  {problem}" for problem in problems[:_EXAMPLES])
    more = f"\n  and {len(problems) - _EXAMPLES} more" if len(problems) > _EXAMPLES else ""
    return (
        f"{len(problems)} photographs cannot be embedded again, so nothing was changed:\n{shown}{more}\n"
        "Bring them back from a backup, or drop their templates with --skip-broken"
    )
