"""What the gallery asks of each problem: tolerance, time, targets and known truths, from a TOML file beside them.

Problem files are mathematics only; how accurate and how fast their solution is to be stands in `gallery.toml`:

    [defaults]
    rtol = 1e-5

    [l_shape]
    class = "elliptic, singular"
    target = 1e-3
    integral = { u = 0.2140758036 }
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kanpde.errors import ProblemError

NAME = "gallery.toml"
DEFAULTS = "defaults"


@dataclass(frozen=True)
class Settings:
    """What is asked of one problem.

    Attributes:
        kind: the class of the equation in words; `class` in the file.
        rtol: the tolerance that the solver is asked for.
        max_seconds: where it has to stop.
        target: the relative L2 error that counts as success, None where none is set.
        within: the seconds for that.
        deviations: the standard errors within which identified scalars must be of their truth.
        truth: what unknown scalars really are.
        integral: what the integrals of unknowns over the domain really are.
        away: points (k, d) of space; errors are measured farther than `distance` from them.
        distance: see `away`.
        reference: whether a conventional solver is to stand beside it.
        order: the order of that solver, where only one is to be tried.
        note: why a target is missed, as far as it is known.
    """

    kind: str = ""
    rtol: float = 1e-5
    max_seconds: float = 120.0
    target: float | None = None
    within: float | None = None
    deviations: float | None = None
    truth: Mapping[str, float] = field(default_factory=dict)
    integral: Mapping[str, float] = field(default_factory=dict)
    away: tuple[tuple[float, ...], ...] = ()
    distance: float = 0.0
    reference: bool = True
    order: int | None = None
    note: str = ""

    def changed(self, rtol: float | None, max_seconds: float | None) -> Settings:
        """These settings with what the command line overrides."""
        rtol, max_seconds = rtol or self.rtol, max_seconds or self.max_seconds
        return dataclasses.replace(self, rtol=rtol, max_seconds=max_seconds)


def read_settings(directory: Path) -> dict[str, Settings]:
    """The settings by the name of the problem's file; `defaults` holds those of all others. None without a file.

    Raises:
        ProblemError: no TOML, or something in it that means nothing.
    """
    path = directory / NAME
    if not path.exists():
        return {DEFAULTS: Settings()}
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProblemError(f"{path} is no TOML file: {error}.") from error
    common = tables.pop(DEFAULTS, {})
    named = {name: _settings(path, name, {**common, **_table(path, name, own)}) for name, own in tables.items()}
    return {DEFAULTS: _settings(path, DEFAULTS, common), **named}


def _table(path: Path, name: str, own: Any) -> dict[str, Any]:
    if not isinstance(own, dict):
        raise ProblemError(f"{path}: {name} is no table; write [{name}] and its settings below.")
    return own


_KEYS = {"class": "kind", **{f.name: f.name for f in dataclasses.fields(Settings) if f.name != "kind"}}
_POSITIVE = ("rtol", "max_seconds", "target", "within", "deviations", "distance", "order")
_NUMBERS = ("truth", "integral")


def _settings(path: Path, name: str, values: Mapping[str, Any]) -> Settings:
    unknown = sorted(set(values) - set(_KEYS))
    if unknown:
        raise ProblemError(f"{path}: [{name}] has {unknown[0]}; it may have {', '.join(_KEYS)}.")
    for key in _POSITIVE:
        if key in values and not (_is_number(values[key]) and values[key] > 0):
            raise ProblemError(f"{path}: [{name}] {key} = {values[key]!r} must be a positive number.")
    for key in _NUMBERS:
        if key in values and not (isinstance(values[key], dict) and all(map(_is_number, values[key].values()))):
            raise ProblemError(f"{path}: [{name}] {key} must be a table of numbers such as {{ u = 1.0 }}.")
    away = tuple(tuple(map(float, point)) for point in values.get("away", ()))
    return Settings(**{_KEYS[key]: value for key, value in {**values, "away": away}.items()})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
