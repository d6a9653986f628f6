"""Diagrams: what they show, where it stands, and files that can be read."""

import dataclasses
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
from synthetic import edges, plots

from kanpde.diagrams import Diagram, check_format, diagram_of, html, write
from kanpde.diagrams.diagram import LONGEST, MOST
from kanpde.diagrams.figure import FAINTEST, layout_of, numbers, opacity
from kanpde.diagrams.layout import COLUMN, PAGE, Layout
from kanpde.errors import ProblemError
from kanpde.tables import PlotTables

SHAPES = {
    "1-1": ([1, 1], ()),
    "2-5-1": ([2, 5, 1], ()),
    "2-(3,3)-1": ([2, 9, 1], ((0, 1, 2, 3, 4, 5, 3, 4, 5), (0,))),
    "4-4-2-1": ([4, 4, 2, 1], ()),
    "3-6-2": ([3, 6, 2], ()),
    "2-1-1-1-1-1-1": ([2, 1, 1, 1, 1, 1, 1], ()),
    "2-20-20-2": ([2, 20, 20, 2], ()),
}


def tables(widths: list[int], nodes: tuple = (), **more) -> PlotTables:
    """A network whose edge has the score 1 + source + 2 · target, with derivatives."""
    names = ("x", "y", "z", "t")[: widths[0]]
    outputs = ("u", "v")[: widths[-1]]
    own = [
        dataclasses.replace(e, slope=np.cos(e.x), bend=-np.sin(e.x), score=1.0 + e.source + 2 * e.target)
        for e in edges(widths)
        if not nodes or e.source < (len(set(nodes[e.layer - 1])) if e.layer else widths[0])
    ]
    return PlotTables(outputs, names, (), edges=tuple(own), nodes=nodes, **more)


@pytest.fixture(params=SHAPES)
def diagram(request: pytest.FixtureRequest) -> Diagram:
    return diagram_of("poisson", tables(*SHAPES[request.param]))


def test_every_edge_is_shown_with_its_curve() -> None:
    shown = diagram_of("poisson", tables([2, 5, 1]))
    assert (len(shown.links), shown.total, shown.omission) == (15, 15, "")
    assert [len(row) for row in shown.rows] == [2, 5, 1]
    assert [node.name for row in shown.rows for node in row] == ["x", "y", *[""] * 5, "u"]
    assert shown.links[6].spoken == "y → sum 2 of row 1"
    np.testing.assert_array_equal(shown.links[6].edge.y, 2 * np.sin(2 * np.linspace(-1, 1, 33)))


def test_products_have_factors() -> None:
    shown = diagram_of("poisson", tables(*SHAPES["2-(3,3)-1"]))
    assert [node.factors for node in shown.rows[1]] == [1, 1, 1, 2, 2, 2]
    assert [(k.node.index, k.factor) for k in shown.layer(0)[:9]] == [
        (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (3, 1), (4, 1), (5, 1)
    ]  # fmt: skip
    assert shown.links[8].spoken == "x → product 6 of row 1, factor 2"
    assert shown.total == 2 * 9 + 6


def test_importances_are_shares_of_the_largest_score_in_a_layer() -> None:
    shown = diagram_of("poisson", tables([2, 3, 1]))
    assert [link.importance for link in shown.layer(0)] == [k / 6 for k in (1, 3, 5, 2, 4, 6)]
    assert [link.importance for link in shown.layer(1)] == [1 / 3, 2 / 3, 1]


def test_files_without_scores_are_judged_by_ranges() -> None:
    shown = diagram_of("poisson", plots())
    sizes = [float(np.ptp(link.edge.y)) for link in shown.layer(0)]
    np.testing.assert_allclose([link.importance for link in shown.layer(0)], np.array(sizes) / max(sizes))


def test_scores_that_are_all_zero_are_no_division_by_it() -> None:
    dead = tables([1, 1])
    shown = diagram_of("poisson", dataclasses.replace(dead, edges=(dataclasses.replace(dead.edges[0], score=0.0),)))
    assert shown.links[0].importance == 0


def test_of_large_networks_the_most_important_edges_are_shown() -> None:
    large = tables(*SHAPES["2-20-20-2"])
    shown = diagram_of("poisson", large)
    assert (len(shown.links), shown.total) == (MOST, 480)
    assert shown.omission == "the 200 most important of 480 edges"
    least = min(link.importance for link in shown.links)
    left = {id(e) for e in large.edges} - {id(link.edge) for link in shown.links}
    full = diagram_of("poisson", large, most=480)
    assert max(link.importance for link in full.links if id(link.edge) in left) <= least


def test_long_names_are_numbered_and_explained() -> None:
    long = "log(x**2 + y**2)"
    assert len(long) > LONGEST
    shown = diagram_of("poisson", tables([3, 1], inputs=("x", "y", long), about="the network is N"))
    assert [node.name for node in shown.rows[0]] == ["x", "y", "ξ_1"]
    assert shown.notes == (f"ξ_1 = {long}", "the network is N")


def test_a_network_without_edges_is_refused() -> None:
    with pytest.raises(ProblemError, match="has no edges to show"):
        diagram_of("poisson", PlotTables(("u",), ("x",), ()))


# --- places --------------------------------------------------------------------------------------------------------


def test_nothing_overlaps_and_nothing_is_outside(diagram: Diagram) -> None:
    layout = layout_of(diagram, for_page=False)
    assert COLUMN <= layout.width <= PAGE
    boxes = [(box.centre, box.half) for box in layout.boxes]
    for ((x1, y1), half), ((x2, y2), _) in itertools.combinations(boxes, 2):
        assert max(abs(x1 - x2), abs(y1 - y2)) > 2 * half
    nodes = [layout.place(node) for row in diagram.rows for node in row]
    for (x, y), half in boxes:
        assert half <= x <= layout.width - half
        assert all(max(abs(x - a), abs(y - b)) > half for a, b in nodes)
    assert all(0 < x < layout.width and 0 < y < layout.height for x, y in nodes)


def test_edges_lie_between_their_nodes(diagram: Diagram) -> None:
    layout = Layout(diagram)
    for box in layout.boxes:
        low, high = layout.place(box.link.source)[1], layout.end(box.link)[1]
        assert low < box.centre[1] - box.half < box.centre[1] + box.half < high <= layout.place(box.link.node)[1]


def test_a_small_network_fits_a_column_with_its_ranges() -> None:
    layout = Layout(diagram_of("poisson", tables([2, 5, 1])))
    assert layout.width < COLUMN + 0.15
    assert layout.has_ranges
    assert not Layout(diagram_of("poisson", tables(*SHAPES["2-20-20-2"]))).has_ranges


def test_opacity_rises_with_importance() -> None:
    values = [opacity(k / 100) for k in range(101)]
    assert values == sorted(values)
    assert (opacity(0.0), opacity(0.009), opacity(1.0)) == (FAINTEST, FAINTEST, 1.0)


@pytest.mark.parametrize(
    ("pair", "texts"),
    [
        ((-1.0, 1.0), ("−1", "1")),
        ((0.0, 1e6), ("0", "1e6")),
        ((1234.0, 5678.0), ("1234", "5678")),
        ((-0.6, 0.05), ("−0.6", "0.05")),
        ((3.0, 3.0), ("3", "3")),
        ((-0.004, 1.0), ("0", "1")),
        ((0.0, 1.2e-7), ("0", "1.2e−7")),
        ((1e6, 1.0001e6), ("1e6", "1.0001e6")),
    ],
)
def test_ends_of_ranges(pair: tuple[float, float], texts: tuple[str, str]) -> None:
    assert numbers(pair) == texts


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_figures_for_print(suffix: str, start: bytes, tmp_path: Path) -> None:
    shown = diagram_of("poisson", tables(*SHAPES["2-(3,3)-1"]))
    one, two = (write(shown, tmp_path / f"{name}.{suffix}") for name in "ab")
    assert one.read_bytes().startswith(start)
    assert one.read_bytes() == two.read_bytes()


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="png, pdf, svg or html"):
        write(diagram_of("poisson", tables([1, 1])), tmp_path / "d.gif")
    assert check_format("d.HTML") == "html"


def data_of(page: str) -> list[dict]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    assert "<" not in found[1], "a parser could take it for a tag"
    return json.loads(found[1])["edges"]


def test_the_page_holds_the_curves_their_derivatives_and_the_candidates() -> None:
    asked = []

    def candidates(x: np.ndarray, y: np.ndarray) -> list[tuple[str, float]]:
        asked.append((x, y))
        return [(f"{len(asked)}*x < 3", 1e-3), ("bad", float("inf"))]

    shown = diagram_of("poisson", tables([2, 3, 1]))
    found = data_of(html(shown, candidates))
    assert len(found) == len(asked) == 9
    for link, edge, (x, y) in zip(shown.links, found, asked, strict=True):
        assert x is link.edge.x
        assert y is link.edge.y
        for key, values in (("value", y), ("slope", link.edge.slope), ("bend", link.edge.bend)):
            np.testing.assert_allclose(edge["curves"][key], values, rtol=1e-5, atol=1e-12)
        assert edge["importance"] == pytest.approx(link.importance, abs=1e-4)
    assert found[2]["candidates"] == [["3*x < 3", 0.001], ["bad", None]]
    assert data_of(html(shown))[0]["candidates"] == []


def test_long_curves_are_thinned_and_holes_stay() -> None:
    x = np.linspace(-1, 1, 201)
    edge = dataclasses.replace(edges([1, 1])[0], x=x, y=np.where(np.abs(x) < 0.005, np.nan, x))
    (found,) = data_of(html(diagram_of("p", PlotTables(("u",), ("x",), (), edges=(edge,)))))
    assert len(found["curves"]["value"]) == 101
    assert [k for k, v in enumerate(found["curves"]["value"]) if v is None] == [50]
    assert set(found["curves"]) == {"value"}


def test_hostile_names_stay_text() -> None:
    evil = "</script><b>&\x00"
    page = html(diagram_of(evil, tables([2, 1], inputs=("x", evil), about=evil)), lambda *_: [(evil, 0.5)])
    assert "<b>" not in page
    assert "\x00" not in page
    assert page.count("</script>") == 2
    assert data_of(page)[0]["candidates"] == [["</script><b>&\ufffd", 0.5]]


def test_formulas_are_looked_up_for_the_most_important_edges_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kanpde.diagrams.page.FITTED", 3)
    shown = diagram_of("poisson", tables([2, 3, 1]))
    found = data_of(html(shown, lambda _x, _y: [("f", 0.1)]))
    looked_up = [edge["importance"] for edge in found if edge["candidates"]]
    assert sorted(looked_up) == sorted(edge["importance"] for edge in found)[-3:]
