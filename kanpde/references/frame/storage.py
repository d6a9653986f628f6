"""Functions in frames as plain arrays and facts, and in HDF5 files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kanpde import hdf5
from kanpde.errors import StoreError
from kanpde.references.frame.basis import Basis, Polynomials
from kanpde.references.frame.powers import Powers

Array = np.ndarray
Arrays = dict[str, Array]

KIND = "reference"
GROUP = "frame"
POWERS = ("centre", "place", "exponents", "imaginary", "logarithmic", "planar", "others")


def arrays_of(bases: Sequence[Basis], coefficients: Sequence[Array]) -> tuple[Arrays, list[int]]:
    """All arrays by flat names, and which basis each field has."""
    different = list({id(basis): basis for basis in bases}.values())
    arrays = {f"coefficients{c}": values for c, values in enumerate(coefficients)}
    for k, basis in enumerate(different):
        box = basis.polynomials
        arrays |= {f"basis{k}.lower": box.lower, f"basis{k}.upper": box.upper, f"basis{k}.indices": box.indices}
        arrays[f"basis{k}.periodic"] = np.array(box.periodic)
        for j, powers in enumerate(basis.powers):
            place = np.array([powers.radius, powers.angle])
            arrays |= {f"basis{k}.powers{j}.{n}": place if n == "place" else getattr(powers, n) for n in POWERS}
    positions = {id(basis): k for k, basis in enumerate(different)}
    return arrays, [positions[id(basis)] for basis in bases]


def bases_from(arrays: Mapping[str, Array], of_field: Sequence[int]) -> tuple[tuple[Basis, ...], tuple[Array, ...]]:
    """What `arrays_of` took apart.

    Raises:
        KeyError: an array is missing.
    """
    different = [_basis(arrays, f"basis{k}") for k in range(max(of_field, default=-1) + 1)]
    coefficients = tuple(arrays[f"coefficients{c}"] for c in range(len(of_field)))
    return tuple(different[k] for k in of_field), coefficients


def _basis(arrays: Mapping[str, Array], name: str) -> Basis:
    lower, upper, periodic, indices = (arrays[f"{name}.{n}"] for n in ("lower", "upper", "periodic", "indices"))
    box = Polynomials(lower, upper, tuple(bool(p) for p in periodic), indices)
    count = sum(key.startswith(f"{name}.powers") and key.endswith(".centre") for key in arrays)
    return Basis(box, tuple(_powers(arrays, f"{name}.powers{j}") for j in range(count)))


def _powers(arrays: Mapping[str, Array], name: str) -> Powers:
    centre, place, *rest = (arrays[f"{name}.{n}"] for n in POWERS)
    return Powers(centre, float(place[0]), float(place[1]), *rest)


def write(path: str | Path, facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> Path:
    """Write arrays under `frame` and the rest under `about`.

    Raises:
        StoreError: it cannot be written.
    """
    path = Path(path)
    with hdf5.written(path, KIND) as file:
        hdf5.write_tree(file, "about", dict(facts))
        group = file.create_group(GROUP)
        for name, array in arrays.items():
            hdf5.write_array(group, name, array)
    return path


def read(path: str | Path) -> tuple[dict[str, Any], Arrays]:
    """What `write` wrote.

    Raises:
        StoreError: no such file, damaged, or not a function in a frame.
    """
    with hdf5.opened(path, KIND) as file:
        if GROUP not in file:
            raise StoreError(f"{path} holds a reference of another kind, not one in a frame.")
        group = file[GROUP]
        return hdf5.read_tree(file, "about"), {name: hdf5.read_array(group, name) for name in group}
