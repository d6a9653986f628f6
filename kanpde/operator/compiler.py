"""The compiler: a list of named passes from a SymPy equation to a `DifferentialOperator`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.logic.boolalg import BooleanAtom

from ..errors import ProblemError
from ..expression import Parameter, Program, as_expression
from .complexes import split_complex
from .differential import DifferentialOperator, JetSymbol, JetVariable, MultiIndex, NormalSymbol, real_twins
from .vector import expanded


@dataclass(frozen=True)
class Scope:
    """What an equation may speak about.

    Attributes:
        coordinates: space, time, parameters of a family.
        space: the spatial ones among them.
        unknowns: the applied functions, sorted by name.
        on_boundary: whether there is a normal.
        label: how messages name the equation.
        substitution: what an unknown of the user stands for: u_re + I u_im, or u_1 in a material, with unknowns above.
    """

    coordinates: tuple[sp.Symbol, ...]
    space: tuple[sp.Symbol, ...]
    unknowns: tuple[AppliedUndef, ...]
    on_boundary: bool = False
    label: str = "the equation"
    substitution: tuple[tuple[AppliedUndef, sp.Expr], ...] = ()

    @property
    def twins(self) -> dict[sp.Symbol, sp.Symbol]:
        """Real symbols for the coordinates: the derivative of Abs(x) or sqrt(x**2) is a mess for a complex x."""
        return real_twins(self.coordinates)

    @property
    def normal(self) -> tuple[NormalSymbol, ...]:
        """The components of the normal."""
        return tuple(NormalSymbol(f"n_{s.name}") for s in self.space) if self.on_boundary else ()

    def real(self, unknown: AppliedUndef) -> AppliedUndef:
        """Return the unknown as a real function of the twins."""
        arguments = (cast(sp.Symbol, a).xreplace(self.twins) for a in unknown.args)
        return cast(AppliedUndef, sp.Function(unknown.name, real=True)(*arguments))

    def jet_symbol(self, variable: JetVariable) -> JetSymbol:
        """Return what stands for a derivative."""
        return JetSymbol(self.variable_name(variable), variable)

    def variable_name(self, variable: JetVariable) -> str:
        """Return u, u_x, u_xy, ... for printing."""
        name = self.unknowns[variable.unknown].name
        letters = [s.name for s, k in zip(self.coordinates, variable.derivative, strict=True) for _ in range(k)]
        joint = "" if all(len(letter) == 1 for letter in letters) else "_"
        return f"{name}_{joint.join(letters)}" if letters else name


def difference(expression: sp.Basic, scope: Scope) -> sp.Basic:
    """Left side minus right side."""
    if isinstance(expression, BooleanAtom):
        why = "both sides are the same, so the unknown cancels out" if expression == sp.true else "it never holds"
        raise ProblemError(
            f"{scope.label} collapsed to {expression}: {why}; write sp.Eq(left, right) with the unknown in it (not ==)."
        )
    if isinstance(expression, sp.Equality):
        return sp.Add(expression.lhs, -expression.rhs)
    if isinstance(expression, Relational) or not isinstance(expression, sp.Expr):
        raise ProblemError(f"{scope.label} is {expression}; write sp.Eq(left, right) or an expression that vanishes.")
    return expression


def reals(expression: sp.Basic, scope: Scope) -> sp.Basic:
    """Complex unknowns become pairs, coordinates and unknowns real."""
    expression = expression.xreplace(dict(scope.substitution))
    return expression.xreplace({u: scope.real(u) for u in scope.unknowns} | dict(scope.twins))


def vectors(expression: sp.Basic, scope: Scope) -> sp.Basic:
    """Expand laplacian, gradient, divergence and the normal over the spatial coordinates."""
    value = expanded(expression, tuple(scope.twins[s] for s in scope.space), scope.normal)
    if isinstance(value, tuple):
        raise ProblemError(f"{scope.label} is a vector equation; write one equation a component.")
    return value


def evaluate(expression: sp.Basic, scope: Scope) -> sp.Basic:
    """Carry out the derivatives that are still unevaluated, such as Derivative(u**2, x)."""
    # doit also builds every node anew: what sp.factor kept unevaluated takes the form that it has after storing.
    value = expression.doit()
    _refuse_integrals(value, scope.label)
    for kind in (sp.Subs, sp.Sum):
        left = sorted(value.atoms(kind), key=str)
        if left:
            raise ProblemError(f"{scope.label} contains {left[0]}, which is not supported; use derivatives only.")
    return value


def _refuse_integrals(expression: sp.Basic, label: str) -> None:
    if expression.atoms(sp.Integral):
        raise ProblemError(
            f"{label} contains an integral of the unknown, and equations hold point by point: use the condition "
            "Integral(expression, value), or make the integral an unknown of its own whose derivative is the integrand."
        )


def jets(expression: sp.Basic, scope: Scope) -> sp.Basic:
    """Replace every D^alpha u by its symbol, and give the coordinates back the user's symbols."""
    rules: dict[sp.Basic, sp.Basic] = {}
    for derivative in expression.atoms(sp.Derivative, AppliedUndef):
        function = derivative.expr if isinstance(derivative, sp.Derivative) else derivative
        rules[derivative] = _jet_symbol(derivative, _unknown(function, scope), scope)
    back = {twin: symbol for symbol, twin in scope.twins.items()}
    # xreplace meets a derivative before the function inside it, so the order of the rules does not matter.
    return expression.xreplace(rules).xreplace(back)


def _unknown(function: sp.Basic, scope: Scope) -> int:
    twins = [scope.real(u) for u in scope.unknowns]
    if function in twins:
        return twins.index(cast(AppliedUndef, function))
    if not isinstance(function, AppliedUndef):
        raise ProblemError(f"{scope.label} contains a derivative of {function} that cannot be carried out.")
    known = {u.name: u for u in scope.unknowns}
    if function.name in known:
        raise ProblemError(f"{scope.label} contains {function}; an unknown is always written {known[function.name]}.")
    names = ", ".join(map(str, scope.unknowns))
    raise ProblemError(f"{scope.label} contains {function}, which no equation determines; the unknowns are {names}.")


def _jet_symbol(derivative: sp.Basic, unknown: int, scope: Scope) -> JetSymbol:
    counts = dict(derivative.variable_count) if isinstance(derivative, sp.Derivative) else {}
    alpha: MultiIndex = tuple(int(counts.get(scope.twins[s], 0)) for s in scope.coordinates)
    return scope.jet_symbol(JetVariable(unknown, alpha))


def symbols(expression: sp.Basic, scope: Scope) -> sp.Basic:
    """Nothing may stay but coordinates, normals, jet symbols and unknown scalars."""
    allowed = {*scope.coordinates, *scope.normal}
    left = [s for s in expression.free_symbols if s not in allowed and not isinstance(s, JetSymbol | Parameter)]
    for symbol in sorted(left, key=str):
        raise ProblemError(f"{scope.label} contains {symbol}, {_fault(symbol, scope)}")
    return expression


def _fault(symbol: sp.Basic, scope: Scope) -> str:
    names = ", ".join(map(str, scope.coordinates))
    if str(symbol) in map(str, scope.coordinates):
        return "a namesake of a coordinate with other assumptions; create the symbol once and use it everywhere."
    return f"which is no coordinate ({names}); give it a value, or multiply the domain by ParameterRange."


def functions(expression: sp.Basic, scope: Scope) -> sp.Basic:
    """Everything must be in the function table: nothing is silently approximated."""
    try:
        Program.compile([expression], sorted(expression.free_symbols, key=str))
    except ProblemError as error:
        raise ProblemError(f"{scope.label}: {error}") from error
    return expression


Pass = Callable[[sp.Basic, Scope], sp.Basic]

#: In this order: unknowns become real before anything is differentiated; vector operators are expanded before `doit`,
#: which does not know them; jets are substituted when no derivative can arise any more; then the rest can be judged.
PASSES: tuple[tuple[str, Pass], ...] = (
    ("difference", difference),
    ("reals", reals),
    ("vectors", vectors),
    ("evaluate", evaluate),
    ("jets", jets),
    ("symbols", symbols),
    ("functions", functions),
)


# What follows this pass is done for the real and the imaginary part, each by itself.
SPLIT = [name for name, _ in PASSES].index("jets") + 1


def compile_operators(equation: object, scope: Scope) -> tuple[DifferentialOperator, ...]:
    """Compile an equation, `sp.Eq(a, b)` or an expression that vanishes; a complex one gives two real operators.

    Raises:
        ProblemError: an equation that says nothing, or that uses what the scope or the function table lacks.
    """
    expression = as_expression(equation)
    for _, run in PASSES[:SPLIT]:
        expression = run(expression, scope)
    parts = _parts(cast(sp.Expr, expression), scope)
    for _, run in PASSES[SPLIT:]:
        parts = [run(part, scope) for part in parts]
    return tuple(operator_of(cast(sp.Expr, part), scope) for part in parts)


def _parts(expression: sp.Expr, scope: Scope) -> list[sp.Basic]:
    if not any(value.has(sp.I) for _, value in scope.substitution):
        if expression.has(sp.I):
            raise ProblemError(
                f"{scope.label} is complex, but no unknown is; make it with complex_unknown(name, coordinates)."
            )
        return [expression]
    parts = split_complex(expression, scope.coordinates)
    kept = [part for part in parts if sp.expand(part) != 0]
    return list(kept or parts[:1])


def compile_operator(equation: object, scope: Scope) -> DifferentialOperator:
    """Compile an equation that is real.

    Raises:
        ProblemError: as `compile_operators`, and for an equation with an imaginary part.
    """
    operators = compile_operators(equation, scope)
    if len(operators) > 1:
        raise ProblemError(f"{scope.label} is complex; take its real or its imaginary part, sp.re(...) or sp.im(...).")
    return operators[0]


def operator_of(expression: sp.Expr, scope: Scope) -> DifferentialOperator:
    """Return the operator of F, without the jet variables that cancel."""
    operator = _assembled(expression, scope)
    vanishing = {s: sp.S.Zero for s, g in zip(operator.symbols, operator.gradient, strict=True) if g == 0}
    return _assembled(cast(sp.Expr, expression.xreplace(vanishing)), scope) if vanishing else operator


def _assembled(expression: sp.Expr, scope: Scope) -> DifferentialOperator:
    free = expression.free_symbols
    jet = sorted((s for s in free if isinstance(s, JetSymbol)), key=lambda s: s.variable)
    parameters = sorted((s for s in free if isinstance(s, Parameter)), key=lambda s: s.name)
    normal = scope.normal if free & set(scope.normal) else ()
    variables = tuple(s.variable for s in jet)
    return DifferentialOperator(
        scope.coordinates, scope.unknowns, tuple(parameters), normal, variables, tuple(jet), expression
    )


def unknowns_of(equations: Sequence[object]) -> tuple[AppliedUndef, ...]:
    """Return the applied functions that occur, sorted by name.

    Raises:
        ProblemError: one name with different arguments, or under an integral.
    """
    for equation in equations:
        integrals = as_expression(equation).atoms(sp.Integral)
        if any(integral.atoms(AppliedUndef) for integral in integrals):
            _refuse_integrals(as_expression(equation), "the equation")
    found = {f for e in equations for f in as_expression(e).atoms(AppliedUndef)}
    ordered = tuple(sorted(found, key=lambda f: (f.name, str(f))))
    for first, second in itertools.pairwise(ordered):
        if first.name == second.name:
            raise ProblemError(
                f"the equations contain {first} and {second}; an unknown has the same arguments everywhere."
            )
    return ordered
