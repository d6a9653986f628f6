"""Problems as plain values, and back, so that the file of a solution holds its problem.

A problem is written in its normal form: expressions as trees over our own function table, the jet and the normal as
lists, domains and regions as the constructors that make them. Reading calls the constructors of this package and
nothing else.
"""

from __future__ import annotations

import warnings
from typing import Any, cast

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..domain.tree import domain_from_tree, domain_to_tree, region_from_tree, region_to_tree
from ..errors import ProblemError, ProblemWarning
from ..expression import from_tree, to_tree
from ..operator import DifferentialOperator, JetVariable, Scope, operator_of
from .conditions import CompiledCondition
from .context import Context
from .materials import Materials
from .measurements import Data
from .problem import NormalForms, Problem

Plain = dict[str, Any]


def problem_to_tree(problem: Problem) -> Plain:
    """Return the JSON-able description of a problem.

    Raises:
        ProblemError: a domain that has no such description.
    """
    exact = problem.exact
    return {
        "name": problem.name,
        "domain": domain_to_tree(problem.domain),
        "unknowns": [to_tree(u) for u in problem.unknowns],
        "materials": [to_tree(predicate) for predicate in problem.layout.materials],
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
    domain = domain_from_tree(tree["domain"])
    unknowns = tuple(cast(AppliedUndef, from_tree(u)) for u in tree["unknowns"])
    predicates = tuple(map(from_tree, tree["materials"]))
    context = Context(domain, unknowns, Materials(domain, predicates) if predicates else None)
    exact = None if tree["exact"] is None else dict(zip(unknowns, map(from_tree, tree["exact"]), strict=True))
    operators = tuple(_read_operator(operator, context.scope("the equation")) for operator in tree["equations"])
    return Problem(
        domain=domain,
        equations=NormalForms(operators, context),
        conditions=[_read_condition(condition, context) for condition in tree["conditions"]],
        exact=exact,
        name=str(tree["name"]),
    )


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
    target, data = condition.target, condition.data
    return {
        "kind": condition.kind,
        "label": condition.label,
        "region": region_to_tree(condition.region),
        "operator": None if condition.operator is None else _write_operator(condition.operator),
        "target": None if target is None else [target.unknown, list(target.derivative)],
        "value": None if condition.value is None else to_tree(condition.value),
        "axis": condition.axis,
        "data": None if data is None else [_plain(a) for a in (data.points, data.values, data.sigma)],
    }


def _plain(values: np.ndarray | float | None) -> Any:
    return values.tolist() if isinstance(values, np.ndarray) else values


def _read_condition(tree: Plain, context: Context) -> CompiledCondition:
    region = region_from_tree(tree["region"], context.domain)
    on_boundary = all(piece.normal is not None for piece in region.pieces())
    scope = context.scope(str(tree["label"]), on_boundary)
    return CompiledCondition(
        kind=str(tree["kind"]),
        region=region,
        operator=None if tree["operator"] is None else _read_operator(tree["operator"], scope),
        label=str(tree["label"]),
        target=None if tree["target"] is None else _read_variable(tree["target"]),
        value=None if tree["value"] is None else cast(sp.Expr, from_tree(tree["value"])),
        axis=None if tree["axis"] is None else int(tree["axis"]),
        data=None if tree["data"] is None else _read_data(tree["data"], context.domain.dimension),
    )


def _read_data(tree: list[Any], dimension: int) -> Data:
    points, values = np.array(tree[0], dtype=float).reshape(-1, dimension), np.array(tree[1], dtype=float)
    sigma = np.array(tree[2], dtype=float) if isinstance(tree[2], list) else tree[2]
    if values.shape != (len(points),) or (isinstance(sigma, np.ndarray) and sigma.shape != values.shape):
        raise ValueError("measurements of different lengths")
    return Data(points, values, sigma if sigma is None or isinstance(sigma, np.ndarray) else float(sigma))
