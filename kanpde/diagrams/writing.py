"""Diagrams in files."""

from __future__ import annotations

from pathlib import Path

from kanpde.diagrams import figure
from kanpde.diagrams.diagram import Diagram
from kanpde.diagrams.page import Candidates, html
from kanpde.errors import ProblemError
from kanpde.files import replacing
from kanpde.plots import FORMATS as FIGURES
from kanpde.plots.canvas import render

FORMATS = (*FIGURES, "html")


def check_format(path: str | Path) -> str:
    """The format that a file name asks for.

    Raises:
        ProblemError: diagrams have no such format.
    """
    suffix = Path(path).suffix.lstrip(".").lower()
    if suffix not in FORMATS:
        raise ProblemError(f"{path}: a diagram is a {', '.join(FORMATS[:-1])} or {FORMATS[-1]}; end its name in one.")
    return suffix


def write(diagram: Diagram, path: str | Path, candidates: Candidates | None = None) -> Path:
    """Writes a diagram in the format that the name of the file asks for.

    Args:
        diagram: what to show.
        path: a png, pdf or svg file for print, or an html file in which every edge can be looked at.
        candidates: which formulas fit a curve, best first; the page shows them, a figure for print does not.

    Returns:
        The path.

    Raises:
        ProblemError: no such format.
        StoreError: it cannot be written.
    """
    if check_format(path) != "html":
        layout = figure.layout_of(diagram, for_page=False)
        return render(path, (layout.width, layout.height), lambda made: figure.draw(made, layout, for_page=False))
    with replacing(path) as part:
        part.write_text(html(diagram, candidates), encoding="utf-8")
    return Path(path)
