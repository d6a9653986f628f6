"""Results made up for tests of the store, the figures and the command line: no network, no solve."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from kanpde.record import Record
from kanpde.tables import Edge, PlotTables, tabulate

UNKNOWNS = ("u", "v")
NAMES = ("x", "y", "z", "t")


def history(iterations: int = 12) -> tuple[dict[str, Any], ...]:
    """Two stages of a run that converges; the estimate is there in some rows only."""
    rows = []
    for k in range(iterations):
        row: dict[str, Any] = {
            "stage": f"degree {8 + 4 * (k // 6)}",
            "iteration": k,
            "loss": 10.0**-k / 3,
            "damping": 0.1,
        }
        row |= {"parameters": 100 * (1 + k // 6), "seconds": 0.1 * k, "message": "", "accepted": k % 5 > 0}
        rows.append(row | ({"estimate": 10 ** (-k / 2)} if k % 3 == 2 else {}))
    return tuple(rows)


def record(**changes: Any) -> Record:
    """A plausible record; theta has bits in every place."""
    plain = Record(
        problem_name="poisson",
        signature="0" * 64,
        problem_text="Δu = f on (-1, 1)²\nu = 0 on the boundary",
        unknowns=("u",),
        coordinates=("x", "y"),
        network={"title": "KAN [2, 5, 1]", "layers": [{"inputs": 2, "squash": None}, {"knots": [0.1, 1 / 3]}]},
        theta=np.random.default_rng(0).standard_normal(360),
        field={"lift": ["add", ["sym", "x"], 1.0]},
        history=history(),
        status="converged",
        converged=True,
        relative_l2=3.1e-9,
        error_estimate=2.9e-9,
        seconds=3.25,
        n_parameters=360,
        iterations=12,
        seed=0,
        rtol=1e-6,
        provenance={"kanpde": "0.1.0", "command": "kanpde solve problems/poisson.py"},
    )
    return dataclasses.replace(plain, **changes)


def plots(dimension: int = 2, unknowns: int = 1, *, exact: bool = True, space: int | None = None) -> PlotTables:
    """Tables of waves in any number of coordinates, off by an error of 1e-6, with the edges of a small network."""

    def wave(points: np.ndarray) -> np.ndarray:
        return np.stack(
            [(k + 1) * np.sin(np.pi * points + k * np.arange(dimension)).prod(axis=1) for k in range(unknowns)], axis=1
        )

    def off(points: np.ndarray) -> np.ndarray:
        return wave(points) + 1e-6 * np.cos(3 * points).sum(axis=1, keepdims=True)

    bounds = np.array([[-1.0, 1.0]] * dimension)
    names = NAMES[:dimension]
    nodes = ((0, 1, 2), tuple(range(unknowns)))
    slices = tabulate(off, names, bounds, space=space, exact=wave if exact else None, resolution=17)
    return PlotTables(
        UNKNOWNS[:unknowns], names, slices, "exact solution" if exact else "", edges([dimension, 3, unknowns]), nodes
    )


def edges(widths: list[int]) -> tuple[Edge, ...]:
    """A curve for every edge of a network of these widths."""
    x = np.linspace(-1, 1, 33)
    pairs = itertools.pairwise(widths)
    return tuple(
        Edge(layer, i, j, x, (1 + i) * np.sin((1 + j) * x))
        for layer, (n, m) in enumerate(pairs)
        for i in range(n)
        for j in range(m)
    )
