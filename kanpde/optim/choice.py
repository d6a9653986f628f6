"""Which optimiser suits a size: dense steps as long as they are affordable, products with J beyond."""

from __future__ import annotations

from kanpde.optim.levenberg_marquardt import LevenbergMarquardt
from kanpde.optim.matrix_free import MatrixFree
from kanpde.optim.objective import Optimizer

DENSE = 6_000  # parameters (rows, if fewer) up to which a dense step takes about a minute on one core
BYTES = 8
COPIES = 3  # of the square matrix: J's triangle, the damped one, and what LAPACK needs


def chosen(parameters: int, rows: int, memory: int) -> Optimizer:
    """Levenberg-Marquardt where its matrices are small enough for time and memory, else without J.

    A dense step solves in the smaller of parameters and rows. It costs N P² operations with rows N, three a parameter,
    so eightfold for twice the size; conjugate gradients cost N P a product, some hundreds of them.

    Args:
        parameters: P.
        rows: N.
        memory: bytes that matrices may take.
    """
    side = min(parameters, rows)
    affordable = side <= DENSE and COPIES * BYTES * side**2 <= 4 * memory
    return LevenbergMarquardt() if affordable else MatrixFree()
