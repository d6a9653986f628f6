"""Trained networks for other programs: SciPy's splines, torch.export, ONNX, and C99 without dependencies."""

from kanpde.exporting.c_source import c_source
from kanpde.exporting.composition import Composition
from kanpde.exporting.files import FUNCTIONS, export_function
from kanpde.exporting.onnx_model import onnx_model
from kanpde.exporting.splines import edge_splines
from kanpde.exporting.traced import exported_program

__all__ = [
    "FUNCTIONS",
    "Composition",
    "c_source",
    "edge_splines",
    "export_function",
    "exported_program",
    "onnx_model",
]
