"""Optimisers: `init` and `step` over explicit state. They know vectors only."""

from kanpde.optim.adam import Adam, Constant, Cosine, Exponential
from kanpde.optim.choice import chosen
from kanpde.optim.lbfgs import LBFGS
from kanpde.optim.levenberg_marquardt import LevenbergMarquardt
from kanpde.optim.matrix_free import MatrixFree
from kanpde.optim.objective import Objective, Optimizer, Products, State
from kanpde.optim.ssbroyden import SSBroyden
from kanpde.optim.status import Status

__all__ = [
    "LBFGS",
    "Adam",
    "Constant",
    "Cosine",
    "Exponential",
    "LevenbergMarquardt",
    "MatrixFree",
    "Objective",
    "Optimizer",
    "Products",
    "SSBroyden",
    "State",
    "Status",
    "chosen",
]
