"""Solutions as functions in files: C, ONNX and torch.export by the suffix of the name."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import torch

from kanpde.exporting.c_source import c_source
from kanpde.exporting.composition import Composition
from kanpde.exporting.onnx_model import onnx_model
from kanpde.exporting.traced import exported_program
from kanpde.files import replacing


def export_function(path: str | Path, composition: Composition) -> Path:
    """Writes a solution as a function in the language that the suffix names; a C function has the name of the file.

    Args:
        path: ends with one of `FUNCTIONS`.
        composition: of the solution.

    Raises:
        ProblemError: what the language cannot hold, or a library is missing.
        StoreError: it cannot be written.
    """
    path = Path(path)
    content = FUNCTIONS[path.suffix](composition, path)
    with replacing(path) as part:
        part.write_bytes(content)
    return path


def _traced(composition: Composition) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(exported_program(composition), buffer)
    return buffer.getvalue()


FUNCTIONS: dict[str, Callable[[Composition, Path], bytes]] = {
    ".c": lambda composition, path: c_source(composition, path.stem).encode(),
    ".onnx": lambda composition, _: onnx_model(composition).SerializeToString(),
    ".pt2": lambda composition, _: _traced(composition),
}
