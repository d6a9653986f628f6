"""Candidate functions for an edge: c · f(a x + b) + d, each with its complexity and where it can be evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from kanpde.errors import ProblemError
from kanpde.expression import Program

Maker = Callable[[sp.Expr], sp.Expr]
ARGUMENT = sp.Symbol("z", real=True)


@dataclass(frozen=True)
class Candidate:
    """A univariate function f with the freedom of its argument.

    Attributes:
        name: what users call it.
        make: f as a SymPy expression of its argument.
        complexity: of the function itself; a constant has 0, a straight line 1.
        scale: whether a changes more than c does; not so for powers, c taking what a does.
        shift: whether b changes more than c and d do; not so for exponentials.
        turns: whether f(−z) is another function where a is not searched, as with the logarithm.
        waves: whether it oscillates, so that a must be searched as finely as the data turn.
    """

    name: str
    make: Maker
    complexity: int
    scale: bool = True
    shift: bool = True
    turns: bool = False
    waves: bool = False

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """The function at arguments of any shape; not a number where it is not defined."""
        flat = np.asarray(values, dtype=float)
        with np.errstate(all="ignore"):
            (result,) = self._program([flat.ravel()], np)
        found = np.broadcast_to(np.asarray(result, dtype=float), (flat.size,)).reshape(flat.shape)
        return np.where(np.isfinite(found), found, np.nan)

    @cached_property
    def _program(self) -> Program:
        return Program.compile([self.make(ARGUMENT)], [ARGUMENT])


def power(exponent: int | sp.Rational) -> Maker:
    """Z to a power."""
    return lambda z: z**exponent


#: In the order of preference among equals. Waves: sine alone, for a shift makes the cosine of it.
LIBRARY: tuple[Candidate, ...] = (
    Candidate("linear", lambda z: z, 1, scale=False, shift=False),
    Candidate("square", power(2), 2, scale=False),
    Candidate("cube", power(3), 3, scale=False),
    Candidate("power4", power(4), 3, scale=False),
    Candidate("power5", power(5), 4, scale=False),
    Candidate("power6", power(6), 4, scale=False),
    Candidate("exp", sp.exp, 2, shift=False),
    Candidate("sin", sp.sin, 2, waves=True),
    Candidate("sinh", sp.sinh, 3),
    Candidate("cosh", sp.cosh, 3),
    Candidate("tanh", sp.tanh, 3),
    Candidate("sqrt", sp.sqrt, 2, scale=False, turns=True),
    Candidate("log", sp.log, 2, scale=False, turns=True),
    Candidate("inverse", power(-1), 2, scale=False),
    Candidate("inverse_square", power(-2), 3, scale=False),
    Candidate("inverse_sqrt", power(sp.Rational(-1, 2)), 3, scale=False, turns=True),
    Candidate("power3/2", power(sp.Rational(3, 2)), 3, scale=False, turns=True),
    Candidate("cbrt", lambda z: sp.sign(z) * sp.Abs(z) ** sp.Rational(1, 3), 4, scale=False),
    Candidate("gaussian", lambda z: sp.exp(-(z**2)), 3),
    Candidate("lorentz", lambda z: 1 / (1 + z**2), 3),
    Candidate("sech", lambda z: 1 / sp.cosh(z), 4),
    Candidate("sech2", lambda z: sp.cosh(z) ** -2, 4),
    Candidate("logistic2", lambda z: (1 + sp.exp(z)) ** -2, 4),
    Candidate("atan_exp", lambda z: sp.atan(sp.exp(z)), 4),
    Candidate("atan", sp.atan, 3),
    Candidate("atanh", sp.atanh, 3),
    Candidate("asin", sp.asin, 3),
    Candidate("tan", sp.tan, 3),
    Candidate("asinh", sp.asinh, 3),
    Candidate("softplus", lambda z: sp.log(1 + sp.exp(z)), 4),
    Candidate("erf", sp.erf, 4),
    Candidate("abs", sp.Abs, 3, scale=False),
    Candidate("besselj0", lambda z: sp.besselj(0, z), 5, waves=True),
    Candidate("z*exp", lambda z: z * sp.exp(z), 4),
    Candidate("z*log", lambda z: z * sp.log(z), 4),
    Candidate("z*sin", lambda z: z * sp.sin(z), 5, waves=True),
)


def library(
    only: str | Iterable[str] | None = None, without: str | Iterable[str] = (), extra: Sequence[Candidate] = ()
) -> tuple[Candidate, ...]:
    """The candidates to try.

    Args:
        only: names, or one; all by default.
        without: names, or one, that are forbidden.
        extra: the user's own, tried before the others of the same complexity.

    Raises:
        ProblemError: a name that no candidate has.
    """
    known = {c.name: c for c in (*extra, *LIBRARY)}
    forbidden = {without} if isinstance(without, str) else set(without)
    wanted = known.keys() if only is None else [only] if isinstance(only, str) else list(only)
    for name in (*forbidden, *wanted):
        if name not in known:
            raise ProblemError(f"no candidate function is called {name!r}; use some of {', '.join(known)}")
    return tuple(known[name] for name in wanted if name not in forbidden)
