"""Hashes of what callables do: equal in every process for equal code and data, different for different ones.

The user's own functions count by their bytecode, constants, defaults, closures and the globals that they read;
functions of libraries by their names; other objects by what pickle would store of them.
"""

from __future__ import annotations

import copyreg
import dis
import functools
import hashlib
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from ..errors import ProblemError

ATOMS = (type(None), type(Ellipsis), type(NotImplemented), bool, int, float, complex, str, bytes, range, slice)
#: What a class is made of, as far as it matters when it runs.
MEMBERS = (types.FunctionType, staticmethod, classmethod, property, *ATOMS, tuple, np.ndarray)
#: Where a class was written, and what Python derives from the rest.
BY_THE_WAY = ("__module__", "__qualname__", "__doc__", "__firstlineno__", "__static_attributes__", "__match_args__")


def content_digest(value: object, name: str) -> str:
    """Return the SHA-256 of what a callable (or anything else) consists of, in hexadecimal.

    Raises:
        ProblemError: it holds something whose content cannot be read, such as an open file.
    """
    try:
        return _Reader(name).digest(value).hex()
    except RecursionError as error:
        raise ProblemError(f"{name}: the callable holds data nested too deeply to be told from others.") from error


@dataclass
class _Reader:
    name: str
    #: Numbers of the objects that are being read, by identity: they may contain themselves.
    open: dict[int, int] = field(default_factory=dict)

    def digest(self, value: Any) -> bytes:
        """The hash of a value; an object within itself counts by how far up it stands."""
        if isinstance(value, ATOMS):
            return _joined(type(value).__name__, repr(value))
        if id(value) in self.open:
            return _joined("self", str(len(self.open) - self.open[id(value)]))
        self.open[id(value)] = len(self.open)
        try:
            return _joined(*(p if isinstance(p, str | bytes) else self.digest(p) for p in self._parts(value)))
        finally:
            del self.open[id(value)]

    def _parts(self, value: Any) -> Iterator[Any]:
        for kind, read in _KINDS.items():
            if isinstance(value, kind):
                return iter(read(self, value))
        return iter(self._object(value))

    def array(self, value: Any) -> list[Any]:
        if value.dtype.hasobject:
            return ["array", str(value.shape), *(self.digest(v) for v in value.ravel().tolist())]
        return ["array", value.dtype.str, str(value.shape), np.ascontiguousarray(value).tobytes()]

    def sequence(self, value: Any) -> list[Any]:
        return [type(value).__name__, *map(self.digest, value)]

    def unordered(self, value: Any) -> list[Any]:
        return [type(value).__name__, *sorted(map(self.digest, value))]

    def mapping(self, value: Any) -> list[Any]:
        return ["dict", *sorted(self.digest(k) + self.digest(v) for k, v in value.items())]

    def code(self, code: types.CodeType) -> list[Any]:
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & 0x0C)
        handlers = getattr(code, "co_exceptiontable", b"")
        return ["code", code.co_code, handlers, str(counts), str(code.co_names), *map(self.digest, code.co_consts)]

    def function(self, function: types.FunctionType) -> list[Any]:
        if _of_library(function.__module__) and "<" not in function.__qualname__:
            return self.named(function)
        values = {name: function.__globals__[name] for name in _global_names(function.__code__, function.__globals__)}
        defaults = [self.digest(function.__defaults__), self.digest(function.__kwdefaults__)]
        cells = [self.digest(_cell(cell)) for cell in function.__closure__ or ()]
        return ["function", self.digest(function.__code__), *defaults, self.digest(values), *cells]

    def partial(self, value: Any) -> list[Any]:
        return ["partial", self.digest(value.func), self.digest(value.args), self.digest(value.keywords)]

    def method(self, value: types.MethodType) -> list[Any]:
        return ["method", self.digest(value.__func__), self.digest(value.__self__)]

    def builtin(self, value: Any) -> list[Any]:
        owner = value.__self__
        return self.named(value) + ([] if isinstance(owner, types.ModuleType | None) else [self.digest(owner)])

    def named(self, value: Any) -> list[Any]:
        name = getattr(value, "__qualname__", None) or value.__name__
        return ["named", str(getattr(value, "__module__", None)), name]

    def kind(self, kind: type) -> list[Any]:
        if _of_library(kind.__module__):
            return self.named(kind)
        own = {n: v for n, v in vars(kind).items() if isinstance(v, MEMBERS) and n not in BY_THE_WAY}
        return ["class", *(self.digest(base) for base in kind.__bases__), self.digest(own)]

    def descriptor(self, value: Any) -> list[Any]:
        parts = (value.fget, value.fset) if isinstance(value, property) else (value.__func__,)
        return [type(value).__name__, *map(self.digest, parts)]

    def _object(self, value: Any) -> list[Any]:
        """Anything else, by what pickle would store."""
        inner = getattr(value, "__wrapped__", None)
        if callable(inner):
            return ["wrapped", self.digest(type(value)), self.digest(inner)]
        try:
            stored = value.__reduce_ex__(2)
        except Exception as error:
            raise ProblemError(
                f"{self.name}: the callable holds a {type(value).__name__}, whose content cannot be told from others; "
                "use numbers, arrays and functions."
            ) from error
        if isinstance(stored, str):
            return ["global", str(type(value).__module__), stored]
        function, arguments, *rest = stored
        rest = [list(part) if isinstance(part, Iterator) else part for part in rest]
        made = "object" if function is copyreg.__newobj__ else self.digest(function)  # type: ignore[attr-defined]
        return ["reduced", made, self.digest(arguments), *map(self.digest, rest)]


_KINDS: dict[Any, Callable[[_Reader, Any], list[Any]]] = {
    np.ndarray: _Reader.array,
    np.generic: lambda reader, value: reader.array(np.asarray(value)),
    tuple: _Reader.sequence,
    list: _Reader.sequence,
    set: _Reader.unordered,
    frozenset: _Reader.unordered,
    dict: _Reader.mapping,
    types.ModuleType: lambda _, value: ["module", value.__name__],
    types.CodeType: _Reader.code,
    types.FunctionType: _Reader.function,
    functools.partial: _Reader.partial,
    types.MethodType: _Reader.method,
    types.BuiltinFunctionType: _Reader.builtin,
    types.MethodDescriptorType: _Reader.named,
    types.WrapperDescriptorType: _Reader.named,
    np.ufunc: _Reader.named,
    staticmethod: _Reader.descriptor,
    classmethod: _Reader.descriptor,
    property: _Reader.descriptor,
    type: _Reader.kind,
    sp.Basic: lambda _, value: ["sympy", sp.srepr(value)],
}


def _joined(*parts: str | bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()


def _global_names(code: types.CodeType, known: dict[str, Any]) -> list[str]:
    """The globals that a function reads, by itself or in functions inside; what is not there is a builtin."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return sorted((names & known.keys()).union(*(_global_names(c, known) for c in inner)))


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return NotImplemented


@functools.cache
def _library_folders() -> tuple[Path, ...]:
    return tuple({Path(sysconfig.get_path(key)) for key in ("stdlib", "platstdlib", "purelib", "platlib")})


def _of_library(module: str | None) -> bool:
    """Whether a module is installed, not the user's own: this package, the standard library, site packages."""
    top = (module or "").partition(".")[0]
    if top in (__name__.partition(".")[0], "builtins"):
        return True
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    if file is None:
        return top in sys.stdlib_module_names and top != "__main__"
    return any(Path(file).is_relative_to(folder) for folder in _library_folders())
