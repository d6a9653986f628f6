"""The table of problems that the other tests go through: every file in problems/, loaded by its path."""

import importlib.util
from functools import cache
from pathlib import Path

import kanpde as kp

FILES = {path.stem: path for path in sorted((Path(__file__).parents[1] / "problems").glob("*.py"))}
NAMES = tuple(FILES)

# In groups that the tests of time marching, systems, ... pick from.
TIME_DEPENDENT = ("heat_1d", "wave_1d")
SYSTEMS = ("coupled",)
NONLINEAR = ("nonlinear_poisson",)
STEADY = tuple(name for name in NAMES if name not in TIME_DEPENDENT)
CHEAP = ("poisson_1d", "biharmonic_1d", "poisson", "regression")


@cache
def load(name: str) -> kp.Problem:
    """The `problem` of problems/<name>.py."""
    spec = importlib.util.spec_from_file_location(f"problem_{name}", FILES[name])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.problem
