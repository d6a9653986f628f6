"""The table of problems that the other tests go through, loaded by their paths; test_problems.py takes all files."""

import importlib.util
from functools import cache
from pathlib import Path

import kanpde as kp

FILES = {path.stem: path for path in sorted((Path(__file__).parents[1] / "problems").glob("*.py"))}
# The plain ones: boxes, as many equations as unknowns, closed solutions. Most tests go through these.
NAMES = (
    "biharmonic_1d",
    "coupled",
    "heat_1d",
    "helmholtz",
    "nonlinear_poisson",
    "poisson",
    "poisson_1d",
    "poisson_3d",
    "poisson_paper",
    "poisson_robin",
    "rational",
    "rational_helmholtz",
    "regression",
    "wave_1d",
)

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
