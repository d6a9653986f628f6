"""References and error estimates in frames: least squares of polynomials on any domain, for any kinds of rows."""

from .defect import FrameDefectSolver
from .function import FrameFunction
from .solver import FrameSolver, frame_reference

__all__ = ["FrameDefectSolver", "FrameFunction", "FrameSolver", "frame_reference"]
