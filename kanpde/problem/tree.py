"""Problems as plain values, and back, so that the file of a solution holds its problem.

A problem is written in its normal form: expressions as trees over our own function table, the jet and the normal as
lists, regions as boxes with predicates. Reading calls the constructors of this package and nothing else.
"""

from __future__ import annotations

import warnings
from typing import Any, cast

import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain import Box, BoxPiece, Domain, ParameterRange, Product, Region, Time
from ..domain.box import Interval
from ..errors import ProblemError, ProblemWarning
from ..expression import from_tree, to_tree
from ..operator import DifferentialOperator, JetVariable, Scope, operator_of
from .conditions import CompiledCondition
from .problem import Problem

Plain = dict[str, Any]


def problem_to_tree(problem: Problem) -> Plain:
    """Return the JSON-able description of a problem.

    Raises:
        ProblemError: a domain that has no such description.
    """
    exact = problem.exact
    return {
        "name": problem.name,
        "domain": _write_domain(problem.domain),
        "unknowns": [to_tree(u) for u in problem.unknowns],
        "equations": [_write_operator(operator) for operator in problem.operators],
        "conditions": [_write_condition(condition) for condition in problem.conditions],
        "exact": None if exact is None else [to_tree(exact[u]) for u in problem.unknowns],
    }


def problem_from_tree(tree: Any) -> Problem:
    """Return the problem of a description: the same signature, text and exact solution.

    Raises:
        ProblemError: not what `problem_to_tree` wrote.
    """
    try:
        with warnings.catch_warnings():
            # What is remarkable about the problem was said when it was made.
            warnings.simplefilter("ignore", ProblemWarning)
            return _read_problem(tree)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ProblemError(f"the stored problem is damaged: {str(error) or type(error).__name__}") from error


def _read_problem(tree: Plain) -> Problem:
    domain = _read_domain(tree["domain"])
    unknowns = tuple(cast(AppliedUndef, from_tree(u)) for u in tree["unknowns"])
    scope = Scope(domain.coordinates, domain.space, unknowns)
    exact = None if tree["exact"] is None else dict(zip(unknowns, map(from_tree, tree["exact"]), strict=True))
    return Problem(
        domain=domain,
        equations=[_read_operator(operator, scope) for operator in tree["equations"]],
        conditions=[_read_condition(condition, domain, unknowns) for condition in tree["conditions"]],
        exact=exact,
        name=str(tree["name"]),
    )


def _write_domain(domain: Domain) -> Plain:
    product = domain if isinstance(domain, Product) else Product(domain)
    if not isinstance(product.factor, Box):
        raise ProblemError(f"a domain of kind {type(product.factor).__name__} cannot be stored.")
    time = product.time_interval
    return {
        "box": [_write_interval(interval) for interval in product.factor.intervals],
        "time": None if time is None else _write_interval(time),
        "ranges": [_write_interval(interval) for interval in product.ranges],
    }


def _write_interval(interval: Interval) -> list[Any]:
    return [to_tree(interval.symbol), interval.lower, interval.upper]


def _read_domain(tree: Plain) -> Domain:
    domain: Any = Box({cast(sp.Symbol, from_tree(symbol)): (a, b) for symbol, a, b in tree["box"]})
    kinds = [
        *([(Time, tree["time"])] if tree["time"] is not None else []),
        *((ParameterRange, r) for r in tree["ranges"]),
    ]
    for kind, (symbol, a, b) in kinds:
        domain = domain * kind(cast(sp.Symbol, from_tree(symbol)), (a, b))
    return cast(Domain, domain)


def _write_operator(operator: DifferentialOperator) -> Plain:
    """F with numbered symbols in the place of its jet and its normal."""
    stand_ins = _stand_ins("jet", len(operator.jet)), _stand_ins("normal", len(operator.normal))
    own = (*operator.symbols, *operator.normal)
    expression = operator.expression.xreplace(dict(zip(own, (*stand_ins[0], *stand_ins[1]), strict=True)))
    return {
        "jet": [[variable.unknown, list(variable.derivative)] for variable in operator.jet],
        "normal": len(operator.normal),
        "expression": to_tree(expression),
    }


def _read_operator(tree: Plain, scope: Scope) -> DifferentialOperator:
    jet = [scope.jet_symbol(_read_variable(variable)) for variable in tree["jet"]]
    normal = scope.normal if tree["normal"] else ()
    stand_ins = (*_stand_ins("jet", len(jet)), *_stand_ins("normal", len(normal)))
    expression = from_tree(tree["expression"]).xreplace(dict(zip(stand_ins, (*jet, *normal), strict=True)))
    return operator_of(cast(sp.Expr, expression), scope)


def _stand_ins(kind: str, count: int) -> tuple[sp.Symbol, ...]:
    """Symbols that no user can have made by sp.symbols, for it splits names at blanks."""
    return tuple(sp.Symbol(f"{kind} {k}", real=True) for k in range(count))


def _read_variable(tree: list[Any]) -> JetVariable:
    return JetVariable(int(tree[0]), tuple(int(k) for k in tree[1]))


def _write_condition(condition: CompiledCondition) -> Plain:
    target = condition.target
    return {
        "kind": condition.kind,
        "label": condition.label,
        "region": _write_region(condition.region),
        "operator": None if condition.operator is None else _write_operator(condition.operator),
        "target": None if target is None else [target.unknown, list(target.derivative)],
        "value": None if condition.value is None else to_tree(condition.value),
        "axis": condition.axis,
    }


def _read_condition(tree: Plain, domain: Domain, unknowns: tuple[AppliedUndef, ...]) -> CompiledCondition:
    region = _read_region(tree["region"], domain)
    on_boundary = all(piece.normal is not None for piece in region.pieces())
    scope = Scope(domain.coordinates, domain.space, unknowns, on_boundary, str(tree["label"]))
    return CompiledCondition(
        kind=str(tree["kind"]),
        region=region,
        operator=None if tree["operator"] is None else _read_operator(tree["operator"], scope),
        label=str(tree["label"]),
        target=None if tree["target"] is None else _read_variable(tree["target"]),
        value=None if tree["value"] is None else cast(sp.Expr, from_tree(tree["value"])),
        axis=None if tree["axis"] is None else int(tree["axis"]),
    )


def _write_region(region: Region) -> Plain:
    return {
        "name": region.name,
        "parts": [[*_write_piece(piece), to_tree(predicate)] for piece, predicate in region.parts],
    }


def _write_piece(piece: BoxPiece) -> list[Any]:
    normal = None if piece.normal is None else list(piece.normal)
    return [list(piece.lower), list(piece.upper), normal, to_tree(piece.predicate)]


def _read_region(tree: Plain, domain: Domain) -> Region:
    parts = tuple((_read_piece(piece, domain), from_tree(predicate)) for *piece, predicate in tree["parts"])
    return Region(domain, parts, str(tree["name"]))


def _read_piece(tree: list[Any], domain: Domain) -> BoxPiece:
    lower, upper, normal = (None if values is None else tuple(map(float, values)) for values in tree[:3])
    return BoxPiece(domain.coordinates, cast(Any, lower), cast(Any, upper), normal, from_tree(tree[3]))
