"""Unevaluated vector operators. Which coordinates are spatial is known only to the problem, which expands them.

`laplacian(u)`, `gradient(u)`, `divergence(v)`, `normal_derivative(u)` and `Normal()` build SymPy expressions;
`expanded` turns an expression that contains them into derivatives. A gradient is a vector: it may be scaled, added,
multiplied by a matrix, dotted, indexed, and given to `divergence`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import sympy as sp

from ..errors import ProblemError
from ..expression import as_expression

Vector: TypeAlias = tuple[sp.Expr, ...]
Expanded: TypeAlias = "sp.Expr | Vector"


class VectorOperator(sp.Expr):
    """An operator applied to an expression, kept as it was written."""

    is_commutative = True
    # Above that of matrices: matrix * gradient(u) must reach __rmul__ here.
    _op_priority = 20.0

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        return sp.Derivative(self, symbol, evaluate=False)

    def __getitem__(self, index: int) -> sp.Expr:
        """Return one component of a vector."""
        return Component(self, sp.Integer(index))

    def dot(self, other: object) -> sp.Expr:
        """Return the scalar product with another vector."""
        return dot(self, other)

    def __rmul__(self, other: Any) -> sp.Expr:
        if isinstance(other, sp.MatrixBase):
            return MatrixVector(sp.ImmutableDenseMatrix(other), self)
        return sp.Mul(cast(sp.Expr, as_expression(other)), self)

    __rmatmul__ = __rmul__


class Laplacian(VectorOperator):
    """The sum of the second derivatives of a scalar."""


class Gradient(VectorOperator):
    """The vector of the first derivatives of a scalar."""


class Divergence(VectorOperator):
    """The sum of D_i v_i."""


class NormalDerivative(VectorOperator):
    """The derivative along the outward normal."""


class Normal(VectorOperator):
    """The outward unit normal of the boundary, a vector: `Normal()[0]`, `dot(Normal(), v)`."""


class Dot(VectorOperator):
    """The scalar product of two vectors."""


class Component(VectorOperator):
    """One component of a vector."""


class MatrixVector(VectorOperator):
    """A matrix times a vector."""


def laplacian(expression: object) -> sp.Expr:
    """Return the Laplacian over the spatial coordinates, unevaluated until a `Problem` expands it.

    Example:
        >>> x, y = sp.symbols("x y", real=True)
        >>> laplacian(sp.Function("u")(x, y))
        Laplacian(u(x, y))
    """
    return Laplacian(as_expression(expression))


def gradient(expression: object) -> sp.Expr:
    """Return the gradient over the spatial coordinates, a vector, unevaluated."""
    return Gradient(as_expression(expression))


def divergence(vector: object) -> sp.Expr:
    """Return the divergence of a vector (an expression with a gradient or a normal) or of a list of components."""
    return Divergence(_vector(vector))


def normal_derivative(expression: object) -> sp.Expr:
    """Return the derivative along the outward normal, for conditions on the boundary."""
    return NormalDerivative(as_expression(expression))


def dot(a: object, b: object) -> sp.Expr:
    """Return the scalar product of two vectors, each an expression or a list of components."""
    return Dot(_vector(a), _vector(b))


def _vector(vector: object) -> sp.Basic:
    if isinstance(vector, sp.MatrixBase):
        return sp.Tuple(*vector)
    if isinstance(vector, Sequence) and not isinstance(vector, str):
        return sp.Tuple(*map(as_expression, vector))
    return as_expression(vector)


def expanded(expression: sp.Basic, space: Vector, normal: Vector) -> Expanded:
    """Expand all vector operators over the spatial coordinates; a vector comes back as a tuple of its components.

    Raises:
        ProblemError: a vector where a number is needed or the other way round, or the wrong number of components.
    """
    return _Expansion(space, normal).visit(expression)


class _Expansion:
    """One walk over an expression, bottom up."""

    def __init__(self, space: Vector, normal: Vector) -> None:
        self.space, self.normal = space, normal

    def visit(self, expression: sp.Basic) -> Expanded:
        """Return an expression without vector operators."""
        if isinstance(expression, sp.Tuple):
            return self._components(expression)
        if not expression.has(VectorOperator):
            return cast(sp.Expr, expression)
        for kind, method in _HANDLERS.items():
            if isinstance(expression, kind):
                return method(self, expression)
        return cast(sp.Expr, expression.func(*(self.scalar(a) for a in expression.args)))

    def scalar(self, expression: sp.Basic) -> sp.Expr:
        """Return an expression that must be a number at each point."""
        value = self.visit(expression)
        if isinstance(value, tuple):
            raise ProblemError(f"{expression} is a vector where a scalar is needed; use dot(a, b) or a component v[0].")
        return value

    def vector(self, expression: sp.Basic) -> Vector:
        """Return the components of an expression that must be a vector."""
        value = self.visit(expression)
        if not isinstance(value, tuple):
            raise ProblemError(f"{expression} is a scalar where a vector is needed, such as gradient(u) or a list.")
        return value

    def _components(self, expression: sp.Tuple) -> Vector:
        if len(expression.args) != len(self.space):
            n, d = len(expression.args), len(self.space)
            raise ProblemError(f"the vector {list(expression.args)} has {n} components in {d} space dimensions.")
        return tuple(map(self.scalar, expression.args))

    def laplacian(self, expression: sp.Basic) -> sp.Expr:
        """Sum of D_ii."""
        inner = self.scalar(expression.args[0])
        return sp.Add(*(sp.diff(inner, s, 2) for s in self.space))

    def gradient(self, expression: sp.Basic) -> Vector:
        """Vector of D_i."""
        inner = self.scalar(expression.args[0])
        return tuple(sp.diff(inner, s) for s in self.space)

    def divergence(self, expression: sp.Basic) -> sp.Expr:
        """Sum of D_i v_i."""
        vector = self.vector(expression.args[0])
        return sp.Add(*(sp.diff(v, s) for v, s in zip(vector, self.space, strict=True)))

    def normal_derivative(self, expression: sp.Basic) -> sp.Expr:
        """Sum of n_i D_i."""
        inner = self.scalar(expression.args[0])
        pairs = zip(self.normal_vector(expression), self.space, strict=True)
        return sp.Add(*(n * sp.diff(inner, s) for n, s in pairs))

    def normal_vector(self, expression: sp.Basic) -> Vector:
        """The components of the normal."""
        if not self.normal:
            raise ProblemError(f"{expression} needs the normal of a boundary; use it in a condition on the boundary.")
        return self.normal

    def dot(self, expression: sp.Basic) -> sp.Expr:
        """Sum of a_i b_i."""
        a, b = map(self.vector, expression.args)
        return sp.Add(*(p * q for p, q in zip(a, b, strict=True)))

    def component(self, expression: sp.Basic) -> sp.Expr:
        """One component, counted as in a list."""
        vector, index = self.vector(expression.args[0]), int(cast(Any, expression.args[1]))
        if not -len(vector) <= index < len(vector):
            raise ProblemError(f"component {index} of {expression.args[0]}: it has {len(vector)}, counted from 0.")
        return vector[index]

    def matrix_vector(self, expression: sp.Basic) -> Vector:
        """A matrix times a vector."""
        matrix, vector = cast(Any, expression.args[0]), self.vector(expression.args[1])
        if matrix.shape != (len(vector), len(vector)):
            raise ProblemError(f"a matrix of shape {matrix.shape} cannot multiply {len(vector)} components.")
        return tuple(matrix * sp.Matrix(vector))

    def sum(self, expression: sp.Basic) -> Expanded:
        """Sum of scalars, or of vectors component by component."""
        terms = list(map(self.visit, expression.args))
        vectors = [t for t in terms if isinstance(t, tuple)]
        if not vectors:
            return sp.Add(*terms)
        if len(vectors) < len(terms):
            raise ProblemError(f"{expression} adds a scalar to a vector; write one equation a component.")
        return tuple(sp.Add(*column) for column in zip(*vectors, strict=True))

    def product(self, expression: sp.Basic) -> Expanded:
        """Product of scalars with at most one vector."""
        factors = list(map(self.visit, expression.args))
        vectors = [f for f in factors if isinstance(f, tuple)]
        scale = sp.Mul(*(f for f in factors if not isinstance(f, tuple)))
        if len(vectors) > 1:
            raise ProblemError(f"{expression} multiplies two vectors; use dot(a, b) for their scalar product.")
        return tuple(scale * v for v in vectors[0]) if vectors else scale

    def derivative(self, expression: sp.Basic) -> Expanded:
        """A derivative of an expression that contains vector operators."""
        inner, variables = self.visit(expression.args[0]), expression.args[1:]
        if isinstance(inner, tuple):
            return tuple(sp.diff(component, *variables) for component in inner)
        return sp.diff(inner, *variables)


_HANDLERS: dict[type[sp.Basic], Callable[[_Expansion, sp.Basic], Expanded]] = {
    Laplacian: _Expansion.laplacian,
    Gradient: _Expansion.gradient,
    Divergence: _Expansion.divergence,
    NormalDerivative: _Expansion.normal_derivative,
    Normal: _Expansion.normal_vector,
    Dot: _Expansion.dot,
    Component: _Expansion.component,
    MatrixVector: _Expansion.matrix_vector,
    sp.Add: _Expansion.sum,
    sp.Mul: _Expansion.product,
    sp.Derivative: _Expansion.derivative,
}
