"""What a problem has to find besides its solution: scalars, eigenvalues, coefficients that are fields."""

from __future__ import annotations

from typing import Any, cast

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from ..errors import ProblemError


class Parameter(sp.Symbol):
    """An unknown real scalar of a problem, with the value where its identification starts."""

    __slots__ = ("initial",)
    initial: float

    def __new__(cls, name: str, initial: float = 1.0) -> Parameter:
        """Create the symbol; two parameters are equal if both name and initial value are."""
        self = cast(Parameter, sp.Symbol.__xnew__(cls, name, real=True))
        self.initial = float(initial)
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what copy and pickle need."""
        return (self.name, self.initial), {}

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), str(self.initial))


class Eigenvalue(Parameter):
    """An unknown eigenvalue, with a number near which it is wanted; its eigenfunction is normalised by itself."""

    __slots__ = ()

    def __new__(cls, name: str, near: float) -> Eigenvalue:
        """Create the symbol."""
        return cast(Eigenvalue, super().__new__(cls, name, near))

    @property
    def near(self) -> float:
        """The number near which the eigenvalue is wanted."""
        return self.initial


class UnknownFieldFunction(AppliedUndef):
    """A coefficient of the equations that is to be found as a function of some of the coordinates."""


def UnknownField(name: str, *coordinates: sp.Symbol) -> UnknownFieldFunction:
    """Return an unknown coefficient as an applied function: `UnknownField("a", x, y)`.

    Raises:
        ProblemError: a name that is no text, no coordinates, or coordinates that are not symbols.
    """
    if not isinstance(name, str) or not coordinates or not all(isinstance(s, sp.Symbol) for s in coordinates):
        raise ProblemError(
            f"UnknownField({', '.join(map(repr, (name, *coordinates)))}) needs a name and the coordinates that the "
            'field depends on: UnknownField("a", x, y).'
        )
    # The extra keyword keeps it apart from a function of the same name, which SymPy compares by keywords.
    kind = cast(Any, UndefinedFunction)(name, bases=(UnknownFieldFunction,), real=True, unknown_field=True)
    return cast(UnknownFieldFunction, kind(*coordinates))
