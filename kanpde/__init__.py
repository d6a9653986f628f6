"""Solve partial differential equations, written in SymPy, with Kolmogorov-Arnold networks.

The map, from the ground up; each line imports only from those above it.

    expression, multiindex      SymPy expressions as programs and trees, known fields, unknown scalars; derivatives
    domain, optim               shapes, meshes, time, regions; optimisers that know vectors only
    operator, meshing, jet      equations as F(x, jet); meshes of domains; how derivatives pass through a network
    problem, network, field     equations, materials, conditions, checks; KAN and MLP; g + b N, which keeps conditions
    collocation, references     points and weights; grids, finite elements, frames, integrators; corrections of fields
    corners, dimensionless      data that disagree at corners; problems in physical units without them
    oscillation, continuation   how much data oscillate; easier problems on the way to a hard one
    walls, features             exact conditions on shapes; what a network is a function of
    sparsity                    penalties on edges, so that few of them are left
    residuals, lowering         residual vectors and their Jacobians
    stages, snapshot            stages and the ladder that chooses them; a run between two iterations
    lifting, estimate, plan     exact conditions; the error of a field; what a solve begins with
    start, eigen, identification  starts from coarse solutions and inverse iteration; standard errors
    enlarging, judge, diagnosis  larger networks; estimates and the best network; why a run ended
    training                    the stages of a run
    record, store, hdf5         what a solve leaves, in plain values; one file for it
    tables, plots, export       figures; meshes for ParaView
    symbolic, diagrams          formulas and their proofs; networks as one sees them, for print and as a page
    solution, gallery           solve, load, modes, Solution; many problems and their table
    pruning                     smaller networks of the same accuracy
    studies, cli                comparisons, scaling laws, ablations; the command line
"""

import importlib
from typing import TYPE_CHECKING, Any

from .domain import Box, Cylinder, Disk, Ellipse, Mesh, ParameterRange, Point, Polygon, Sphere, Time
from .expression import Eigenvalue, Given, Parameter, Tabulated, UnknownField
from .operator import Normal, divergence, dot, gradient, laplacian, normal_derivative
from .problem import (
    Condition,
    Dirichlet,
    Initial,
    Integral,
    Neumann,
    Observations,
    Periodic,
    Problem,
    Robin,
    complex_unknown,
)

if TYPE_CHECKING:
    from .network import KAN, MLP
    from .optim import LBFGS, Adam, LevenbergMarquardt, MatrixFree, SSBroyden
    from .pointwise import residual
    from .pruning import pruned, smallest
    from .references import GridFunction
    from .references.reference import reference
    from .solution import Solution, load, modes, solve
    from .sparsity import Sparsity
    from .stages import Pinned, Stage
    from .studies import Ablation, Comparison, Scaling, Study, ablation, compare, scaling

__all__ = [
    "KAN",
    "LBFGS",
    "MLP",
    "Ablation",
    "Adam",
    "Box",
    "Comparison",
    "Condition",
    "Cylinder",
    "Dirichlet",
    "Disk",
    "Eigenvalue",
    "Ellipse",
    "Given",
    "GridFunction",
    "Initial",
    "Integral",
    "LevenbergMarquardt",
    "MatrixFree",
    "Mesh",
    "Neumann",
    "Normal",
    "Observations",
    "Parameter",
    "ParameterRange",
    "Periodic",
    "Pinned",
    "Point",
    "Polygon",
    "Problem",
    "Robin",
    "SSBroyden",
    "Scaling",
    "Solution",
    "Sparsity",
    "Sphere",
    "Stage",
    "Study",
    "Tabulated",
    "Time",
    "UnknownField",
    "ablation",
    "compare",
    "complex_unknown",
    "divergence",
    "dot",
    "gradient",
    "laplacian",
    "load",
    "modes",
    "normal_derivative",
    "pruned",
    "reference",
    "residual",
    "scaling",
    "smallest",
    "solve",
]

# Names that bring PyTorch or SciPy with them are imported when they are first used.
_LATER = {
    "KAN": "kanpde.network",
    "MLP": "kanpde.network",
    "Adam": "kanpde.optim",
    "LBFGS": "kanpde.optim",
    "LevenbergMarquardt": "kanpde.optim",
    "Pinned": "kanpde.stages",
    "MatrixFree": "kanpde.optim",
    "SSBroyden": "kanpde.optim",
    "Stage": "kanpde.stages",
    "Sparsity": "kanpde.sparsity",
    "pruned": "kanpde.pruning",
    "smallest": "kanpde.pruning",
    "GridFunction": "kanpde.references",
    "reference": "kanpde.references",
    "residual": "kanpde.pointwise",
    "Solution": "kanpde.solution",
    "load": "kanpde.solution",
    "modes": "kanpde.solution",
    "solve": "kanpde.solution",
    "Ablation": "kanpde.studies",
    "Comparison": "kanpde.studies",
    "Scaling": "kanpde.studies",
    "Study": "kanpde.studies",
    "ablation": "kanpde.studies",
    "compare": "kanpde.studies",
    "scaling": "kanpde.studies",
}


def __getattr__(name: str) -> Any:
    """Import a name on its first use."""
    if name not in _LATER:
        raise AttributeError(f"module 'kanpde' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    """Names that are imported later are there, too."""
    return sorted({*globals(), *_LATER})
