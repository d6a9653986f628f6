"""Files: what goes in comes out, bit for bit; a damaged or foreign file is an error in one line and never a result."""

import dataclasses
import math
import os
import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import history, plots, record

from kanpde import hdf5, store
from kanpde.errors import StoreError
from kanpde.record import Record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return store.save(tmp_path / "poisson.h5", record(), plots())


def plain_fields(one: Record) -> dict[str, object]:
    return {f.name: getattr(one, f.name) for f in dataclasses.fields(one) if f.name != "theta"}


def test_record_comes_back_bit_identical(path: Path) -> None:
    before, after = record(), store.load(path).record
    assert after.theta.tobytes() == before.theta.tobytes()
    assert after.theta.dtype == np.float64
    assert plain_fields(after) == plain_fields(before)


@pytest.mark.parametrize("value", [5e-324, 0.1, 1 / 3, 1.7976931348623157e308, math.pi, -0.0])
def test_every_float_survives(tmp_path: Path, value: float) -> None:
    one = record(
        error_estimate=value, theta=np.array([value]), history=({"loss": value, "note": 1}, {"loss": 1, "note": value})
    )
    two = store.load(store.save(tmp_path / "f.h5", one)).record
    assert [two.error_estimate, *two.theta, two.history[0]["loss"], two.history[1]["note"]] == [value] * 4
    assert math.copysign(1, two.history[0]["loss"]) == math.copysign(1, value)


def test_plot_tables_come_back(path: Path) -> None:
    before, after = plots(), store.load(path).tables
    assert after is not None
    for name in ("unknowns", "coordinates", "truth", "nodes"):
        assert getattr(after, name) == getattr(before, name)
    for one, two in zip(before.slices, after.slices, strict=True):
        assert (one.names, one.held) == (two.names, two.held)
        np.testing.assert_array_equal(one.values, two.values)
        np.testing.assert_array_equal(one.error, two.error)
    for one, two in zip(before.edges, after.edges, strict=True):
        assert (one.layer, one.source, one.target) == (two.layer, two.source, two.target)
        np.testing.assert_array_equal(one.y, two.y)


def test_tables_and_arrays_are_optional(tmp_path: Path) -> None:
    state = {"damping": np.array(0.5), "points": np.arange(6.0).reshape(3, 2)}
    stored = store.load(store.save(tmp_path / "a.h5", record(), arrays=state))
    assert stored.tables is None
    assert stored.arrays.keys() == state.keys()
    np.testing.assert_array_equal(stored.arrays["points"], state["points"])


def test_history_is_a_table_of_numeric_columns(path: Path) -> None:
    with h5py.File(path) as file:
        columns = {
            file["history"][name].attrs["name"]: file["history"][name] for name in file["history"] if name != "columns"
        }
        assert columns["loss"].dtype == np.float64
        np.testing.assert_array_equal(columns["loss"], [row["loss"] for row in history()])


def test_study_table_comes_back(tmp_path: Path) -> None:
    rows = ({"network": "KAN", "seed": 1, "error": 1e-9}, {"network": "MLP", "seed": np.int64(2), "error": None})
    about = {"command": "kanpde compare", "seeds": [1, 2]}
    path = store.save_table(tmp_path / "table.h5", rows, about)
    assert store.load_table(path) == (rows, about)
    assert hdf5.kind_of(path) == "table"


def test_kinds_are_told_apart(path: Path) -> None:
    assert hdf5.kind_of(path) == "solution"
    with pytest.raises(StoreError, match="holds a solution, not a table"):
        store.load_table(path)


def test_write_is_atomic(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    monkeypatch.setattr(hdf5, "write_table", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.save(path, record(seed=7))
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_overwriting_replaces_the_whole(path: Path) -> None:
    store.save(path, record(seed=7))
    assert store.load(path).record.seed == 7
    assert store.load(path).tables is None


def test_only_plain_values_are_stored(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no plain value"):
        store.save(tmp_path / "f.h5", record(field={"function": print}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["file/poisson.h5", "directory"])
def test_unwritable_place(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    with pytest.raises(StoreError, match=r"directory"):
        store.save(tmp_path / target, record())
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["directory", "file"]


def test_disk_full_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot be written: No space left on device. Choose"):
        store.save(tmp_path / "f.h5", record())
    assert list(tmp_path.iterdir()) == []


def refused(path: Path, match: str) -> None:
    for read in (store.load, hdf5.kind_of):
        with pytest.raises(StoreError, match=match) as error:
            read(path)
        assert "\n" not in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.h5", "no such file")


@pytest.mark.parametrize("content", [b"", b"not HDF5", pickle.dumps({"a": 1}), b"\x89HDF\r\n\x1a\n" + bytes(600)])
def test_foreign_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.h5"
    path.write_bytes(content)
    refused(path, "damaged or no HDF5 file")


def test_foreign_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["theta"] = np.zeros(3)
    refused(tmp_path / "other.h5", "kanpde did not write it")


def test_newer_format(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["version"] = 99
    refused(path, "Install a newer")


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_truncated_file(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    refused(path, "damaged")


def test_changed_number(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["theta"][17] += 1e-12
    refused(path, "checksum")


def test_missing_dataset(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["theta"]
        file.attrs["digest"] = hdf5.digest(file)
    with pytest.raises(StoreError, match="damaged"):
        store.load(path)


def test_flipped_bits_are_found_or_harmless(path: Path, tmp_path: Path) -> None:
    """Damage anywhere in the file is either an error in one line or does not touch what is read."""
    content, rng = path.read_bytes(), np.random.default_rng(0)
    found = 0
    for position in rng.integers(len(content), size=200):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        (tmp_path / "d.h5").write_bytes(damaged)
        try:
            loaded = store.load(tmp_path / "d.h5").record
        except StoreError:
            found += 1
        else:
            assert plain_fields(loaded) == plain_fields(record())
            assert loaded.theta.tobytes() == record().theta.tobytes()
    assert found > 100


def test_links_are_not_followed(path: Path, tmp_path: Path) -> None:
    store.save(tmp_path / "victim.h5", record())
    with h5py.File(path, "a") as file:
        del file["theta"]
        file["theta"] = h5py.ExternalLink(str(tmp_path / "victim.h5"), "theta")
        file.attrs["digest"] = hdf5.digest(file)
    refused(path, "is a link")


def test_external_storage_is_not_read(path: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(360 * 8))
    with h5py.File(path, "a") as file:
        del file["theta"]
        file.create_dataset("theta", (360,), "f8", external=[(str(secret), 0, 360 * 8)])
    refused(path, "points outside the file")


def test_holes_do_not_read_as_zeros(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["theta"]
        file.create_dataset("theta", (10**12,), "f8", chunks=(1024,))
    refused(path, "incomplete")


def test_derivatives_and_scores_of_edges_come_back(tmp_path: Path) -> None:
    before = plots()
    full = tuple(
        dataclasses.replace(edge, slope=edge.y + 1, bend=edge.y + 2, score=k / 3) for k, edge in enumerate(before.edges)
    )
    more = {"inputs": ("x", "log(y)"), "fixed": True, "about": "the network is N"}
    store.save(tmp_path / "f.h5", record(), dataclasses.replace(before, edges=full, **more))
    after = store.load(tmp_path / "f.h5").tables
    assert after is not None
    assert {name: getattr(after, name) for name in more} == more
    assert [edge.score for edge in after.edges] == [k / 3 for k in range(len(full))]
    for one, two in zip(full, after.edges, strict=True):
        np.testing.assert_array_equal([one.slope, one.bend], [two.slope, two.bend])


def test_edges_without_derivatives_and_scores_have_none(path: Path) -> None:
    tables = store.load(path).tables
    assert tables is not None
    assert {(edge.slope, edge.bend, edge.score) for edge in tables.edges} == {(None, None, None)}
