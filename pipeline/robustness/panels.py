"""What all pictures of results share: panels, the look of each defence, and how they are written.

Defences differ in colour (Okabe and Ito's palette, which people with any colour vision can tell
apart, with a grey for its yellow), in marker, and in dashes, so that print without colour will do.
"""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import StorageError
from pipeline.robustness.threat import ThreatModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C8C8C")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "h")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))

_PANEL_IN = (3.6, 3.1)
_LEGEND_ROW_IN = 0.22
_LETTERS_PER_IN = 13
_DPI = 160

BAR: dict[str, Any] = {"elinewidth": 0.9, "capsize": 2.0}
"""How matplotlib is to draw intervals."""


def make_panels(title: str, panels: int, legend: int) -> tuple[Figure, list[Axes]]:
    """Panels in rows of at most three, under one title, with room for a legend of so many defences below."""
    # No pyplot: it keeps figures in a global and asks for a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = 2 if panels == 4 else min(panels, 3)
    rows = math.ceil(panels / columns)
    size = (
        _PANEL_IN[0] * max(columns, 1.5),
        _PANEL_IN[1] * rows + 0.3 + _LEGEND_ROW_IN * math.ceil(legend / 4),
    )
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    wrapped = textwrap.wrap(f"{title} (bars: 95 % intervals)", int(_LETTERS_PER_IN * size[0]))
    figure.suptitle("\n".join(wrapped), fontsize=10)
    return figure, [figure.add_subplot(rows, columns, place + 1) for place in range(panels)]


def look_of(place: int) -> dict[str, Any]:
    """Colour, marker and dashes of the defence at a place in the list; together they repeat after 360."""
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "marker": _MARKERS[place % len(_MARKERS)],
        "linestyle": _DASHES[place % len(_DASHES)],
        "markersize": 5.0,
        "linewidth": 1.5,
    }


def legend_key(look: dict[str, Any]) -> Any:
    """A line of that look for the legend, without its bars."""
    from matplotlib.lines import Line2D

    return Line2D([], [], **look)


def dress(into: Axes, model: ThreatModel, x: str, y: str) -> None:
    """Title, axes and grid of a panel whose y is an accuracy in %; `x` and `y` name the axes."""
    into.set_title("\n".join(textwrap.wrap(f"{model}: {model.describes}", 40)), fontsize=9)
    into.set_xlabel(x, fontsize=9)
    place = into.get_subplotspec()
    if place is not None and place.is_first_col():
        into.set_ylabel(y, fontsize=9)
    into.set_ylim(-6, 104)
    into.tick_params(labelsize=8)
    into.grid(visible=True, color="#E6E6E6", linewidth=0.6)
    into.set_axisbelow(True)
    into.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, target: Path) -> None:
    """Write a figure; the extension chooses PNG, SVG or PDF.

    Raises:
        StorageError: the file cannot be written.
    """
    try:
        figure.savefig(target, dpi=_DPI)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot write the plot {target}: {error}") from error
