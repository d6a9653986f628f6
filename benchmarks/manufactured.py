"""Problems with a known solution, manufactured: an operator, a solution, and conditions that take their data from it.

An operator L and a solution e make the equation L(u) = L(e); each condition asks of u what e has. So whatever is varied
(solution, coefficients, domain, conditions) varies by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

import kanpde as kp
from kanpde.domain import Domain, Region

Expression = Any  # SymPy's, or what kanpde's vector operators make of it
Operator = Callable[..., Expression]
Condition = Any  # of any of the types of kanpde.problem
Part = Callable[[Expression, Expression], Condition]

x, y, z, t = sp.symbols("x y z t", real=True)


@dataclass(frozen=True, eq=False)
class Instance:
    """A problem with a known solution.

    Attributes:
        name: of the problem.
        kind: the class of the equation in words.
        domain: where.
        operator: takes the unknowns, or their solutions, and returns what is equal for both: an expression, or a
            tuple of as many as there are unknowns.
        solution: an expression, or a tuple of one for each unknown.
        parts: each takes an unknown and its solution and returns a condition; every unknown gets all of them.
        smooth: whether the solver is expected to converge.
    """

    name: str
    kind: str
    domain: Domain
    operator: Operator
    solution: Expression
    parts: Sequence[Part]
    smooth: bool = True

    @property
    def dimension(self) -> int:
        """How many coordinates there are; time is one."""
        return self.domain.dimension

    @property
    def unknowns(self) -> list[Expression]:
        """One for each solution."""
        return [sp.Function(name)(*self.domain.coordinates) for name in "uvw"[: len(listed(self.solution))]]

    @property
    def exact(self) -> dict[Expression, Expression]:
        """The unknowns' solutions."""
        return dict(zip(self.unknowns, listed(self.solution), strict=True))

    @property
    def equations(self) -> list[sp.Eq]:
        """The operator of the unknowns is that of their solutions."""
        sides = (listed(self.operator(*fields)) for fields in (self.unknowns, listed(self.solution)))
        return [sp.Eq(left, right) for left, right in zip(*sides, strict=True)]

    @property
    def conditions(self) -> list[Condition]:
        """Each unknown's."""
        return [part(u, e) for u, e in self.exact.items() for part in self.parts]

    def problem(self) -> kp.Problem:
        """The compiled problem.

        Raises:
            ProblemError: what it says makes no problem.
        """
        return kp.Problem(self.domain, self.equations, self.conditions, exact=self.exact, name=self.name)


def listed(value: Any) -> list[Any]:
    """A tuple as a list, anything else as the only element of one."""
    return list(value) if isinstance(value, tuple) else [value]


# ---- conditions


def value(on: Region | None = None, zero: Expression = 0) -> Part:
    """Dirichlet's.

    Args:
        on: where, the whole boundary by default.
        zero: an expression that vanishes there and not inside. The solver continues data into a shape as they are
            written: those of a solution would be the solution. With this they are another function inside.
    """
    return lambda u, e: kp.Dirichlet(u, e * (1 + zero), on=on)


def flux(on: Region | None = None) -> Part:
    """Neumann's."""
    return lambda u, e: kp.Neumann(u, kp.normal_derivative(e), on=on)


def mixture(a: float, b: float, on: Region | None = None) -> Part:
    """Robin's, of a u + b ∂u/∂n."""
    return lambda u, e: kp.Robin(u, a, b, a * e + b * kp.normal_derivative(e), on=on)


def derivative(symbol: sp.Symbol, order: int, on: Region | None = None) -> Part:
    """A derivative along one coordinate."""
    return lambda u, e: kp.Condition(sp.Eq(u.diff(symbol, order), e.diff(symbol, order)), on=on)


def start(order: int = 0) -> Part:
    """The value, or a derivative in time, at t = 0."""
    return lambda u, e: kp.Initial(u.diff(t, order) if order else u, e.diff(t, order).subs(t, 0))


def ring(symbol: sp.Symbol) -> Part:
    """Periodicity."""
    return lambda u, _: kp.Periodic(u, symbol)


def mean_zero(u: Expression, _: Expression) -> Condition:
    """The level, where the equations leave it free; that of the solution must be zero."""
    return kp.Integral(u, 0)


# ---- operators


def poisson(u: Expression) -> Expression:
    return -kp.laplacian(u)


def reaction(rate: Expression) -> Operator:
    return lambda u: poisson(u) + rate * u


def waves(k2: Expression) -> Operator:
    """Helmholtz'."""
    return lambda u: kp.laplacian(u) + k2 * u


def diffusion(a: Expression) -> Operator:
    """With a scalar coefficient, or a matrix."""
    return lambda u: -kp.divergence(a * kp.gradient(u))


def convection(viscosity: float, *velocity: Expression) -> Operator:
    return lambda u: viscosity * poisson(u) + sum(b * u.diff(s) for b, s in zip(velocity, (x, y), strict=False))


def sheared(u: Expression) -> Expression:
    """Elliptic, with a mixed derivative."""
    return poisson(u) - u.diff(x, y)


def cubic(u: Expression) -> Expression:
    return poisson(u) + u**3


def exponential(u: Expression) -> Expression:
    return poisson(u) + sp.exp(u)


def convective(viscosity: float) -> Operator:
    return lambda u: viscosity * poisson(u) + u * u.diff(x)


def quasilinear(u: Expression) -> Expression:
    return -kp.divergence((1 + u**2) * kp.gradient(u))


def beam(load: float, tension: float) -> Operator:
    return lambda u: u.diff(x, 4) - tension * u.diff(x, 2) + load * u


def elastic(u: Expression, v: Expression) -> Expression:
    """Navier's, with a Poisson's ratio of 1/3."""
    dilatation = u.diff(x) + v.diff(y)
    return kp.laplacian(u) + 2 * dilatation.diff(x), kp.laplacian(v) + 2 * dilatation.diff(y)


def species(u: Expression, v: Expression) -> Expression:
    return poisson(u) + 2 * u - v, poisson(v) + v + u.diff(x)


def rivals(u: Expression, v: Expression) -> Expression:
    return poisson(u) + u * v**2, poisson(v) + v - u


# ---- in time


def decay(u: Expression) -> Expression:
    return u.diff(t) + 2 * u


def logistic(u: Expression) -> Expression:
    return u.diff(t) - u * (1 - u)


def oscillation(u: Expression) -> Expression:
    return u.diff(t, 2) + u.diff(t) / 2 + 9 * u


def spiral(u: Expression, v: Expression) -> Expression:
    return u.diff(t) - v, v.diff(t) + 4 * u + v / 5


def heat(a: Expression) -> Operator:
    return lambda u: u.diff(t) - kp.divergence(a * kp.gradient(u))


def fisher(u: Expression) -> Expression:
    return heat(1)(u) - u * (1 - u)


def drift(viscosity: float) -> Operator:
    return lambda u: heat(viscosity)(u) + u.diff(x)


def burgers(viscosity: float) -> Operator:
    return lambda u: heat(viscosity)(u) + u * u.diff(x)


def advection(speed: Expression) -> Operator:
    return lambda u: u.diff(t) + speed * u.diff(x)


def swing(c2: Expression, damping: float = 0) -> Operator:
    """The wave equation's."""
    return lambda u: u.diff(t, 2) + damping * u.diff(t) - c2 * kp.laplacian(u)


def klein_gordon(u: Expression) -> Expression:
    return swing(1)(u) + u**3


def exchange(u: Expression, v: Expression) -> Expression:
    return heat(0.1)(u) + u - v, heat(0.2)(v) + v - u


# ---- solutions that are not smooth


def kink(s: Expression) -> Expression:
    """|s|^(5/2), whose third derivative is infinite at s = 0."""
    power = sp.Rational(5, 2)
    return sp.Piecewise(((-s) ** power, s < 0), (s**power, True))
