"""What all figures share: matplotlib without pyplot, one style, colours, labels, and files written whole."""

from __future__ import annotations

import importlib
import re
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
