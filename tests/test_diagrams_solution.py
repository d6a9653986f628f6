"""Diagrams of solutions: every edge over the range that the domain uses, with its derivatives, from a file alone."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
import torch
from synthetic import record
from test_diagrams import data_of, tables
from test_network import stirred

import kanpde as kp
from kanpde import store
from kanpde.cli import main
from kanpde.diagrams import diagram_of
from kanpde.dimensionless import Scales
from kanpde.errors import ProblemError
from kanpde.estimate import TrainedField
from kanpde.field import Ansatz, SymbolicField
from kanpde.network import KAN, MLP, Network
from kanpde.network.attribution import attribution
from kanpde.solution.curves import FIXED, NetworkTables, network_tables
from kanpde.solution.units import ScaledField
from kanpde.solution.windows import WindowedField

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
BOX = kp.Box({x: (0, 2), y: (-1, 3)})
PROBLEM = kp.Problem(BOX, sp.Eq(kp.laplacian(u), 1), kp.Dirichlet(u, 0), name="plate")


def field(network: Network, features: tuple[sp.Expr, ...] = ()) -> TrainedField:
    """A network as it is, u = N, perhaps of features."""
    zero, one = (SymbolicField((x, y), (sp.Integer(k),)) for k in (0, 1))
    return TrainedField(network, Ansatz(zero, one, features=SymbolicField((x, y), features) if features else None))


def plain(seed: int = 0) -> Network:
    return stirred(KAN([2, (2, 1), 1], degree=5, intervals=3, seed=seed, bounds=[(0, 2), (-1, 3)]))


def summed(found: NetworkTables, layer: int, target: int, values: dict[int, np.ndarray]) -> np.ndarray:
    """The sum `target` of a layer by interpolation in its curves, from values of its sources."""
    own = {e.source: e for e in found.edges if (e.layer, e.target) == (layer, target)}
    return sum(np.interp(v, own[source].x, own[source].y) for source, v in values.items())


def test_curves_compose_to_the_network() -> None:
    network, points = plain(), np.random.default_rng(0).uniform((0, -1), (2, 3), (50, 2))
    found = network_tables(field(network), PROBLEM)
    first = [summed(found, 0, k, {0: points[:, 0], 1: points[:, 1]}) for k in range(4)]
    hidden = [first[0], first[1], first[2] * first[3]]
    value = summed(found, 1, 0, dict(enumerate(hidden)))
    exact = network(torch.as_tensor(points)).detach().numpy()[:, 0]
    np.testing.assert_allclose(value, exact, atol=2e-3 * np.ptp(exact))


def test_ranges_are_those_of_the_domain() -> None:
    found = network_tables(field(plain()), PROBLEM)
    ends = {(e.layer, e.source): (e.x[0], e.x[-1]) for e in found.edges}
    np.testing.assert_allclose([ends[0, 0], ends[0, 1]], [(0, 2), (-1, 3)], atol=1e-2)
    grid = np.stack(np.meshgrid(np.linspace(0, 2, 60), np.linspace(-1, 3, 60)), -1).reshape(-1, 2)
    first = [summed(found, 0, k, {0: grid[:, 0], 1: grid[:, 1]}) for k in range(4)]
    for source, values in enumerate([first[0], first[1], first[2] * first[3]]):
        np.testing.assert_allclose(ends[1, source], (values.min(), values.max()), atol=0.05 * np.ptp(values))


def test_derivatives_are_those_of_the_curves() -> None:
    for edge in network_tables(field(plain()), PROBLEM).edges:
        step = edge.x[1] - edge.x[0]
        np.testing.assert_allclose(edge.slope, np.gradient(edge.y, step, edge_order=2), atol=2e-2 * np.ptp(edge.slope))
        np.testing.assert_allclose(
            edge.bend, np.gradient(edge.slope, step, edge_order=2), atol=5e-2 * np.ptp(edge.bend)
        )


def test_scores_are_those_of_attribution() -> None:
    network = plain()
    grid = torch.cartesian_prod(torch.linspace(0, 2, 81), torch.linspace(-1, 3, 81)).double()
    expected = attribution(network, grid).edges
    for edge in network_tables(field(network), PROBLEM).edges:
        assert edge.score == pytest.approx(expected[edge.layer][edge.target, edge.source], rel=0.05, abs=0.01)


def test_features_have_their_expressions_and_ranges() -> None:
    radius = sp.log((x + 1) ** 2 + sp.Float(0.123456789))
    network = stirred(KAN([3, 2, 1], degree=5, intervals=3, bounds=[(0, 2), (-1, 3), (0, 3)]))
    found = network_tables(field(network, (x, y, radius)), PROBLEM)
    assert found.inputs == ("x", "y", "log((x + 1)**2 + 0.1235)")
    (edge,) = [e for e in found.edges if (e.layer, e.source, e.target) == (0, 2, 0)]
    np.testing.assert_allclose((edge.x[0], edge.x[-1]), np.log(np.array([1, 9]) + 0.123456789), atol=2e-2)


def test_a_feature_that_is_infinite_on_a_side_is_left_out_there() -> None:
    network = stirred(KAN([2, 1], degree=5, intervals=3, squash=None))
    found = network_tables(field(network, (x, sp.log(y + 1))), PROBLEM)
    assert all(np.isfinite([e.x, e.y, e.slope, e.bend]).all() for e in found.edges)


def test_coordinates_are_in_the_units_of_the_user() -> None:
    """A network of ξ = (x − 1)/5 on curves of x: slopes are divided by 5, curvatures by 25."""
    scales = Scales(("x", "y"), np.array([1.0, 0.0]), np.array([5.0, 2.0]), np.ones(1), np.ones(1), np.ones(1), {})
    network = stirred(KAN([2, 1], "chebyshev", degree=3))
    own = network_tables(ScaledField(field(network), scales), PROBLEM)
    (edge,) = [e for e in own.edges if e.source == 0]
    np.testing.assert_allclose((edge.x[0], edge.x[-1]), (0, 2), atol=1e-2)
    step = edge.x[1] - edge.x[0]
    np.testing.assert_allclose(edge.slope, np.gradient(edge.y, step, edge_order=2), atol=1e-2 * np.ptp(edge.y))
    np.testing.assert_allclose(edge.bend, np.gradient(edge.slope, step, edge_order=2), atol=1e-2 * np.ptp(edge.y))
    assert "dimensionless values" in own.about


def test_of_windows_the_last_one_is_shown() -> None:
    found = network_tables(WindowedField((field(plain(1)), field(plain(2))), (-1.0, 1.0, 3.0), 1), PROBLEM)
    time = next(e for e in found.edges if (e.layer, e.source) == (0, 1))
    np.testing.assert_allclose((time.x[0], time.x[-1]), (1, 3), atol=1e-2)
    assert found.about == "the network of the last of 2 windows"
    own = next(e for e in network_tables(field(plain(2)), PROBLEM).edges if (e.layer, e.source) == (0, 1))
    inside = time.x[5:-5]
    np.testing.assert_allclose(time.y[5:-5], np.interp(inside, own.x, own.y), atol=1e-3 * np.ptp(own.y))


def test_a_perceptron_keeps_its_most_important_edges() -> None:
    found = network_tables(field(MLP([2, 16, 16, 1])), PROBLEM)
    assert found.fixed
    assert len(found.edges) == FIXED
    full = dataclasses.replace(tables([1, 1]), **{f.name: getattr(found, f.name) for f in dataclasses.fields(found)})
    shown = diagram_of("plate", dataclasses.replace(full, coordinates=("x", "y")))
    assert shown.omission == "the 200 most important of 304 edges"


def test_a_constant_node_has_an_interval_about_it() -> None:
    network = KAN([2, 1, 1], "chebyshev", degree=3)
    with torch.no_grad():
        network.coefficients[0].zero_()
    edge = network_tables(field(network), PROBLEM).edges[-1]
    assert (edge.x[0], edge.x[-1], edge.score) == (-0.5, 0.5, 0.0)


def test_a_solution_draws_its_diagram(tmp_path: Path) -> None:
    v = sp.Function("v")(x)
    line = kp.Problem(kp.Box({x: (0, 1)}), sp.Eq(v.diff(x, 2), sp.exp(x)), kp.Dirichlet(v, 0), name="line")
    solution = kp.solve(line, rtol=1e-3, stages=[kp.Stage(iterations=3)])
    page = solution.diagram(tmp_path / "d.html", lambda *_: [("exp(x)", 0.5)]).read_text(encoding="utf-8")
    (edge,) = data_of(page)
    assert edge["name"] == "x → v"
    assert edge["candidates"] == [["exp(x)", 0.5]]
    assert edge["range"] == pytest.approx([0, 1], abs=1e-2)
    again = kp.load(solution.save(tmp_path / "s.h5")).diagram(tmp_path / "again.html", lambda *_: [("exp(x)", 0.5)])
    assert again.read_text(encoding="utf-8") == page


def test_the_command_line_draws_from_the_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.save(tmp_path / "plate.h5", record(problem_name="plate"), tables([2, 3, 1]))
    for form, start in (("html", "<!DOCTYPE html>"), ("svg", "<?xml")):
        assert main(["plot", "plate", "--part", "diagram", "--format", form, "--out", str(tmp_path)]) == 0
        assert (tmp_path / f"plate-diagram.{form}").read_text(encoding="utf-8").startswith(start)
    assert main(["plot", "plate", "--format", "html", "--out", str(tmp_path)]) == 2
    assert main(["plot", "plate", "--part", "diagram", "--format", "gif", "--out", str(tmp_path)]) == 2
    assert "png, pdf, svg or html" in capsys.readouterr().err


def test_a_module_has_no_diagram() -> None:
    assert network_tables(_Module(), PROBLEM).edges == ()
    with pytest.raises(ProblemError, match="a module of one's own"):
        diagram_of("plate", dataclasses.replace(tables([1, 1]), edges=()))


class _Module:
    """A field whose network has no layers."""

    network = None
