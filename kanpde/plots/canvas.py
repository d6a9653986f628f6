"""What all figures share: matplotlib without pyplot, one style, colours, labels, and files written whole."""

from __future__ import annotations

import importlib
import io
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kanpde.errors import ProblemError
from kanpde.files import replacing

# Okabe & Ito: told apart by every eye and in grey.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#707070"
PINK, SKY = "#CC79A7", "#56B4E9"
FORMATS = ("png", "pdf", "svg")

_STYLE = {
    "axes.formatter.use_mathtext": True,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.titlesize": 10,
    "figure.titlesize": 11,
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "mathtext.fontset": "cm",
    "savefig.dpi": 200,
    "svg.hashsalt": "kanpde",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}
# Text stays text: sharp at any size, found by a search, small. Mathematics would need fonts that a reader may not have.
_AS_TEXT = {
    "axes.labelsize": 10,
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
    "font.size": 10,
    "legend.fontsize": 9.5,
    "svg.fonttype": "none",
    "text.parse_math": False,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
}


def _matplotlib() -> tuple[Any, Any]:
    """Matplotlib and its Figure, loaded by the first figure and not by `import kanpde`."""
    return importlib.import_module("matplotlib"), importlib.import_module("matplotlib.figure").Figure


def check_format(path: str | Path) -> str:
    """The format that a file name asks for.

    Raises:
        ProblemError: figures have no such format.
    """
    suffix = Path(path).suffix.lstrip(".").lower()
    if suffix not in FORMATS:
        raise ProblemError(f"{path}: a figure is a {', '.join(FORMATS[:-1])} or {FORMATS[-1]}; end its name in one.")
    return suffix


def render(path: str | Path, size: tuple[float, float], draw: Callable[[Any], None]) -> Path:
    """Makes a figure, lets `draw` fill it, and saves it.

    Args:
        path: where; its suffix is the format.
        size: width and height in inches.
        draw: fills a matplotlib Figure.

    Returns:
        The path.

    Raises:
        ProblemError: no such format.
        StoreError: it cannot be written.
    """
    suffix = check_format(path)
    # Neither pyplot nor a backend is chosen: a figure without a window, in any thread, leaves no state behind.
    matplotlib, figure_class = _matplotlib()
    with matplotlib.rc_context(_STYLE):
        figure = figure_class(figsize=size, layout="constrained")
        draw(figure)
        with replacing(path) as part:
            figure.savefig(part, format=suffix, metadata=_METADATA[suffix])
    return Path(path)


def svg(size: tuple[float, float], draw: Callable[[Any], None], name: str = "figure") -> str:
    """A figure as an <svg> element, to stand in a page or in a file of its own.

    Args:
        size: width and height in inches.
        draw: fills a matplotlib Figure; its texts are shown as they stand, `$` too.
        name: letters, digits and hyphens; begins every id of the element, so that figures of one page share none.

    Returns:
        The element, the same for the same drawing.
    """
    matplotlib, figure_class = _matplotlib()
    buffer = io.StringIO()
    # The browser has fonts of its own: what ours cannot show is no reason to warn.
    with matplotlib.rc_context({**_STYLE, **_AS_TEXT, "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph ")
        figure = figure_class(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    text = buffer.getvalue()
    return re.sub(r"<[^!>][^>]*>", lambda tag: _prefixed(tag[0], name), text[text.index("<svg") :]).strip()


def _prefixed(tag: str, name: str) -> str:
    """A tag whose ids, and links to ids, begin with a name. Matplotlib numbers groups anew in each figure."""
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", tag)


# No dates in files: the same tables make the same bytes.
_METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": "kanpde"},
    "pdf": {"Creator": "kanpde", "CreationDate": None},
    "svg": {"Creator": "kanpde", "Date": None},
}


def label(name: str) -> str:
    """A name as mathematics: u in italics, u_1 with its index; whatever else as it stands."""
    if re.fullmatch(r"[^\W\d_]", name):
        return f"${name}$"
    indexed = re.fullmatch(r"([^\W\d_])_?(\w+)", name)
    if indexed and (len(name) <= 3 or "_" in name):
        return f"${indexed[1]}_{{\\mathrm{{{indexed[2].replace('_', ' ')}}}}}$"
    return name.replace("$", r"\$")
