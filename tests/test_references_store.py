"""Stored references: whole or not at all, named, bit-identical, found by signature only, and readable by ParaView."""

from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np
import pytest
import sympy as sp
from cases import load

import kanpde as kp
from kanpde.errors import StoreError
from kanpde.references import GridFunction, find_reference, reference

x, y, t, k = sp.symbols("x y t k", real=True)
CASES = {"poisson_1d": 4, "coupled": 2, "poisson_3d": 2, "heat_1d": 2, "wave_1d": "chebyshev", "poisson": "chebyshev"}


def small(name: str) -> GridFunction:
    problem = load(name)
    return reference(problem, (12,) * problem.domain.dimension, CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_a_reference_comes_back_bit_identical(name: str, tmp_path: Path) -> None:
    stored = small(name)
    loaded = GridFunction.load(stored.save(tmp_path / "deep" / "reference.h5"))
    assert np.array_equal(loaded.values, stored.values)
    points = np.stack([a[0] + np.linspace(0, 1, 7) * (a[-1] - a[0]) for a in stored.axes], axis=1)
    assert np.array_equal(loaded(points), stored(points))
    for fact in ("unknowns", "coordinates", "order", "error_estimate", "relative_l2", "seconds", "tolerance", "name"):
        assert getattr(loaded, fact) == getattr(stored, fact)
    assert loaded.signature == load(name).signature
    assert loaded.text == load(name).text
    assert loaded.provenance == stored.provenance
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["reference.h5", "reference.h5.xdmf"]


def test_periodic_axes_come_back(tmp_path: Path) -> None:
    u = sp.Function("u")(x, y)
    box = kp.Box({x: (0, 1), y: (0, 1)})
    problem = kp.Problem(
        box, sp.Eq(kp.laplacian(u) - u, 1), [kp.Periodic(u, x), kp.Dirichlet(u, 0, on=box.lower(y) | box.upper(y))]
    )
    for order in (2, "chebyshev"):
        stored = reference(problem, (10, 9), order)
        loaded = GridFunction.load(stored.save(tmp_path / "a.h5"))
        points = np.array([[0.97, 0.4], [0.03, 0.6]])
        assert np.array_equal(loaded(points), stored(points))
        assert loaded.grid.axes[0].period == 1.0


def test_dimensions_carry_names_and_scales(tmp_path: Path) -> None:
    stored = small("coupled")
    with h5py.File(stored.save(tmp_path / "a.h5")) as file:
        assert set(file["values"]) == {"u", "v"}
        dataset = file["values/v"]
        assert [d.label for d in dataset.dims] == ["x", "y"]
        for axis, nodes in enumerate(stored.axes):
            assert np.array_equal(dataset.dims[axis][0][()], nodes)
        assert dataset.attrs["units"] == "1"
        assert np.array_equal(dataset[()], stored.values[..., 1])
        assert np.array_equal(file["view/v"][()], stored.values[..., 1].T)


def items(path: Path) -> list[ElementTree.Element]:
    return list(ElementTree.parse(path).iter("DataItem"))


@pytest.mark.parametrize("name", CASES)
def test_the_xdmf_file_points_at_arrays_of_the_shapes_that_it_names(name: str, tmp_path: Path) -> None:
    path = small(name).save(tmp_path / "reference.h5")
    sidecar = tmp_path / "reference.h5.xdmf"
    with h5py.File(path) as file:
        hdf = [item for item in items(sidecar) if item.get("Format") == "HDF"]
        assert hdf
        for item in hdf:
            source, inner = item.text.split(":")
            assert source == path.name
            sizes = tuple(map(int, item.get("Dimensions").split()))
            assert np.prod(sizes) == file[inner].size
            assert [n for n in sizes if n > 1] == list(file[inner].shape)


def test_the_xdmf_file_has_one_grid_an_instant_with_its_slab(tmp_path: Path) -> None:
    stored = small("heat_1d")
    path = stored.save(tmp_path / "reference.h5")
    root = ElementTree.parse(tmp_path / "reference.h5.xdmf").getroot()
    times = [float(item.get("Value")) for item in root.iter("Time")]
    np.testing.assert_array_equal(times, stored.axes[1])
    slabs = [item for item in root.iter("DataItem") if item.get("ItemType") == "HyperSlab"]
    start, stride, count = np.array(slabs[5][0].text.split(), dtype=int).reshape(3, -1)
    with h5py.File(path) as file:
        block = file["view/u"][tuple(slice(s, s + c, d) for s, d, c in zip(start, stride, count, strict=True))]
    np.testing.assert_array_equal(block[0], stored.values[:, 5, 0])


def test_families_have_a_grid_for_every_parameter(tmp_path: Path) -> None:
    f = sp.Function("u")(x, t, k)
    domain = kp.Box({x: (0, 1)}) * kp.Time(t, (0, 1)) * kp.ParameterRange(k, (1, 2))
    problem = kp.Problem(
        domain, sp.Eq(f.diff(t), k * f.diff(x, 2)), [kp.Dirichlet(f, 0), kp.Initial(f, sp.sin(sp.pi * x))]
    )
    reference(problem, (8, 7, 6)).save(tmp_path / "a.h5")
    names = [grid.get("Name") for grid in ElementTree.parse(tmp_path / "a.h5.xdmf").getroot().iter("Grid")]
    assert names[1:3] == ["t = 0, k = 1", "t = 0.166667, k = 1"]
    assert len(names) == 1 + 7 * 6


def problem_with(source: float, name: str = "p") -> kp.Problem:
    u = sp.Function("u")(x)
    return kp.Problem(kp.Box({x: (0, 1)}), sp.Eq(u.diff(x, 2), source * sp.exp(x)), kp.Dirichlet(u, 0), name=name)


def test_a_reference_is_found_by_signature_and_never_for_a_changed_problem(tmp_path: Path) -> None:
    assert find_reference(tmp_path, problem_with(1.0)) is None
    for order in (2, 4):
        reference(problem_with(1.0), (21,), order).save(tmp_path / f"order{order}.h5")
    (tmp_path / "damaged.h5").write_bytes(b"nothing of the kind")
    assert find_reference(tmp_path, problem_with(1.0, name="renamed")).order == 4
    assert find_reference(tmp_path, problem_with(1.0), order=2).order == 2
    assert find_reference(tmp_path, problem_with(1.0), order=8) is None
    assert find_reference(tmp_path, problem_with(1.0 + 1e-12)) is None


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = reference(problem_with(1.0), (21,)).save(tmp_path / "a.h5")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"a\.h5"):
        GridFunction.load(path)
    with pytest.raises(StoreError, match="no such file"):
        GridFunction.load(tmp_path / "missing.h5")


@pytest.mark.parametrize("name", ["about", "values/u", "axes/x"])
def test_a_changed_number_is_noticed(name: str, tmp_path: Path) -> None:
    path = reference(problem_with(1.0), (21,)).save(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        if name == "about":
            del file[name]
        else:
            file[name][3] += 1e-9
    with pytest.raises(StoreError):
        GridFunction.load(path)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["u"] = np.zeros(3)
    with pytest.raises(StoreError, match="kanpde did not write it"):
        GridFunction.load(tmp_path / "a.h5")


def test_an_unwritable_place_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError):
        reference(problem_with(1.0), (21,)).save(tmp_path / "file" / "a.h5")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
