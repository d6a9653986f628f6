"""A trained solution as an ONNX model: values at points, float64 throughout.

The graph is written here and not traced by torch.onnx, which turns Python numbers into float32 constants: Fourier edges
were off by 2e-8 in that way.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kanpde.errors import ProblemError
from kanpde.exporting.composition import (
    Array,
    Composition,
    Segment,
    check_operations,
    layered,
    matrix_of,
    segments,
    values_program,
)
from kanpde.exporting.onnx_graph import FORMS, Graph, run
from kanpde.network import Activation, BSpline, Chebyshev, Fourier, GaussianRBF, Layer, Network
from kanpde.network.bspline import local_matrices

OPSET = 17
IR_VERSION = 8  # what readers of that operator set know


def onnx_model(composition: Composition) -> Any:
    """The `onnx.ModelProto` that maps "points" (n, d) to "values" (n, c), with the names of both in its metadata.

    Raises:
        ProblemError: onnx is missing, a module of the user's, or a function in the ansatz that ONNX lacks.
    """
    network = layered(composition, "an ONNX model")
    check_operations(composition.values_programs, set(FORMS), "ONNX in float64")
    onnx = _onnx()
    graph = Graph(onnx.helper)
    _write(graph, composition, network)
    d, c, double = len(composition.coordinates), len(composition.columns), onnx.TensorProto.DOUBLE
    points = onnx.helper.make_tensor_value_info("points", double, ["n", d])
    values = onnx.helper.make_tensor_value_info("values", double, ["n", c])
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    made = onnx.helper.make_graph(graph.nodes, "solution", [points], [values], constants, composition.title)
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION, producer_name="kanpde")
    names = {"coordinates": ",".join(composition.coordinates), "unknowns": ",".join(composition.columns)}
    onnx.helper.set_model_props(model, names)
    onnx.checker.check_model(model, full_check=True)
    return model


def _onnx() -> Any:
    try:
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ProblemError("ONNX models need onnx: pip install 'kanpde[onnx]', or export to .pt2 or .c") from error


def _write(graph: Graph, composition: Composition, network: Network) -> None:
    """From "points" to "values"."""
    places = "points"
    if not composition.in_own_units:
        shifted = graph.op("Sub", "points", graph.constant(composition.origin))
        places = graph.op("Div", shifted, graph.constant(composition.length))
    data = (
        places
        if composition.features is None
        else graph.joined(run(graph, values_program(composition.features), places))
    )
    for k, layer in enumerate(network.layers):
        data = _layer(graph, network, k, layer, data)
    fields = [graph.column(data, c) for c in range(network.outputs)]
    if composition.frame is not None:
        frame = run(graph, values_program(composition.frame), places)
        lift, factor = frame[: len(fields)], frame[len(fields) :]
        fields = [graph.op("Add", g, graph.op("Mul", b, n)) for g, b, n in zip(lift, factor, fields, strict=True)]
    sized = [graph.times(u, float(size)) for u, size in zip(fields, composition.sizes, strict=True)]
    graph.op("Concat", *_columns(graph, composition, sized), axis=1, name="values")


def _columns(graph: Graph, composition: Composition, fields: Sequence[str]) -> list[str]:
    """The fields of the first material whose predicate holds, of the first one of all where none does."""
    found = [fields[k] for k in composition.shares[0]]
    if not composition.predicates:
        return found
    held = run(graph, composition.materials_program, "points")
    for share, holds in reversed(list(zip(composition.shares, held, strict=True))):
        found = [graph.op("Where", holds, fields[k], other) for k, other in zip(share, found, strict=True)]
    return found


def _layer(graph: Graph, network: Network, k: int, layer: Layer, data: str) -> str:
    """One layer on (n, inputs): (n, outputs)."""
    if layer.centre is not None and layer.half_width is not None:
        scaled = graph.op("Div", data, graph.constant(np.array(layer.half_width)))
        data = graph.op("Sub", scaled, graph.constant(np.array(layer.centre) / np.array(layer.half_width)))
    if layer.squash is not None:
        data = _activation(graph, layer.squash, data)
    parts = [_segment(graph, segment, data) for segment in segments(network, k)]
    linear = parts[0]
    for part in parts[1:]:
        linear = graph.op("Add", linear, part)
    if layer.bias:
        linear = graph.plus(linear, matrix_of(network, k)[:, -1].copy())
    return _multiplied(graph, layer, linear) if layer.products else linear


def _multiplied(graph: Graph, layer: Layer, linear: str) -> str:
    starts = range(layer.sums, layer.columns, layer.products)
    factors = [graph.column(linear, *range(start, start + layer.products)) for start in starts]
    product = factors[0]
    for factor in factors[1:]:
        product = graph.op("Mul", product, factor)
    return graph.joined([graph.column(linear, *range(layer.sums)), product]) if layer.sums else product


def _segment(graph: Graph, segment: Segment, data: str) -> str:
    """The share of a segment in the linear outputs, (n, columns): features, then one product of matrices."""
    z, basis = graph.column(data, *segment.inputs), segment.basis
    if isinstance(basis, BSpline):
        return _spline(graph, basis, segment.coefficients, z)
    features = graph.joined(_features(graph, segment, z))
    matrix = np.moveaxis(segment.coefficients, 1, 0).reshape(-1, segment.coefficients.shape[2])
    return graph.op("MatMul", features, graph.constant(np.ascontiguousarray(matrix)))


def _features(graph: Graph, segment: Segment, z: str) -> list[str]:
    """Every basis function of all inputs, (n, inputs) each."""
    basis = segment.basis
    if isinstance(basis, Chebyshev):
        return _chebyshev(graph, basis, z)
    if isinstance(basis, Fourier):
        phases = [graph.times(z, math.pi * m) for m in range(1, basis.modes + 1)]
        return [_ones(graph, z), *(graph.op(kind, phase) for phase in phases for kind in ("Cos", "Sin"))]
    if isinstance(basis, GaussianRBF):
        return [_gaussian(graph, z, centre, 2.0 / (basis.centres - 1)) for centre in np.linspace(-1, 1, basis.centres)]
    assert isinstance(basis, Activation)
    return [_activation(graph, basis.name, z)]


def _ones(graph: Graph, z: str) -> str:
    return graph.plus(graph.op("Sub", z, z), 1.0)


def _chebyshev(graph: Graph, basis: Chebyshev, z: str) -> list[str]:
    rows, twice = [_ones(graph, z), z], graph.times(z, 2.0)
    for _ in range(2, basis.size):
        rows.append(graph.op("Sub", graph.op("Mul", twice, rows[-1]), rows[-2]))
    return rows[: basis.size]


def _gaussian(graph: Graph, z: str, centre: float, width: float) -> str:
    s = graph.op("Div", graph.plus(z, -float(centre)), graph.constant(width))
    return graph.op("Exp", graph.op("Neg", graph.op("Mul", s, s)))


def _activation(graph: Graph, name: str, z: str) -> str:
    if name not in ACTIVATIONS:
        raise ProblemError(f"ONNX models have no activation {name}; export to .pt2")
    return ACTIVATIONS[name](graph, z)


ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "tanh": lambda graph, z: graph.op("Tanh", z),
    "sin": lambda graph, z: graph.op("Sin", z),
    "silu": lambda graph, z: graph.op("Mul", z, graph.op("Sigmoid", z)),
    "identity": lambda graph, z: graph.op("Identity", z),
}


def _spline(graph: Graph, basis: BSpline, coefficients: Array, z: str) -> str:
    """Splines piece by piece: [z is in piece g] t^p times the polynomials of all edges, (inputs, G, k + 1, columns)."""
    inputs, _, columns = coefficients.shape
    pieces, powers = basis.intervals, basis.degree + 1
    local = np.broadcast_to(local_matrices(basis), (pieces, powers, powers))
    windows = np.stack([coefficients[:, g : g + powers] for g in range(pieces)], axis=1)
    matrix = np.einsum("glp,iglo->igpo", local, windows).reshape(-1, columns)
    last = graph.constant(np.array([-1], dtype=np.int64))
    span, t = _places(graph, basis, z)
    inside = graph.op("Equal", graph.op("Unsqueeze", span, last), graph.constant(np.arange(float(pieces))))
    shape = graph.constant(np.array([0, 0, pieces, 1], dtype=np.int64))
    chosen = graph.op("Where", inside, graph.constant(1.0), graph.constant(0.0))
    raised = _powers(graph, t, powers)
    features = graph.op(
        "Mul",
        graph.op("Reshape", chosen, shape),
        graph.op("Unsqueeze", raised, graph.constant(np.array([2], dtype=np.int64))),
    )
    flat = graph.constant(np.array([0, inputs * pieces * powers], dtype=np.int64))
    return graph.op("MatMul", graph.op("Reshape", features, flat), graph.constant(matrix))


def _powers(graph: Graph, t: str, count: int) -> str:
    """1, t, t², ... as (n, inputs, count)."""
    rows = [_ones(graph, t)]
    for _ in range(1, count):
        rows.append(graph.op("Mul", rows[-1], t))
    last = graph.constant(np.array([-1], dtype=np.int64))
    return graph.op("Concat", *(graph.op("Unsqueeze", row, last) for row in rows), axis=2)


def _places(graph: Graph, basis: BSpline, z: str) -> tuple[str, str]:
    """The number of the piece, as a float, and the local coordinate t."""
    if basis.uniform:
        scaled = graph.times(graph.plus(z, 1.0), 0.5 * basis.intervals)
        span = graph.op("Max", graph.op("Floor", scaled), graph.constant(0.0))
        span = graph.op("Min", span, graph.constant(basis.intervals - 1.0))
        return span, graph.op("Sub", scaled, span)
    breaks = basis.breakpoints()
    one, none = graph.constant(1.0), graph.constant(0.0)
    span, start, width = (graph.times(z, 0.0) for _ in range(3))
    start, width = graph.plus(start, breaks[0]), graph.plus(width, breaks[1] - breaks[0])
    for g in range(1, basis.intervals):
        beyond = graph.op("GreaterOrEqual", z, graph.constant(breaks[g]))
        span = graph.op("Add", span, graph.op("Where", beyond, one, none))
        start = graph.op("Where", beyond, graph.constant(breaks[g]), start)
        width = graph.op("Where", beyond, graph.constant(breaks[g + 1] - breaks[g]), width)
    return span, graph.op("Div", graph.op("Sub", z, start), width)
