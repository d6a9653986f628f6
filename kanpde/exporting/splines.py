"""Every edge of a KAN as an object of SciPy."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.interpolate import BSpline as ScipySpline
from scipy.interpolate import PPoly

from kanpde.errors import ProblemError
from kanpde.exporting.composition import Array, Segment, segments
from kanpde.network import Activation, Basis, BSpline, Chebyshev, Fourier, GaussianRBF, Joined, ModuleNetwork, Network

NOT_SPLINES = {Fourier: "Fourier series", GaussianRBF: "Gaussians", Joined: "two bases joined"}


def edge_splines(network: Network | ModuleNetwork) -> dict[tuple[int, int, int], ScipySpline | PPoly]:
    """The function φ on every edge, y_target = Σ_source φ_source,target(z_source), equal to the network's to rounding.

    z is the edge's own variable, for which its basis has [−1, 1]: the layer's input after its affine map
    (x − centre)/half_width, which first layers have, and its squash, which the hidden layers of a KAN have. `target`
    counts linear outputs: the sums of a layer first, then the first factors of all its products, the second ones, ...

    B-splines are SciPy's `BSpline` on the same knots with the same coefficients. Polynomials are a `PPoly` that has as
    many pieces as it has degrees, between the extrema of T_degree: in one piece, powers would amplify the errors of
    rounding. Both go on beyond [−1, 1] as the network does, by their end pieces.

    Args:
        network: with B-spline or Chebyshev edges alone.

    Raises:
        ProblemError: edges that are no splines.
    """
    if isinstance(network, ModuleNetwork):
        raise ProblemError(f"your own {network.title} has no edges; export its solution to .pt2")
    found: dict[tuple[int, int, int], ScipySpline | PPoly] = {}
    for k in range(len(network.layers)):
        for expansion in network.layers[k].expansions:
            _check(expansion.basis, k)
        for segment in segments(network, k):
            found |= {(k, source, target): spline for source, target, spline in _splines(segment)}
    return found


def _check(basis: Basis, layer: int) -> None:
    if not isinstance(basis, BSpline | Chebyshev):
        name = basis.name if isinstance(basis, Activation) else NOT_SPLINES.get(type(basis), type(basis).__name__)
        raise ProblemError(
            f"layer {layer} has edges of {name}, which are no splines; export the solution to .c, .onnx or .pt2, "
            "or train a KAN with basis 'bspline' or 'chebyshev' and no base function"
        )


def _splines(segment: Segment) -> list[tuple[int, int, ScipySpline | PPoly]]:
    make = _bspline if isinstance(segment.basis, BSpline) else _polynomial
    return [
        (source, target, make(segment.basis, own[:, target]))
        for source, own in zip(segment.inputs, segment.coefficients, strict=True)
        for target in range(own.shape[1])
    ]


def _bspline(basis: Basis, coefficients: Array) -> ScipySpline:
    assert isinstance(basis, BSpline)
    return ScipySpline(basis.knots(), coefficients.copy(), basis.degree, extrapolate=True)


def _polynomial(basis: Basis, coefficients: Array) -> PPoly:
    """Taylor polynomials at the left end of each piece, (powers, pieces), the highest first as PPoly wants them."""
    degree = basis.size - 1
    pieces = max(degree, 1)
    breaks = -np.cos(np.pi * np.arange(pieces + 1) / pieces)
    tables = basis.tables(torch.as_tensor(breaks[None, :-1]), degree)[:, 0].numpy()
    taylor = [coefficients @ table / math.factorial(m) for m, table in enumerate(tables)]
    return PPoly(np.stack(taylor[::-1]), breaks, extrapolate=True)
