"""KAN(...) and MLP(...): two ways to fill in the same layers, plus the plain values that name a network."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kanpde.errors import ProblemError
from kanpde.network.basis import ACTIVATIONS, Activation, Basis, Chebyshev, Fourier, GaussianRBF, Joined
from kanpde.network.bspline import BSpline
from kanpde.network.layer import Expansion, Layer
from kanpde.network.network import Network

Width = int | tuple[int, int]
START_DEGREE = 7  # random edges start as polynomials of at most this degree, whatever the basis
START_SCALE = 0.5  # measured on three problems: 1 costs splines a factor 5 to 900 in the error
START_DECAY = 0.6  # each coefficient of such a polynomial is this much smaller than the one before
BASES = ("bspline", "chebyshev", "fourier", "rbf")


def KAN(
    widths: Sequence[Width],
    basis: str = "bspline",
    *,
    degree: int | Sequence[int] | None = None,
    intervals: int | Sequence[int] = 8,
    seed: int = 0,
    base: str | None = None,
    squash: str | None = "tanh",
    arity: int = 2,
    bounds: Sequence[tuple[float, float]] | None = None,
    periodic: Sequence[int] = (),
    scale: float = START_SCALE,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Network:
    """A Kolmogorov-Arnold network: a learnable univariate function on every edge.

    Args:
        widths: nodes a layer, inputs first; (sums, products) adds multiplication nodes to a hidden layer.
        basis: "bspline", "chebyshev", "fourier" or "rbf".
        degree: of the splines (default 5) or of the Chebyshev polynomials (default 8); one or one a layer.
        intervals: intervals of a spline, modes of a Fourier basis, or centres of an RBF basis; one or one a layer.
        seed: of the random start. Equal seeds give equal networks; no global generator is touched.
        base: "silu" adds the paper's w_b · SiLU(x) to every edge.
        squash: "tanh" bounds hidden coordinates to the basis' interval; None leaves them free.
        arity: factors of a multiplication node.
        bounds: (low, high) of each input, mapped to [−1, 1]; `solve` sets it to the problem's domain.
        periodic: positions of inputs whose edges are Fourier series with the period of their bounds.
        scale: size of the random start; 1 gives hidden values of order one, which strays into poor minima.
        dtype: precision.
        device: where the coefficients are.

    Raises:
        ProblemError: for widths, a basis or a degree that cannot be.
    """
    _check_widths(widths)
    _check_options(_outputs(widths[0]), squash, arity, bounds, periodic)
    generator = np.random.default_rng(seed)
    layers, coefficients = [], []
    for k in range(len(widths) - 1):
        chosen = _edge_basis(basis, _pick(degree, k, widths), _pick(intervals, k, widths), base)
        inputs = _outputs(widths[k])
        expansions = _expansions(inputs, chosen, tuple(periodic) if k == 0 else ())
        sums, products = _nodes(widths[k + 1])
        centre, half = _affine(bounds) if k == 0 and bounds is not None else (None, None)
        layer = Layer(expansions, sums, products, arity, squash=squash if k else None, centre=centre, half_width=half)
        layers.append(layer)
        coefficients.append(random_coefficients(layer, generator, scale))
    tensors = [torch.as_tensor(c, dtype=dtype, device=device) for c in coefficients]
    return Network(layers, tensors, title=f"KAN {_written(widths)}, {basis}")


def MLP(
    widths: Sequence[int],
    activation: str = "tanh",
    *,
    seed: int = 0,
    bounds: Sequence[tuple[float, float]] | None = None,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Network:
    """A multilayer perceptron, as layers with one fixed function: a linear layer first, then σ and a linear layer.

    Args:
        widths: nodes a layer, inputs first.
        activation: "tanh", "sin" or "silu".
        seed: of the Glorot start (Glorot & Bengio 2010).
        bounds: (low, high) of each input, mapped to [−1, 1].
        dtype: precision.
        device: where the coefficients are.
    """
    _check_widths(widths)
    _check_options(widths[0], None, 2, bounds, ())
    if activation not in ACTIVATIONS:
        raise ProblemError(f"no activation is called {activation!r}; use one of {', '.join(ACTIVATIONS)}")
    generator = np.random.default_rng(seed)
    layers, tensors = [], []
    for k, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        centre, half = _affine(bounds) if k == 0 and bounds is not None else (None, None)
        basis = Activation(activation if k else "identity")
        layer = Layer((Expansion(tuple(range(inputs)), basis),), outputs, bias=True, centre=centre, half_width=half)
        layers.append(layer)
        tensors.append(torch.as_tensor(random_coefficients(layer, generator), dtype=dtype, device=device))
    return Network(layers, tensors, title=f"MLP {list(widths)}, {activation}")


def _check_widths(widths: Sequence[Width]) -> None:
    if len(widths) < 2 or any(min(_nodes(w)) < 0 or _outputs(w) < 1 for w in widths):
        raise ProblemError(f"widths {_written(widths)} make no network; give inputs, nodes, outputs, as in [2, 5, 1]")


def _check_options(
    inputs: int, squash: str | None, arity: int, bounds: Sequence[tuple[float, float]] | None, periodic: Sequence[int]
) -> None:
    if squash is not None and squash not in ACTIVATIONS:
        raise ProblemError(f"no squash is called {squash!r}; use one of {', '.join(ACTIVATIONS)}, or None")
    if arity < 2:
        raise ProblemError(f"a multiplication node of {arity} factors multiplies nothing; arity must be at least 2")
    if not set(periodic) <= set(range(inputs)):
        raise ProblemError(f"periodic inputs {list(periodic)} are not among the {inputs} inputs, counted from 0")
    if bounds is not None and (len(bounds) != inputs or any(low >= high for low, high in bounds)):
        raise ProblemError(f"bounds {list(bounds)} should be one (low, high) for each of the {inputs} inputs")


def _nodes(width: Width) -> tuple[int, int]:
    """Sums and products of a layer."""
    return (width, 0) if isinstance(width, int) else width


def _outputs(width: Width) -> int:
    return sum(_nodes(width))


def _written(widths: Sequence[Width]) -> str:
    return str([w if isinstance(w, int) else list(w) for w in widths])


def _pick(value: int | Sequence[int] | None, k: int, widths: Sequence[Width]) -> int | None:
    if value is None or isinstance(value, int):
        return value
    if len(value) != len(widths) - 1:
        raise ProblemError(f"{list(value)} should have one entry for each of the {len(widths) - 1} layers")
    return value[k]


def _edge_basis(family: str, degree: int | None, intervals: int | None, base: str | None) -> Basis:
    count = 8 if intervals is None else intervals
    if (degree is not None and degree < 1) or count < 1:
        raise ProblemError(f"degree {degree} and {count} intervals make no basis; both must be at least 1")
    makers = {
        "bspline": lambda: BSpline(5 if degree is None else degree, count),
        "chebyshev": lambda: Chebyshev(8 if degree is None else degree),
        "fourier": lambda: Fourier(count),
        "rbf": lambda: GaussianRBF(max(count, 2)),
    }
    if family not in makers:
        raise ProblemError(f"no basis is called {family!r}; use one of {', '.join(makers)}")
    if base is not None and base not in ACTIVATIONS:
        raise ProblemError(f"no base function is called {base!r}; use one of {', '.join(ACTIVATIONS)}")
    edge = makers[family]()
    return edge if base is None else Joined(edge, Activation(base))


def _expansions(inputs: int, basis: Basis, periodic: tuple[int, ...]) -> tuple[Expansion, ...]:
    free = tuple(i for i in range(inputs) if i not in periodic)
    rings = (Expansion(periodic, Fourier(max(2, basis.size // 2))),) if periodic else ()
    return (*rings, Expansion(free, basis)) if free else rings


def _affine(bounds: Sequence[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    low, high = np.asarray(bounds, dtype=float).T
    return tuple((0.5 * (low + high)).tolist()), tuple((0.5 * (high - low)).tolist())


def random_coefficients(layer: Layer, generator: np.random.Generator, scale: float = START_SCALE) -> np.ndarray:
    """A random start for one layer, (columns, rows): smooth edges, Glorot weights for a fixed activation, zero bias."""
    blocks = [_random_edges(layer, expansion, generator, scale) for expansion in layer.expansions]
    return np.concatenate([*blocks, *([np.zeros((layer.columns, 1))] if layer.bias else [])], axis=1)


def _random_edges(layer: Layer, expansion: Expansion, generator: np.random.Generator, scale: float) -> np.ndarray:
    """Random smooth edges, the same for every basis: polynomials with decaying Chebyshev coefficients, projected."""
    if isinstance(expansion.basis, Activation):
        shape = (layer.columns, len(expansion.inputs))
        return generator.normal(size=shape) * np.sqrt(2.0 / (layer.inputs + layer.columns))
    polynomial = generator.normal(size=(layer.columns, len(expansion.inputs), START_DEGREE + 1))
    polynomial *= scale * START_DECAY ** np.arange(START_DEGREE + 1) / np.sqrt(layer.inputs)
    return (polynomial @ _projection(expansion.basis).T).reshape(layer.columns, -1)


def _projection(basis: Basis) -> np.ndarray:
    """(size, START_DEGREE + 1): a Chebyshev polynomial's best fit in `basis`; the base function starts at zero."""
    if isinstance(basis, Joined):
        return np.concatenate([_projection(basis.first), np.zeros((basis.second.size, START_DEGREE + 1))])
    if isinstance(basis, Chebyshev):
        return np.eye(basis.size, START_DEGREE + 1)
    if isinstance(basis, Fourier):
        return np.eye(basis.size, START_DEGREE + 1)
    return Chebyshev(START_DEGREE).embedding(basis)


def with_bounds(network: Network, bounds: Sequence[tuple[float, float]]) -> Network:
    """The same coefficients over other input ranges."""
    centre, half = _affine(bounds)
    first = network.layers[0].with_affine(centre, half)
    return Network((first, *network.layers[1:]), list(network.coefficients), network.title)


def basis_from_spec(spec: dict[str, Any]) -> Basis:
    """A basis from the plain values of `Basis.spec`."""
    family = spec["family"]
    if family == "bspline":
        breaks = spec["breaks"]
        return BSpline(int(spec["degree"]), breaks if isinstance(breaks, int) else tuple(float(b) for b in breaks))
    if family == "joined":
        return Joined(basis_from_spec(spec["first"]), basis_from_spec(spec["second"]))
    makers: dict[str, Any] = {
        "chebyshev": lambda: Chebyshev(int(spec["degree"])),
        "fourier": lambda: Fourier(int(spec["modes"])),
        "rbf": lambda: GaussianRBF(int(spec["centres"])),
        "activation": lambda: Activation(str(spec["name"])),
    }
    if family not in makers:
        raise ProblemError(f"the file names a basis {family!r} that this version does not know; update kanpde")
    return makers[family]()


def layer_spec(layer: Layer) -> dict[str, Any]:
    """A layer in plain values."""
    parts = [{"inputs": list(e.inputs), "basis": e.basis.spec()} for e in layer.expansions]
    names = ("sums", "products", "arity", "bias", "squash")
    affine = {k: None if getattr(layer, k) is None else list(getattr(layer, k)) for k in ("centre", "half_width")}
    return {"expansions": parts, **{name: getattr(layer, name) for name in names}, **affine}


def layer_from_spec(spec: dict[str, Any]) -> Layer:
    """A layer from the plain values of `layer_spec`."""
    parts = tuple(Expansion(tuple(e["inputs"]), basis_from_spec(e["basis"])) for e in spec["expansions"])
    values = {name: spec[name] for name in ("sums", "products", "arity", "bias", "squash")}
    affine = {k: None if spec[k] is None else tuple(spec[k]) for k in ("centre", "half_width")}
    return Layer(parts, **values | affine)


def network_spec(network: Network) -> dict[str, Any]:
    """The structure in plain values; with `network.theta` it is the whole network."""
    return {"title": network.title, "layers": [layer_spec(layer) for layer in network.layers]}


def network_from_spec(spec: dict[str, Any], theta: Tensor) -> Network:
    """A network from its structure and flat coefficients (P,)."""
    layers = [layer_from_spec(s) for s in spec["layers"]]
    parts = theta.split([layer.columns * layer.rows for layer in layers])
    return Network(layers, [p.view(s.columns, s.rows) for p, s in zip(parts, layers, strict=True)], str(spec["title"]))


def with_periodic(network: Network, axes: Sequence[int]) -> Network:
    """The network with Fourier edges on the inputs `axes`, so that it is periodic over their bounds, whatever θ is.

    The other inputs keep their coefficients; the new edges start as small random waves, the same in every call.
    """
    first, matrix = network.layers[0], network.coefficients[0].detach()
    old = {i: e.basis for e in first.expansions for i in e.inputs}
    if all(isinstance(old[i], Fourier) for i in axes):
        return network
    groups: dict[Basis, list[int]] = {}
    for i in sorted(old, key=lambda i: i not in axes):
        groups.setdefault(_ring(old[i]) if i in axes else old[i], []).append(i)
    expansions = tuple(Expansion(tuple(inputs), basis) for basis, inputs in groups.items())
    generator, starts, blocks = np.random.default_rng(0), _row_starts(first), []
    for expansion in expansions:
        for i in expansion.inputs:
            size = expansion.basis.size
            decay = START_DECAY ** np.arange(size) / np.sqrt(first.inputs)
            wave = torch.as_tensor(generator.normal(size=(first.columns, size)) * decay).to(matrix)
            blocks.append(wave if i in axes else matrix[:, starts[i] : starts[i] + size])
    blocks += [matrix[:, -1:]] if first.bias else []
    layers = (replace(first, expansions=expansions), *network.layers[1:])
    return Network(layers, [torch.cat(blocks, dim=1), *network.coefficients[1:]], network.title)


def _ring(basis: Basis) -> Fourier:
    return Fourier(max(2, basis.size // 2))


def _row_starts(layer: Layer) -> dict[int, int]:
    """Where each input's features begin."""
    starts, row = {}, 0
    for expansion in layer.expansions:
        for i in expansion.inputs:
            starts[i] = row
            row += expansion.basis.size
    return starts
