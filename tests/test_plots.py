"""Figures: they show the numbers of the tables, need nothing but tables, and leave no state behind."""

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from synthetic import edges, history, plots, record

from kanpde.errors import ProblemError, StoreError
from kanpde.plots import PARTS, canvas, plot_part, plot_record, plot_tables
from kanpde.plots.edges import MOST, draw_edges
from kanpde.plots.fields import _grown, draw_fields, parts_of, shape_of
from kanpde.plots.history import column, draw_history, news, stage_label, stage_starts, stage_words
from kanpde.tables import PlotTables, tabulate

SHAPES = [(1, 1, None), (1, 2, None), (2, 1, None), (2, 2, 1), (3, 1, 2), (3, 2, None), (4, 1, 2), (4, 1, 3)]


def fields_of(tables: PlotTables) -> Figure:
    figure = Figure()
    draw_fields(figure, tables, parts_of(tables))
    return figure


def panels(figure: Figure) -> list:
    return [axes for axes in figure.axes if axes.get_title()]


@pytest.mark.parametrize(("dimension", "unknowns", "space"), SHAPES)
@pytest.mark.parametrize("exact", [True, False])
def test_every_unknown_and_slice_has_its_panels(dimension: int, unknowns: int, space: int | None, exact: bool) -> None:
    tables = plots(dimension, unknowns, exact=exact, space=space)
    rows, columns = shape_of(tables, parts_of(tables))
    groups = 1 if dimension == 1 else unknowns  # lines share a panel
    assert len(panels(fields_of(tables))) == rows * columns == groups * len(tables.slices) * (1 + exact)


def test_line_shows_the_values_and_the_truth() -> None:
    tables = plots(1)
    solution, error = panels(fields_of(tables))
    piece = tables.slices[0]
    np.testing.assert_array_equal(solution.lines[0].get_ydata(), piece.values[:, 0])
    np.testing.assert_array_equal(solution.lines[1].get_ydata(), piece.values[:, 0] - piece.error[:, 0])
    np.testing.assert_array_equal(error.lines[1].get_ydata(), piece.error[:, 0])


def test_map_has_the_first_coordinate_to_the_right() -> None:
    tables = plots(2)
    solution, error = panels(fields_of(tables))
    np.testing.assert_array_equal(solution.collections[0].get_array(), tables.slices[0].values[..., 0].T)
    assert (solution.get_xlabel(), solution.get_ylabel()) == ("$x$", "$y$")
    assert error.get_title() == "error of $u$"


@pytest.mark.parametrize(("shift", "limits"), [(0.0, (-1, 1)), (3.0, (2, 4)), (-3.0, (-4, -2))])
def test_colours_are_symmetric_only_about_a_zero_that_is_crossed(shift: float, limits: tuple[float, float]) -> None:
    slices = tabulate(
        lambda x: shift + np.sin(np.pi / 2 * x[:, :1]), ("x", "y"), np.array([[-1, 1], [0, 1]]), resolution=9
    )
    figure = fields_of(PlotTables(("u",), ("x", "y"), slices))
    np.testing.assert_allclose(panels(figure)[0].collections[0].get_clim(), limits)


def ring_tables(values=lambda x: x[:, :1]) -> PlotTables:
    """An annulus of radii 1/2 and 1."""
    bounds = np.array([[-1.0, 1.0], [-1.0, 1.0]])

    def level(x: np.ndarray) -> np.ndarray:
        return np.abs(np.linalg.norm(x, axis=1) - 0.75) - 0.25

    return PlotTables(("u",), ("x", "y"), tabulate(values, ("x", "y"), bounds, level=level, resolution=65))


def test_nothing_is_evaluated_outside_of_the_domain() -> None:
    asked = []

    def values(points: np.ndarray) -> np.ndarray:
        asked.append(points)
        return points[:, :1]

    (piece,) = ring_tables(values).slices
    radii = np.hypot(*np.meshgrid(*piece.axes, indexing="ij"))
    np.testing.assert_array_equal(np.isfinite(piece.values[..., 0]), (radii <= 1 + 1e-9) & (radii >= 0.5 - 1e-9))
    (points,) = asked
    assert np.abs(np.linalg.norm(points, axis=1) - 0.75).max() <= 0.25 + 1e-8
    assert piece.equal


def test_maps_are_cut_along_the_outline_with_its_holes() -> None:
    (axes,) = panels(fields_of(ring_tables()))
    mesh, line = axes.collections
    loops = [loop for path in line.get_paths() for loop in path.to_polygons(closed_only=False)]
    radii = sorted(float(np.mean(np.linalg.norm(loop, axis=1))) for loop in loops)
    np.testing.assert_allclose(radii, [0.5, 1], atol=0.01)
    assert mesh.get_clip_path() is not None
    shown = mesh.get_array()
    assert shown.mask[32, 32], "the middle of the hole"
    assert not shown.mask[32, 64]


def test_cells_next_to_the_domain_are_continued_for_the_outline_to_cut() -> None:
    table = np.full((7, 7), np.nan)
    table[3, 3] = 2.0
    assert np.isfinite(_grown(table)).sum() == 25
    assert set(_grown(table)[np.isfinite(_grown(table))]) == {2.0}


@pytest.mark.parametrize(("heights", "aspect"), [((0, 2.0), 2.0), ((0, 20.0), 1.0)])
def test_two_coordinates_of_space_are_to_scale(heights: tuple[float, float], aspect: float) -> None:
    bounds = np.array([[0.0, 1.0], heights])
    for space, expected in ((2, aspect), (1, 1.0)):
        slices = tabulate(lambda x: x[:, :1], ("x", "y"), bounds, space=space, resolution=9)
        (axes,) = panels(fields_of(PlotTables(("u",), ("x", "y"), slices)))
        assert axes.get_box_aspect() == pytest.approx(expected)


def lines_of(sizes: list[float]) -> PlotTables:
    names = tuple(f"u{k}" for k in range(len(sizes)))
    slices = tabulate(lambda t: np.sin(t) * np.array(sizes), ("t",), np.array([[0.0, 7.0]]), exact=lambda t: 0 * t)
    return PlotTables(names, ("t",), slices, "estimate")


def test_a_system_of_one_coordinate_shares_a_panel() -> None:
    solution, error = panels(fields_of(lines_of([1.0, 3.0, 5.0])))
    names = [text.get_text() for text in solution.get_legend().get_texts()]
    assert names == [*(canvas.label(f"u{k}") for k in range(3)), "estimate"]
    assert len({line.get_color() for line in error.lines[1:]}) == 3


@pytest.mark.parametrize("sizes", [[1.0, 1e3], [1.0] * 6, [1.0, 0.0]])
def test_lines_that_could_not_be_told_apart_have_panels_of_their_own(sizes: list[float]) -> None:
    assert len(panels(fields_of(lines_of(sizes)))) == 2 * len(sizes)


def test_outputs_have_the_names_of_the_fields() -> None:
    axes = Figure().subplots()
    draw_edges(axes, PlotTables(("u_re", "u_im"), ("x",), (), edges=edges([1, 2]), fields=("u_im", "u_re")))
    assert [text.get_text() for text in axes.texts][1:] == [canvas.label("u_im"), canvas.label("u_re")]


def test_tabulate_evaluates_on_the_planes_it_names() -> None:
    coordinates, bounds = ("x", "y", "z", "t"), np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 4.0], [0.0, 8.0]])
    slices = tabulate(lambda points: points, coordinates, bounds, space=3, resolution=5)
    assert [piece.names for piece in slices] == [("x", "y"), ("x", "z"), ("y", "z")]
    for piece in slices:
        for k, name in enumerate(coordinates):
            expected = piece.held.get(name, piece.axes[piece.names.index(name)] if name in piece.names else None)
            seen = piece.values[..., k]
            np.testing.assert_array_equal(np.unique(seen), np.unique(expected))
    assert [piece.held for piece in tabulate(lambda p: p, coordinates[1:], bounds[1:], space=2)] == [
        {"t": t} for t in (0, 4, 8)
    ]


def test_history_shows_residuals_estimates_and_stages() -> None:
    axes, rows = Figure().subplots(), history()
    draw_history(axes, rows, rtol=1e-6, final=1e-9)
    residual, estimate, tolerance, stage = axes.lines
    np.testing.assert_allclose(residual.get_ydata(), [(2 * row["loss"]) ** 0.5 for row in rows], rtol=1e-15)
    assert np.isfinite(estimate.get_ydata()).sum() == 5
    assert (estimate.get_xdata()[-1], estimate.get_ydata()[-1]) == (12, 1e-9)
    assert tolerance.get_ydata()[0] == 1e-6
    assert stage.get_xdata()[0] == 5.5
    assert stage_starts(rows) == [0, 6]


def test_stages_are_labelled_where_there_is_room() -> None:
    row = {"stage": 0, "loss": 1.0, "basis": "chebyshev 5", "change": "finer", "parameters": 9, "overfit": 1.0}
    finer = row | {"stage": 1, "basis": "chebyshev 8"}
    rows = [*[row] * 10, *[finer] * 10, finer | {"stage": 2, "change": "wider"}, *[finer | {"stage": 3}] * 9]
    axes = Figure().subplots()
    draw_history(axes, rows)
    assert [text.get_text() for text in axes.texts] == ["chebyshev 8", "wider"]
    assert [text.xy[0] for text in axes.texts] == [9.5, 19.5]
    assert sum(len(line.get_xdata()) == 2 for line in axes.lines) == 3


def test_stages_are_told_apart_and_named() -> None:
    row = {"window": 0, "stage": 0, "iteration": 9, "change": "finer", "basis": "chebyshev 5", "overfit": 1.0}
    again = row | {"iteration": 10, "overfit": 1.2}
    window = row | {"window": 1, "iteration": 1}
    wider = row | {"stage": 1, "iteration": 10, "change": "wider"}
    assert stage_starts([row, row | {"iteration": 10}, again, window]) == [0, 2, 3]
    assert [stage_label(row, other) for other in (again, window, wider)] == ["another start", "window 2", "wider"]
    assert stage_words({"stage": 1}) == "stage 1"


def test_history_of_nothing_says_so() -> None:
    axes = Figure().subplots()
    draw_history(axes, ())
    assert [text.get_text() for text in axes.texts] == ["no iterations"]


def test_what_has_no_logarithm_is_left_out() -> None:
    rows = [{"loss": value} for value in (1.0, 0.0, -1.0, float("nan"), float("inf"), None)] + [{}]
    np.testing.assert_array_equal(column(rows, "loss"), [1.0] + [np.nan] * 6)


@pytest.mark.parametrize("widths", [[2, 5, 1], [1, 1], [3, 4, 4, 2]])
def test_every_edge_is_drawn_once(widths: list[int]) -> None:
    tables = PlotTables(("u", "v")[: widths[-1]], ("x", "y", "z")[: widths[0]], (), edges=edges(widths))
    axes = Figure().subplots()
    draw_edges(axes, tables)
    assert len(axes.patches) == len(tables.edges) == sum(n * m for n, m in itertools.pairwise(widths))
    assert [text.get_text() for text in axes.texts] == ["$x$", "$y$", "$z$"][: widths[0]] + ["$u$", "$v$"][: widths[-1]]


def test_an_estimate_is_shown_when_it_is_new() -> None:
    np.testing.assert_array_equal(news(np.array([np.nan, 2, 2, 1, np.nan, 1])), [np.nan, 2, np.nan, 1, np.nan, 1])


def test_products_are_crosses_where_their_factors_meet() -> None:
    axes = Figure().subplots()
    nodes = ((0, 1, 1), (0,))
    draw_edges(axes, PlotTables(("u",), ("x",), (), edges=(*edges([1, 3]), *shifted(edges([2, 1]))), nodes=nodes))
    marks = {line.get_marker(): line for line in axes.lines if line.get_ydata()[0] == 1 and line.get_marker() in "oX"}
    np.testing.assert_array_equal(marks["o"].get_xdata(), [0.25])
    np.testing.assert_array_equal(marks["X"].get_xdata(), [0.75])
    ends = [line.get_xdata()[1] for line in axes.lines if line.get_color() == canvas.GREY and line.get_ydata()[-1] == 1]
    assert ends == [0.25, 0.75, 0.75]


def shifted(layer: tuple) -> tuple:
    return tuple(dataclasses.replace(edge, layer=1) for edge in layer)


def test_crowded_layers_say_what_they_leave_out() -> None:
    axes = Figure().subplots()
    draw_edges(axes, PlotTables(("u",), ("x", "y"), (), edges=edges([2, 8, 8, 1])))
    assert len(axes.patches) == 16 + MOST + 8
    assert axes.texts[-1].get_text() == f"row 2: {MOST} largest of 64 edges"


def test_dead_edges_are_flat_and_faint() -> None:
    one, two = edges([2, 1])
    axes = Figure().subplots()
    draw_edges(axes, PlotTables(("u",), ("x", "y"), (), edges=(type(one)(0, 0, 0, one.x, 0 * one.y), two)))
    dead, alive = [line for line in axes.lines if line.get_color() == canvas.BLUE]
    assert np.ptp(dead.get_ydata()) == 0
    assert dead.get_alpha() < alive.get_alpha()


@pytest.mark.parametrize("suffix", canvas.FORMATS)
def test_same_tables_make_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    paths = [plot_record(record(), plots(1), tmp_path / f"{name}.{suffix}") for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_figures_of_their_own(tmp_path: Path, part: str) -> None:
    assert plot_part(part, record(), plots(2), tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_fields_alone(tmp_path: Path) -> None:
    assert plot_tables("reference", plots(3, exact=False), tmp_path / "figure.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "relative L2 error 3.1e-09"),
        ({"relative_l2": None}, "estimated relative L2 error 2.9e-09"),
        ({"relative_l2": None, "error_estimate": None}, "converged"),
    ],
)
def test_title_says_what_is_known_of_the_error(tmp_path: Path, changes: dict, words: str) -> None:
    path = plot_record(record(**changes), plots(1), tmp_path / "figure.svg")
    assert f"poisson: KAN [2, 5, 1], {words}" in path.read_text()


def test_without_edges_convergence_has_the_row_for_itself(tmp_path: Path) -> None:
    tables = plots(2)
    bare = PlotTables(tables.unknowns, tables.coordinates, tables.slices, tables.truth)
    assert "edges of the network" not in plot_record(record(), bare, tmp_path / "figure.svg").read_text()
    with pytest.raises(ProblemError, match="no curves on its edges"):
        plot_part("edges", record(), bare, tmp_path / "edges.png")


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="no figure is called 'loss'; there are solution, error"):
        plot_part("loss", record(), plots(), tmp_path / "a.png")
    with pytest.raises(ProblemError, match="no exact solution"):
        plot_part("error", record(), plots(exact=False), tmp_path / "a.png")
    with pytest.raises(ProblemError, match="png, pdf or svg"):
        plot_record(record(), plots(), tmp_path / "a.docx")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        plot_record(record(), plots(), tmp_path / "file" / "a.png")


def test_no_state_is_left(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    plot_record(record(), plots(), tmp_path / "a.png")
    assert dict(matplotlib.rcParams) == before
    script = (
        "import sys; from kanpde.plots.canvas import render; render(sys.argv[1], (1, 1), print); print(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "b.png"], capture_output=True, text=True, check=True
    )
    assert "'matplotlib.figure'" in result.stdout
    assert "'matplotlib.pyplot'" not in result.stdout


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("u", "$u$"),
        ("ψ", "$ψ$"),
        ("u1", "$u_{\\mathrm{1}}$"),
        ("u_re", "$u_{\\mathrm{re}}$"),
        ("pressure", "pressure"),
        ("a$b", r"a\$b"),
    ],
)
def test_labels(name: str, shown: str) -> None:
    assert canvas.label(name) == shown
