"""Known fields, from code or from data, as SymPy functions: equal where their names and contents are equal."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Protocol, cast

import numpy as np
import sympy as sp
from sympy.core.function import FunctionClass

from ..errors import ProblemError
from .functions import Array, Backend, through_numpy
from .given import PARTS, Code, StoredCode, checked_code
from .tabulated import DEGREE, checked_table, unpacked_table

MultiIndex = tuple[int, ...]


class Source(Protocol):
    """Where the values of a known field come from."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def label(self) -> str:
        """How texts name it."""

    @property
    def digest(self) -> str:
        """A hash of its content."""

    @property
    def plain(self) -> list[Any]:
        """What a tree holds of it."""

    @property
    def order(self) -> int:
        """How many derivatives can be evaluated."""

    def evaluate(self, orders: MultiIndex, points: Sequence[np.ndarray]) -> np.ndarray:
        """Return a derivative at points, one array (n,) a coordinate, as (n,)."""

    def check_count(self, count: int) -> None:
        """Raise an error unless it is a function of so many coordinates."""


@dataclass(frozen=True, eq=False)
class Known:
    """A derivative of a known field, () for the field itself: an operation on arrays, and an identity."""

    source: Source
    orders: MultiIndex = ()

    @property
    def label(self) -> str:
        """How texts name it: q, re q, q[1, 0]."""
        return self.source.label + (str(list(self.orders)) if any(self.orders) else "")

    @cached_property
    def key(self) -> tuple[str, ...]:
        """What makes two known fields the same one; what a file keeps of code is never the code itself."""
        return self.label, self.source.digest, type(self.source).__name__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Known) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return " ".join(self.key)

    def __call__(self, backend: Backend, *operands: Array) -> Array:
        """Evaluate on arrays that broadcast against each other; PyTorch differentiates it as far as derivatives go."""
        if backend.module is np:
            return self.values(*operands)
        arrays = backend.module.broadcast_tensors(*map(backend.array, operands))
        if any(a.requires_grad for a in arrays):
            return _differentiable_step(backend.module).apply(self, backend, *arrays)
        return through_numpy(backend, self.label, self.values, arrays)

    def values(self, *operands: Any) -> np.ndarray:
        """Evaluate on NumPy arrays and numbers."""
        arrays = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in operands))
        orders = self.orders or (0,) * len(arrays)
        return self.source.evaluate(orders, [a.reshape(-1) for a in arrays]).reshape(arrays[0].shape)

    def derivative(self, axis: int, count: int) -> Known:
        """Return the derivative along one of `count` coordinates."""
        orders = self.orders or (0,) * count
        return Known(self.source, (*orders[:axis], orders[axis] + 1, *orders[axis + 1 :]))


@functools.cache
def _differentiable_step(torch: ModuleType) -> Any:
    """Return the operation that PyTorch differentiates by the derivatives of a known field, known fields again."""
    base: Any = torch.autograd.Function

    class Step(base):
        @staticmethod
        def forward(context: Any, known: Known, backend: Backend, *operands: Array) -> Array:
            context.known, context.backend = known, backend
            context.save_for_backward(*operands)
            return known(backend, *(a.detach() for a in operands))

        @staticmethod
        def backward(context: Any, slope: Array) -> tuple[Array | None, ...]:
            operands, wanted = context.saved_tensors, context.needs_input_grad[2:]
            derivatives = [context.known.derivative(i, len(operands)) for i in range(len(operands))]
            chained = [
                slope * d(context.backend, *operands) if w else None for d, w in zip(derivatives, wanted, strict=True)
            ]
            return None, None, *chained

    return Step


class KnownClass(FunctionClass):
    """The class of known functions: two of them are one if name and content are the same."""

    known: Known
    #: The real and the imaginary part of a complex field.
    parts: tuple[Known, ...] = ()

    def __eq__(cls, other: object) -> bool:
        if not isinstance(other, KnownClass) or not (cls.is_field and other.is_field):
            return cls is other
        return cls.known == other.known and cls.parts == other.parts

    def __hash__(cls) -> int:
        return hash((cls.known, cls.parts)) if cls.is_field else type.__hash__(cls)

    def __instancecheck__(cls, instance: object) -> bool:
        return cls in type(instance).__mro__

    def __repr__(cls) -> str:
        return cls.known.label if cls.is_field else cls.__name__

    @property
    def is_field(cls) -> bool:
        """Whether this is the class of one field, not the base of all."""
        return hasattr(cls, "known")


class KnownFunction(sp.Function, metaclass=KnownClass):
    """A known field applied to expressions of the coordinates."""

    @classmethod
    def eval(cls, *arguments: sp.Basic) -> sp.Expr | None:
        """Check the number of the arguments; a complex field becomes real part + I imaginary part."""
        cls.known.source.check_count(len(arguments))
        if not cls.parts:
            return None
        real, imaginary = (known_class(part)(*arguments) for part in cls.parts)
        return cast(sp.Expr, real + sp.I * imaginary)

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        """Return the derivative with respect to one argument."""
        return cast(sp.Expr, known_class(self.known.derivative(argindex - 1, len(self.args)))(*self.args))

    def _eval_evalf(self, prec: int) -> sp.Expr | None:  # noqa: ARG002
        numbers = [a.evalf() for a in self.args]
        if not all(n.is_Float or n.is_Integer for n in numbers):
            return None
        return sp.Float(float(self.known.values(*map(float, numbers))))

    def _sympystr(self, printer: Any) -> str:
        return f"{self.known.label}({printer.stringify(self.args, ', ')})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        arguments = ", ".join(map(printer.doprint, self.args))
        text = rf"\operatorname{{{self.known.label}}}\left({arguments}\right)"
        return text if exp is None else f"{text}^{{{exp}}}"

    def _pretty(self, printer: Any) -> Any:
        return printer._print_Function(self, func_name=self.known.label)


def known_class(known: Known, parts: tuple[Known, ...] = ()) -> Any:
    """Return the SymPy function of a known field; `parts` are the real and imaginary part of a complex one."""
    members: dict[str, Any] = {"known": known, "parts": parts, "__module__": __name__}
    if not parts:
        members["is_real"] = True
    # SymPy orders terms by the names of their classes: the content in it makes the order the same in every process.
    return KnownClass(repr(known), (KnownFunction,), members)


def Given(
    name: str,
    function: Callable[..., Any],
    derivatives: Mapping[MultiIndex, Callable[..., Any]] | None = None,
    complex: bool = False,
) -> Any:
    """Return a field that code computes, as a SymPy function: `Given("q", f)(x, y)`.

    Args:
        name: how texts name it.
        function: takes one NumPy array (n,) a coordinate and returns (n,) or a number.
        derivatives: the same for the derivatives that equations need, by multi-index: {(1, 0): f_x, (0, 1): f_y}.
        complex: whether the values are complex.

    Raises:
        ProblemError: no name, something that cannot be called, or that holds what cannot be told from other things.
    """
    label = _checked_name(name)
    parts = tuple(Known(checked_code(label, function, derivatives, part)) for part in ("re", "im"))
    if complex:
        return known_class(Known(checked_code(label, function, derivatives, "")), parts)
    return known_class(Known(checked_code(label, function, derivatives, "")))


def Tabulated(name: str, axes: Any, values: Any, degree: int = DEGREE) -> Any:
    """Return a field known at the nodes of a grid, between them a spline: `Tabulated("a", {x: xs, y: ys}, values)`.

    Args:
        name: how texts name it.
        axes: {x: nodes, y: nodes} for a field of these coordinates; [nodes, nodes] for a function to be applied.
        values: values[i, j] belongs to the nodes x_i and y_j; real or complex.
        degree: of the spline, 5 for smooth data; 1 connects the values by straight lines.

    Raises:
        ProblemError: nodes that do not increase, shapes that do not fit, values that are not finite.
    """
    label = _checked_name(name)
    if isinstance(axes, Mapping):
        symbols = list(axes)
        if not symbols or not all(isinstance(s, sp.Symbol) for s in symbols):
            raise ProblemError(f"{label}: the axes are {{x: nodes, y: nodes}} with SymPy symbols, not {symbols}.")
        return Tabulated(label, list(axes.values()), values, degree)(*symbols)
    if not isinstance(axes, list | tuple) or not axes:
        raise ProblemError(f"{label}: the axes are {{x: nodes, y: nodes}} or [nodes, nodes], not {axes!r}.")
    if _is_complex(values):
        halves = (("re", np.real(values)), ("im", np.imag(values)))
        parts = tuple(Known(checked_table(f"{part} {label}", axes, half, degree)) for part, half in halves)
        return known_class(Known(checked_table(label, axes, np.abs(values), degree)), parts)
    return known_class(Known(checked_table(label, axes, values, degree)))


def _is_complex(values: Any) -> bool:
    try:
        return np.iscomplexobj(values)
    except ValueError:
        return False


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise ProblemError(f'a known field needs a name, such as Given("q", f); {name!r} is none.')
    return name


def derivative_order(expression: sp.Basic) -> float:
    """Return how many derivatives of an expression can be evaluated: infinity, but for the known fields in it."""
    found = expression.atoms(KnownFunction)
    return min((f.func.known.source.order - sum(f.func.known.orders) for f in found), default=math.inf)


def is_evaluable(expression: sp.Basic) -> bool:
    """Return whether an expression has values, which one from a file that refers to code has not."""
    return not any(isinstance(f.func.known.source, StoredCode) for f in expression.atoms(KnownFunction))


def with_code(expression: sp.Basic, others: Iterable[sp.Basic]) -> sp.Basic:
    """Return an expression from a file with the callables of other expressions wherever it had the same ones."""
    functions = {f.func.known for other in others for f in other.atoms(KnownFunction)}
    sources = {(k.source.label, k.source.digest): k.source for k in functions if isinstance(k.source, Code)}

    def evaluable(function: Any) -> Any:
        source = sources.get((function.known.source.label, function.known.source.digest), function.known.source)
        return known_class(Known(source, function.known.orders))(*function.args)

    return expression.replace(lambda e: isinstance(e, KnownFunction), evaluable)


def known_plain(function: KnownFunction) -> list[Any]:
    """Return what a tree holds of a known function, without its arguments."""
    return [*function.known.source.plain, list(function.known.orders)]


def stored_given(name: str, digest: str, part: str, orders: Sequence[int]) -> Any:
    """Return what stands for a field given by code, read from a file."""
    if part not in PARTS:
        raise ValueError(f"{part} is no part of a complex number")
    return known_class(Known(StoredCode(str(name), str(digest), str(part)), _orders(orders)))


def stored_table(name: str, degree: int, axes: Sequence[str], values: str, orders: Sequence[int]) -> Any:
    """Return a tabulated field, read from a file."""
    return known_class(Known(unpacked_table(str(name), degree, axes, values), _orders(orders)))


def _orders(orders: Sequence[int]) -> MultiIndex:
    if not all(isinstance(k, int) and k >= 0 for k in orders):
        raise ValueError(f"{orders} is no multi-index")
    return tuple(orders)
