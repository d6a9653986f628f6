"""Numbers in a formula: found on the equation, freed of what says the same thing twice, recognised as constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from kanpde.problem import Problem
from kanpde.symbolic.constants import recognised
from kanpde.symbolic.formulas import Expressions, FormulaNetwork, freed
from kanpde.symbolic.refit import Spread, on_equations, refitted, spread

DIGITS = 12  # that a number has at most after a fit
MARGIN = 30.0  # standard errors within which a constant may lie
LOOSEST = 1e-4  # relative error beyond which no constant is recognised
SOLVES = 1e-6  # relative residual with which numbers count as found
WORSE = 30.0  # by this factor the residual may grow where a number is pinned or recognised
ROUNDING = 1e-12  # relative residual that is nothing
PINS = (0, 1, -1)
MOST_PINS = 6
ROUNDS = 4  # of recognising constants
HOPELESS = 0.05  # relative residual after some steps beyond which a formula is given up
FIRST = 12  # steps


@dataclass(frozen=True)
class Settled:
    """A formula with its numbers found.

    Attributes:
        expressions: one a field; the numbers that were recognised are exact, the others floating-point.
        scalars: of the problem's unknown scalars.
        residual: norm of equations and conditions, relative to that of vanishing unknowns.
    """

    expressions: Expressions
    scalars: tuple[sp.Expr, ...]
    residual: float


@dataclass(frozen=True, eq=False)
class _State:
    network: FormulaNetwork
    residual: float
    known: Spread


def settled(
    problem: Problem, expressions: Sequence[sp.Expr], scalars: Sequence[float], extra: Sequence[sp.Expr] = ()
) -> Settled:
    """The numbers of a formula by Gauss-Newton on the equations, then exact constants as far as the digits bear it.

    Args:
        problem: what must hold.
        expressions: one a field, with floating-point numbers where the fit begins.
        scalars: where the problem's unknown scalars begin.
        extra: factors of rationals that a number may be, such as a wavenumber of the problem.
    """
    state = _fitted(problem, expressions, scalars)
    if state.residual > SOLVES:
        return Settled(state.network.written(), tuple(map(sp.Float, state.network.scalars)), state.residual)
    state = _pinned(problem, state)
    found = _recognised(problem, state, extra)
    return Settled(found.network.written(), _scalars(problem, found, extra), found.residual)


def _fitted(problem: Problem, expressions: Sequence[sp.Expr], scalars: Sequence[float]) -> _State:
    network = FormulaNetwork(*_parts(problem, expressions))
    network.scalars = tuple(scalars)
    system = on_equations(problem, network)
    residual = refitted(system, FIRST)
    if residual < HOPELESS and system.theta.numel():
        residual = refitted(system, damping=1e-6)
    return _State(network, residual, spread(system))


def _parts(
    problem: Problem, expressions: Sequence[sp.Expr]
) -> tuple[Expressions, tuple[sp.Symbol, ...], tuple[sp.Symbol, ...], tuple[float, ...]]:
    found, symbols, values = freed(expressions)
    return found, problem.coordinates, symbols, values


def _tolerated(state: _State) -> float:
    return max(ROUNDING, WORSE * state.residual)


def _pinned(problem: Problem, state: _State) -> _State:
    """Numbers that no row sees are those that others can stand for: they become 0, 1 or −1, whichever loses nothing."""
    for _ in range(MOST_PINS):
        blind = [k for k, e in enumerate(state.known.errors[: len(state.network.symbols)]) if not np.isfinite(e)]
        following = next(_pins(problem, state, blind), None)
        if following is None:
            break
        state = following
    return state


def _pins(problem: Problem, state: _State, blind: Sequence[int]) -> Iterator[_State]:
    for value in PINS:
        for k in blind:
            symbol = state.network.symbols[k]
            trial = _with(problem, state, {symbol: sp.Integer(value)})
            if trial is not None and trial.residual <= _tolerated(state):
                yield trial


def _with(problem: Problem, state: _State, exact: Mapping[sp.Symbol, sp.Expr]) -> _State | None:
    """The formula with some numbers made exact and the others found again; None where it makes no sense."""
    expressions = state.network.written(exact)
    if any(e.has(sp.nan, sp.zoo, sp.oo) for e in expressions):
        return None
    return _fitted(problem, expressions, state.network.scalars)


def _recognised(problem: Problem, state: _State, extra: Sequence[sp.Expr]) -> _State:
    """Constants in place of numbers, as long as the equation bears some: what is left then has more digits."""
    for _ in range(ROUNDS):
        following = _accepted(problem, state, _candidates(state, extra))
        if following is None:
            break
        state = following
    return state


def _accepted(problem: Problem, state: _State, exact: Mapping[sp.Symbol, sp.Expr]) -> _State | None:
    """All constants at once if the equation bears it, else one by one; None if it bears none."""
    whole = _with(problem, state, exact) if exact else None
    if whole is not None and whole.residual <= _tolerated(state):
        return whole
    found, kept = None, dict[sp.Symbol, sp.Expr]()
    for symbol, value in exact.items():
        trial = _with(problem, state, kept | {symbol: value})
        if trial is not None and trial.residual <= _tolerated(state):
            found, kept = trial, kept | {symbol: value}
    return found


def _candidates(state: _State, extra: Sequence[sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
    """What each number may be taken for, by its standard error."""
    found = {}
    for symbol, value, error in zip(state.network.symbols, state.known.values, state.known.errors, strict=False):
        one = _constant(value, error, extra)
        if one is not None:
            found[symbol] = one
    return found


def _constant(value: float, error: float, extra: Sequence[sp.Expr]) -> sp.Expr | None:
    absolute = MARGIN * error
    if abs(value) <= max(absolute, 10.0**-DIGITS) and absolute < LOOSEST:
        return sp.S.Zero
    tolerance = max(10.0**-DIGITS, absolute / abs(value))
    one = recognised(value, tolerance, extra) if tolerance < LOOSEST else None
    return one.value if one is not None and one.known else None


def _scalars(problem: Problem, state: _State, extra: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    count = len(problem.parameters)
    if not count:
        return ()
    pairs = zip(state.known.values[-count:], state.known.errors[-count:], strict=True)
    return tuple(_constant(v, e, extra) or sp.Float(v, 15) for v, e in pairs)
