"""Weights on points of a line: differentiation, interpolation, quadrature and Radau collocation (NumPy only)."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import legendre

Array = np.ndarray


def fornberg_weights(targets: Array, stencils: Array, derivative: int) -> Array:
    """Weights w with f^(derivative)(targets[i]) ≈ Σ_j w[i, j] f(stencils[i, j]), exact for degree s - 1.

    The recursion of Fornberg, "Calculation of weights in finite difference formulas", SIAM Review 40 (1998),
    carried out for all targets at once.

    Args:
        targets: (n,) points where the derivative is wanted.
        stencils: (n, s) distinct points of each stencil, s > derivative.
        derivative: 0 interpolates.

    Returns:
        (n, s) weights.
    """
    n, width = stencils.shape
    weights = np.zeros((derivative + 1, n, width))
    weights[0, :, 0] = 1.0
    product_before = np.ones(n)
    offset = stencils[:, 0] - targets
    for i in range(1, width):
        product = np.ones(n)
        offset_before, offset = offset, stencils[:, i] - targets
        last = weights[:, :, i - 1].copy()
        for j in range(i):
            gap = stencils[:, i] - stencils[:, j]
            product = product * gap
            for k in range(min(i, derivative), 0, -1):
                weights[k, :, j] = (offset * weights[k, :, j] - k * weights[k - 1, :, j]) / gap
            weights[0, :, j] = offset * weights[0, :, j] / gap
        for k in range(min(i, derivative), 0, -1):
            weights[k, :, i] = product_before * (k * last[k - 1] - offset_before * last[k]) / product
        weights[0, :, i] = -product_before * offset_before * last[0] / product
        product_before = product
    return weights[derivative]


def stencil_starts(centres: Array, width: int, count: int) -> Array:
    """First node of the stencil of `width` nodes nearest to each centre, kept inside 0 ... count - 1."""
    return np.clip(centres - width // 2, 0, count - width)


def chebyshev_nodes(lower: float, upper: float, count: int) -> Array:
    """Chebyshev-Gauss-Lobatto points, ascending, with both ends exact."""
    half, middle = 0.5 * (upper - lower), 0.5 * (upper + lower)
    nodes = middle + half * np.sin(np.pi * (2.0 * np.arange(count) - (count - 1)) / (2 * (count - 1)))
    nodes[0], nodes[-1] = lower, upper
    return nodes


def stable_nodes(lower: float, upper: float, count: int, order: int) -> Array:
    """Nearly equidistant nodes, drawn together at the ends so that one-sided differences of an order 6 or 8 are stable.

    The map arcsin(α ξ) / arcsin(α) of Chebyshev points ξ (Kosloff and Tal-Ezer, J. Comput. Phys. 104, 1993) with
    α = 1 / cosh(order / 2 / intervals): then u_xx between two fixed ends has real negative eigenvalues only, on any
    number of nodes (a test says so); with equidistant nodes order 6 has growing modes.
    """
    chebyshev = chebyshev_nodes(-1.0, 1.0, count)
    alpha = 1.0 / np.cosh(0.5 * order / (count - 1))
    nodes = 0.5 * (lower + upper) + 0.5 * (upper - lower) * np.arcsin(alpha * chebyshev) / np.arcsin(alpha)
    nodes[0], nodes[-1] = lower, upper
    return nodes


def barycentric_weights(nodes: Array) -> Array:
    """Weights 1 / Π_{k != j} (x_j - x_k) of barycentric interpolation, scaled to a largest modulus of one."""
    gaps = nodes[:, None] - nodes[None, :]
    np.fill_diagonal(gaps, 1.0)
    logarithms = -np.log(np.abs(gaps)).sum(axis=1)
    signs = np.prod(np.sign(gaps), axis=1)
    return signs * np.exp(logarithms - logarithms.max())


def polynomial_matrix(nodes: Array, derivative: int, weights: Array | None = None) -> Array:
    """Differentiation matrix of the polynomial through all nodes.

    Welfert's recursion D^(k)_ij = k / (x_i - x_j) (w_j / w_i D^(k-1)_ii - D^(k-1)_ij), with the diagonal as the
    negative sum of its row, which keeps constants exact (Baltensperger and Trummer, SIAM J. Sci. Comput. 24, 2003).
    """
    weights = barycentric_weights(nodes) if weights is None else weights
    gaps = nodes[:, None] - nodes[None, :]
    np.fill_diagonal(gaps, 1.0)
    ratio = weights[None, :] / weights[:, None]
    matrix = np.eye(len(nodes))
    for k in range(1, derivative + 1):
        matrix = k / gaps * (ratio * np.diag(matrix)[:, None] - matrix)
        np.fill_diagonal(matrix, 0.0)
        np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def chebyshev_weights(count: int) -> Array:
    """Barycentric weights of `chebyshev_nodes`: alternating signs, halved at the ends."""
    weights = (-1.0) ** np.arange(count)
    weights[[0, -1]] *= 0.5
    return weights


def barycentric_matrix(nodes: Array, weights: Array, points: Array) -> Array:
    """(n, N) values at points of the cardinal polynomials: Berrut and Trefethen, SIAM Review 46 (2004), eq. 4.2."""
    gaps = points[:, None] - nodes[None, :]
    hit = gaps == 0.0
    matrix = weights / np.where(hit, 1.0, gaps)
    matrix /= matrix.sum(axis=1, keepdims=True)
    rows = hit.any(axis=1)
    matrix[rows] = hit[rows]
    return matrix


def gauss_legendre(lower: float, upper: float, count: int) -> tuple[Array, Array]:
    """Gauss-Legendre points and weights on an interval, exact for degree 2 count - 1."""
    points, weights = legendre.leggauss(count)
    half = 0.5 * (upper - lower)
    return lower + half * (points + 1.0), half * weights


def fourier_matrix(count: int, period: float, derivative: int) -> Array:
    """Differentiation matrix of the trigonometric interpolant on `count` equidistant nodes.

    Built from the Fourier symbol (2πik / period)^derivative; the Nyquist mode has no odd derivative on the nodes.
    """
    waves = np.fft.fftfreq(count, 1.0 / count)
    symbol = (2j * np.pi * waves / period) ** derivative
    if count % 2 == 0 and derivative % 2:
        symbol[count // 2] = 0.0
    column = np.fft.ifft(symbol).real
    return column[(np.arange(count)[:, None] - np.arange(count)[None, :]) % count]


def fourier_interpolation(nodes: Array, period: float, points: Array) -> Array:
    """(n, N) values of the trigonometric cardinal functions: sin(Nt/2) / (N tan(t/2)), or over sin for odd N."""
    count = len(nodes)
    angle = np.pi * (points[:, None] - nodes[None, :]) / period
    angle -= np.pi * np.round(angle / np.pi) if count % 2 == 0 else 0.0
    tangent = np.tan(angle) if count % 2 == 0 else np.sin(angle)
    hit = np.abs(tangent) < 1e-14
    return np.where(hit, 1.0, np.sin(count * angle) / (count * np.where(hit, 1.0, tangent)))


def radau_nodes(stages: int) -> Array:
    """Radau IIA abscissae in (0, 1], the last one 1: zeros of P_{q-1} - P_q; order 2q - 1 (Hairer and Wanner, IV.5)."""
    coefficients = np.zeros(stages + 1)
    coefficients[stages - 1], coefficients[stages] = 1.0, -1.0
    nodes = np.sort(legendre.legroots(coefficients).real)
    nodes[-1] = 1.0
    return 0.5 * (nodes + 1.0)
