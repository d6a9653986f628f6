"""A diagram as one HTML file that loads nothing: who points at an edge sees its curve, its derivatives, its facts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np

from kanpde import webpage
from kanpde.diagrams import figure
from kanpde.diagrams.diagram import Diagram, Link
from kanpde.diagrams.layout import Layout
from kanpde.diagrams.style import SCRIPT, STYLE
from kanpde.plots import svg

Candidates = Callable[[np.ndarray, np.ndarray], Sequence[tuple[str, float]]]

SAMPLES = 101  # points of a curve in the page, about
FITTED = 15  # edges that formulas are looked up for, the most important ones: a second each; all of a [2, 5, 1]
DIGITS = 6
TOUCH = 26  # pixels of a box that a finger can hit, at least
CURVES = (("value", "φ"), ("slope", "φ′"), ("bend", "φ″"))
# What neither HTML nor a browser's parser takes.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def html(diagram: Diagram, candidates: Candidates | None = None) -> str:
    """The page.

    Args:
        diagram: what to show.
        candidates: (x, y) -> formulas that fit a curve with their relative errors, best first.
    """
    layout = figure.layout_of(diagram, for_page=True)
    title = f"Network of {diagram.title}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{webpage.POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{_text(title)}</title>
<style>{webpage.STYLE}{STYLE}</style>
</head>
<body>
<h1>{_text(title)}</h1>
<main>
<div class="scroll card" tabindex="-1"><div style="min-width: {_least_width(layout)}px">{_drawing(layout)}</div></div>
{_PANEL}
</main>
<footer>
<p>{_introduction(diagram)}</p>
{_notes(diagram)}
</footer>
<noscript><p>Without JavaScript the diagram stands still.</p></noscript>
<script type="application/json" id="data">{_data(diagram, candidates)}</script>
<script>{SCRIPT}</script>
</body>
</html>
"""


_PANEL = f"""<section id="panel" aria-labelledby="edge">
<div class="head"><h2 id="edge" aria-live="polite"></h2>
<div class="steps"><button type="button" id="previous" aria-label="previous edge">‹</button>
<button type="button" id="next" aria-label="next edge">›</button></div></div>
<fieldset><legend>Curve</legend>
{"".join(f'<label><input type="radio" name="curve" value="{key}"><span>{sign}</span></label>' for key, sign in CURVES)}
</fieldset>
<svg id="plot" role="img" viewBox="0 0 340 210"></svg>
<dl id="facts"></dl>
<div id="candidates" hidden><h3>Formulas that fit</h3><table><thead><tr><th scope="col">formula</th>
<th scope="col">relative error</th></tr></thead><tbody></tbody></table></div>
</section>"""


def _introduction(diagram: Diagram) -> str:
    shown = diagram.omission or f"{diagram.total} edge{'' if diagram.total == 1 else 's'}"
    return (
        f"Inputs below, outputs above, {_text(shown)}: the stronger a curve, the more it matters to the outputs. Sums "
        "are dots, products are crosses. Point at an edge, tap it, or go from one to the next with the arrow keys."
    )


def _notes(diagram: Diagram) -> str:
    items = "".join(f"<li>{_text(figure.plain_note(note))}</li>" for note in diagram.notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


def _least_width(layout: Layout) -> int:
    """Pixels of the drawing, so that every box can be hit; on a phone it scrolls in its frame."""
    side = 2 * min((box.half for box in layout.boxes), default=layout.width)
    return math.ceil(TOUCH * layout.width / side)


def _drawing(layout: Layout) -> str:
    made = svg((layout.width, layout.height), lambda made: figure.draw(made, layout, for_page=True), "figure")
    spoken = f"diagram of the network with {len(layout.diagram.links)} edges"
    return made.replace("<svg ", f'<svg id="diagram" role="group" aria-label="{_text(spoken)}" ', 1)


def _data(diagram: Diagram, candidates: Candidates | None) -> str:
    """The edges as JSON that can stand in a page: no tag ends or begins in it."""
    best = sorted(range(len(diagram.links)), key=lambda k: -diagram.links[k].importance)[:FITTED]
    edges = [_edge(link, candidates if k in best else None) for k, link in enumerate(diagram.links)]
    text = json.dumps({"edges": edges}, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _edge(link: Link, candidates: Candidates | None) -> dict[str, Any]:
    edge = link.edge
    step = max(1, (len(edge.x) - 1) // (SAMPLES - 1))
    curves = {"value": edge.y, "slope": edge.slope, "bend": edge.bend}
    found = [] if candidates is None else candidates(edge.x, edge.y)
    return {
        "name": figure.plain(_clean(link.source.spoken)) + _clean(link.spoken.removeprefix(link.source.spoken)),
        "axis": figure.plain(_clean(link.source.name)) or "input",
        "range": [_rounded(edge.x[0]), _rounded(edge.x[-1])],
        "curves": {k: [_rounded(v) for v in values[::step]] for k, values in curves.items() if values is not None},
        "importance": round(link.importance, 4),
        "layer": edge.layer,
        "candidates": [[_clean(text), _rounded(error)] for text, error in found],
    }


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _text(text: str) -> str:
    return escape(_clean(text))
