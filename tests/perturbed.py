"""Fields of known error: the exact solution of a problem plus small known functions."""

from collections.abc import Sequence

import numpy as np
import sympy as sp

import kanpde as kp
from kanpde.expression import Program
from kanpde.operator import JetVariable

NODES = {1: 400, 2: 60, 3: 20}


def differentiated(expression: sp.Expr, coordinates: Sequence[sp.Symbol], orders: Sequence[int]) -> sp.Expr:
    """D^orders of an expression."""
    for symbol, times in zip(coordinates, orders, strict=True):
        expression = sp.diff(expression, symbol, times)
    return sp.sympify(expression)


class Known:
    """The exact fields plus eps times known ones, as the jet that estimators ask for."""

    def __init__(self, problem: kp.Problem, errors: Sequence[sp.Expr], eps: float = 1e-6) -> None:
        self.problem, self.errors, self.eps = problem, errors, eps
        self.programs: dict[tuple[JetVariable, ...], Program] = {}

    def __call__(self, points: np.ndarray, variables: Sequence[JetVariable]) -> np.ndarray:
        key = tuple(variables)
        if key not in self.programs:
            errors = [differentiated(self.errors[v.unknown], self.problem.coordinates, v.derivative) for v in key]
            self.programs[key] = Program.compile(errors, self.problem.coordinates)
        errors = [np.broadcast_to(e, len(points)) for e in self.programs[key](list(points.T), np)]
        return self.problem.exact_jet(points, key).T + self.eps * np.stack(errors, axis=1)

    @property
    def relative_error(self) -> float:
        """|error| / |exact| over the unknowns, by a rule of the domain."""
        domain = self.problem.domain
        points, weights = domain.quadrature(NODES[domain.dimension])
        zero = (0,) * domain.dimension
        variables = [JetVariable(c, zero) for c in range(len(self.problem.fields))]
        exact = self.problem.exact_jet(points, variables).T
        parts = (self.problem.readout(points, v) for v in (self(points, variables) - exact, exact))
        error, norm = (np.sqrt(weights @ (np.abs(v) ** 2).sum(axis=1)) for v in parts)
        return float(error / norm)
