"""Mesh files through meshio, which is loaded here alone, by the first one that is read or written."""

from __future__ import annotations

import contextlib
import importlib
import io
from pathlib import Path
from typing import Any

from kanpde.errors import ProblemError


def meshio() -> Any:
    """Return the module.

    Raises:
        ProblemError: it is not installed.
    """
    try:
        return importlib.import_module("meshio")
    except ImportError as error:
        raise ProblemError(
            "meshes are read and written through meshio; install it with pip install 'kanpde[mesh]'"
        ) from error


def read(path: str | Path) -> Any:
    """Return a mesh as meshio has it.

    Raises:
        ProblemError: no such file, or not a mesh that meshio reads.
    """
    if not Path(path).is_file():
        raise ProblemError(f"there is no mesh file {path}; check the path.")
    reader = meshio()
    try:
        # meshio reports what it cannot read on the terminal and ends the program.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return reader.read(path)
    except (Exception, SystemExit) as error:
        detail = " ".join(str(error).split()) if not isinstance(error, SystemExit) else "its content is damaged"
        raise ProblemError(
            f"{path} is not a mesh that meshio reads ({detail}); write it anew, as Gmsh .msh, .vtu or .xdmf."
        ) from error
