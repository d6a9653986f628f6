"""Networks as SciPy's splines, solutions as programs of torch.export and as ONNX models: equal to rounding."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import sympy as sp
import torch
from exported import NETWORKS, PROBLEMS, assert_equal, points_of, solution, values_of
from onnx.reference import ReferenceEvaluator
from scipy.interpolate import BSpline as ScipySpline
from scipy.interpolate import PPoly

import kanpde as kp
from kanpde.cli import main
from kanpde.errors import ProblemError
from kanpde.exporting import Composition, edge_splines, exported_program, onnx_model
from kanpde.network import KAN, MLP, ModuleNetwork, Network
from kanpde.network.layer import coefficient_blocks
from kanpde.solution.composing import composed
from kanpde.store import save_table

WITHOUT_KERNELS = ("ell",)  # ONNX Runtime has no arc tangent for float64


def parts_of(name: str) -> Composition:
    whole = solution(name)
    return composed(whole.field, whole.problem)


def by_splines(network: Network, points: np.ndarray) -> np.ndarray:
    """Values (n, outputs) by SciPy on every edge; no layer here has a bias."""
    splines, data = edge_splines(network), points
    for k, layer in enumerate(network.layers):
        if layer.half_width is not None:
            data = (data - np.array(layer.centre)) / np.array(layer.half_width)
        data = data if layer.squash is None else np.tanh(data)
        linear = np.zeros((len(data), layer.columns))
        for (at, source, target), spline in splines.items():
            if at == k:
                linear[:, target] += spline(data[:, source])
        nodes = linear[:, layer.sums :].reshape(len(data), layer.arity, layer.products).prod(axis=1)
        data = np.hstack([linear[:, : layer.sums], nodes])
    return data


@pytest.mark.parametrize("name", ["bspline", "uneven", "chebyshev", "unsquashed"])
def test_splines_of_all_edges_make_the_network(name: str) -> None:
    network = NETWORKS[name]()
    points = points_of(solution(name).problem, 200)
    assert len(edge_splines(network)) == sum(layer.inputs * layer.columns for layer in network.layers)
    assert_equal(by_splines(network, points), network(torch.as_tensor(points)).detach().numpy())


@pytest.mark.parametrize(
    ("network", "kind"),
    [
        (KAN([2, 3, 1], degree=4, intervals=5, seed=1), ScipySpline),
        (KAN([2, 3, 1], "chebyshev", degree=20, seed=2), PPoly),
        (KAN([2, 3, 1], "chebyshev", degree=1, seed=3), PPoly),
    ],
)
def test_a_spline_has_the_derivatives_of_its_edge(network: Network, kind: type) -> None:
    z = np.linspace(-1.3, 1.3, 201)
    spline = edge_splines(network)[1, 2, 0]
    block = coefficient_blocks(network.layers[1], network.coefficients[1])[0].detach()[0, 2]
    tables = network.layers[1].expansions[0].basis.tables(torch.as_tensor(z[None]), 2)[:, 0]
    assert isinstance(spline, kind)
    for order, table in enumerate(tables):
        assert_equal(spline(z, order), (block @ table).numpy())


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (KAN([1, 1], "fourier"), "Fourier series"),
        (KAN([1, 1], "rbf"), "Gaussians"),
        (KAN([1, 1], base="silu"), "two bases joined"),
        (MLP([1, 3, 1]), "identity"),
    ],
)
def test_other_edges_are_no_splines(network: Network, name: str) -> None:
    with pytest.raises(ProblemError, match=f"layer 0 has edges of {name}, which are no splines; export the solution"):
        edge_splines(network)


@pytest.mark.parametrize(
    "name",
    ["uneven", "ring", "materials"] + [pytest.param(n, marks=pytest.mark.slow) for n in ("far", "wave", *NETWORKS)],
)
def test_a_traced_program_has_the_values_of_the_solution(name: str) -> None:
    whole, buffer = solution(name), io.BytesIO()
    torch.export.save(exported_program(parts_of(name)), buffer)
    buffer.seek(0)
    module = torch.export.load(buffer).module()
    points = points_of(whole.problem)
    for some in (points, points[:1], points[:0]):
        found = module(torch.as_tensor(some)).detach().numpy()
        assert found.shape == (len(some), len(parts_of(name).columns))
        if len(some):
            assert_equal(found, values_of(whole, some))


def test_a_traced_network_can_be_differentiated() -> None:
    network = KAN([2, 3, 2], "fourier", intervals=2, seed=4)
    points = torch.rand((5, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found, wanted = exported_program(network).module()(points), network(points)
    slopes = [torch.autograd.grad(values.square().sum(), points)[0] for values in (found, wanted)]
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-12, atol=1e-12)


def test_a_module_of_the_users_is_traced_as_it_is() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh()).double()
    points = torch.ones((4, 2), dtype=torch.float64)
    found = exported_program(ModuleNetwork(module, 2)).module()(points)
    torch.testing.assert_close(found, module(points), rtol=0, atol=0)


def run(model: Any, name: str, points: np.ndarray) -> np.ndarray:
    if name in WITHOUT_KERNELS:
        return ReferenceEvaluator(model).run(None, {"points": points})[0]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"points": points})[0]


@pytest.mark.parametrize("name", [*NETWORKS, *PROBLEMS])
def test_an_onnx_model_has_the_values_of_the_solution(name: str) -> None:
    whole, points = solution(name), points_of(solution(name).problem)
    model = onnx_model(parts_of(name))
    for some in (points, points[:1]):
        assert_equal(run(model, name, some), values_of(whole, some))
    assert run(model, name, points[:0]).shape == (0, len(parts_of(name).columns))


def test_an_onnx_model_names_its_columns() -> None:
    model = onnx_model(parts_of("wave"))
    names = {entry.key: entry.value for entry in model.metadata_props}
    assert names == {"coordinates": "x,y", "unknowns": "a_re,a_im"}
    assert all(c.data_type in (onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64) for c in model.graph.initializer)


def test_onnx_models_need_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ProblemError, match=r"pip install 'kanpde\[onnx\]', or export to \.pt2 or \.c"):
        onnx_model(parts_of("bspline"))


def test_solutions_write_themselves(tmp_path: Path) -> None:
    whole, points = solution("square"), points_of(solution("square").problem)
    model = onnx.load(whole.export(tmp_path / "s.onnx"))
    assert_equal(run(model, "square", points), whole(points))
    program = torch.export.load(whole.export(tmp_path / "s.pt2"))
    assert_equal(program.module()(torch.as_tensor(points)).detach().numpy(), whole(points))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.onnx", "s.pt2"]
    with pytest.raises(ProblemError, match=r"\.npz, \.vtu, \.vtk, \.xdmf, \.c, \.onnx, \.pt2"):
        whole.export(tmp_path / "s.csv")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A solution in its file, one edge that is solved for at once."""
    s = sp.Symbol("s", real=True)
    f = sp.Function("f")(s)
    problem = kp.Problem(kp.Box({s: (0, 1)}), sp.Eq(f.diff(s, 2), 1), kp.Dirichlet(f, 0), name="a rod")
    return kp.solve(problem, rtol=1e-6).save(tmp_path / "results" / "rod.h5")


def test_the_command_line_exports(stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for suffix in ("c", "onnx", ".npz"):
        assert main(["export", str(stored), "--to", suffix, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / f"a_rod.{s}") for s in ("c", "onnx", "npz")]
    points = np.array([[0.5], [2.0]])
    model = onnx.load(tmp_path / "a_rod.onnx")
    assert_equal(run(model, "", points), kp.load(stored)(points))
    assert "void a_rod(const double *x, double *u, double *du)" in (tmp_path / "a_rod.c").read_text()
    assert main(["export", str(stored), "--to", "csv", "--out", str(tmp_path)]) == 2
    assert "no format to export to" in capsys.readouterr().err


def test_the_command_line_wants_a_solution(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_table(tmp_path / "t.h5", [{"a": 1}], {})
    assert main(["export", str(tmp_path / "t.h5")]) == 2
    assert "is a table, not a solution" in capsys.readouterr().err


def test_the_ansatz_of_these_solutions_is_not_trivial() -> None:
    """Else the comparisons above would see networks alone."""
    trivial = {name for name in PROBLEMS if parts_of(name).frame is None}
    assert trivial == {"soft", "ell"}
    assert {name for name in PROBLEMS if parts_of(name).features is not None} == {"ring", "ell", "fronts"}
    assert not parts_of("far").in_own_units
