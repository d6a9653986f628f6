"""Finite element functions in HDF5: plain arrays of the mesh and of the degrees of freedom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from kanpde import hdf5
from kanpde.errors import StoreError

KIND = "reference"
MESH = ("points", "cells", "materials")
PART = ("cells", "values")

Facts = dict[str, Any]


def write(path: str | Path, function: Any) -> Path:
    """Write a function: `mesh`, one group a part under `parts`, and `about` for the rest.

    Raises:
        StoreError: it cannot be written.
    """
    path = Path(path)
    facts = {f.name: getattr(function, f.name) for f in fields(function) if f.name not in ("mesh", "parts", "active")}
    with hdf5.written(path, KIND) as file:
        hdf5.write_tree(file, "about", {**facts, "elements": [part.degree for part in function.parts]})
        mesh = file.create_group("mesh")
        for name in MESH:
            hdf5.write_array(mesh, name, getattr(function.mesh, name))
        hdf5.write_array(mesh, "active", function.active)
        for k, part in enumerate(function.parts):
            group = file.create_group(f"parts/{k}")
            for name in PART:
                hdf5.write_array(group, name, getattr(part, name))
    return path


def read(path: str | Path) -> tuple[Any, ...]:
    """The arrays of the mesh and of the fields' cells, [degree, cells, values] of each part, and the rest.

    Raises:
        StoreError: no such file, damaged, or not a finite element function.
    """
    with hdf5.opened(path, KIND) as file:
        facts = hdf5.read_tree(file, "about")
        if "elements" not in facts:
            raise StoreError(f"{path} holds a grid function, not one on a mesh.")
        degrees = facts.pop("elements")
        mesh = [hdf5.read_array(file["mesh"], name) for name in (*MESH, "active")]
        groups = [file[f"parts/{k}"] for k in range(len(degrees))]
        parts = [
            [degree, *(hdf5.read_array(group, name) for name in PART)]
            for degree, group in zip(degrees, groups, strict=True)
        ]
        return *mesh, parts, facts


def is_on_mesh(path: str | Path) -> bool:
    """Whether a stored reference is a finite element function.

    Raises:
        StoreError: no such file, damaged, or not a stored reference.
    """
    with hdf5.opened(path, KIND) as file:
        return "parts" in file


def tupled(facts: Facts, names: Sequence[str]) -> Facts:
    """The lists of JSON as the tuples that they were."""
    return {name: tuple(facts[name]) for name in names}
