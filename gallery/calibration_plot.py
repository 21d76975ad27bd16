"""Draws what calibration measured."""

from __future__ import annotations

from pathlib import Path

from gallery.calibrate import Distributions, OperatingPoint
from pipeline.errors import StorageError

_BINS = 200


def plot_distributions(measured: Distributions, point: OperatingPoint | None, target: Path) -> None:
    """Write a picture of both distributions and the threshold; the extension chooses PNG, SVG or PDF.

    Raises:
        StorageError: the file cannot be written.
    """
    # No pyplot: it keeps figures in a global and asks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for histogram, label, colour in (
        (measured.impostor, f"different people ({measured.impostor_pairs:,} pairs)", "tab:red"),
        (measured.genuine, f"the same person ({measured.genuine.count:,} comparisons)", "tab:blue"),
    ):
        edges, shares = histogram.coarse(_BINS)
        axes.stairs(shares, edges, fill=True, alpha=0.5, color=colour, label=label)
    if point is not None:
        axes.axvline(point.threshold, color="black", linestyle="--", label=_label(point))
    axes.set(xlabel="similarity (cosine)", ylabel="share of comparisons", xlim=(-0.6, 1.0), yscale="log")
    axes.set_title(f"{measured.subjects} subjects, {measured.templates} templates, {measured.key.model_id}")
    axes.legend(loc="upper left")
    try:
        figure.savefig(target, dpi=120)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot write the plot {target}: {error}") from error


def _label(point: OperatingPoint) -> str:
    return f"threshold {point.threshold:.3f} (FMR {point.fmr:.1e})"
