"""How every figure looks, and how it becomes SVG that is the same byte for byte on every run."""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

from foveal.core.errors import MissingExtraError

try:
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingExtraError("drawing figures", "train") from error

# Name: colour on white paper, colour on dark paper. Text and lines keep a contrast of 4.5 to 1 and more.
PALETTE = {
    "paper": ("#ffffff", "#16191d"),
    "ground": ("#f6f5f2", "#1e2227"),
    "ink": ("#1f2429", "#e7e5e0"),
    "muted": ("#5b636d", "#a4abb4"),
    "line": ("#dad8d2", "#353b42"),
    "accent": ("#23649e", "#79b4e8"),
    "warm": ("#b3471d", "#f09468"),
}
INK, MUTED, LINE, ACCENT, WARM = (PALETTE[name][0] for name in ("ink", "muted", "line", "accent", "warm"))

_STYLE: dict[Any, Any] = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.family": ["sans-serif"],
    "font.size": 8,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "svg.fonttype": "none",  # letters stay text: small, selectable, in the reader's own font
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a class name starts no formula
    "xtick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.color": LINE,
    "ytick.labelcolor": MUTED,
}
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def svg(name: str, paint: Callable[[Axes], None], *, width: float = 4.2, height: float = 2.8) -> str:
    """Return a drawing as one standalone SVG document, without date, metadata or outside reference.

    Args:
        name: Unique among the figures of a page; element ids start with it.
        paint: Draws on the axes it is given.
        width: In inches.
        height: In inches.
    """
    text = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # the reader's own matplotlibrc would change the file
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": f"foveal {name}"})
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure.add_subplot())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the reader's font draws it
            FigureCanvasSVG(figure).print_figure(text, format="svg", metadata=_NO_METADATA)
    return _unique_ids(text.getvalue(), name)


def inline(drawing: str) -> str:
    """Return a standalone drawing as an element of a page: page colours, no prolog, no namespaces."""
    element = drawing[drawing.index("<svg") :]
    element = re.sub(r' xmlns(:\w+)?="[^"]*"', "", element)
    element = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", element, count=1)
    element = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", element, count=1)
    for name, (light, _) in PALETTE.items():
        element = element.replace(light, f"var(--{name})")
    return element.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)


def _unique_ids(drawing: str, name: str) -> str:
    drawing = re.sub(r'\bid="', f'id="{name}-', drawing)
    drawing = re.sub(r'href="#', f'href="#{name}-', drawing)
    return re.sub(r"url\(#", f"url(#{name}-", drawing)
