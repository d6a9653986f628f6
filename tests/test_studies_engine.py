"""The engine: runs on processes, each kept as it ends; what is there is not repeated, what fails is a row."""

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kanpde.errors import ProblemError, StoreError
from kanpde.store import load_table, save_table
from kanpde.studies import book as books
from kanpde.studies.book import Book, key_of
from kanpde.studies.engine import Workers, execute

HERE = Workers(count=0)


@dataclasses.dataclass(frozen=True)
class Square:
    """A job whose result is known, and which leaves a mark when it runs."""

    number: float
    marks: str = ""
    wish: str = ""

    kind = "square"
    case = ""
    limit = 1.0

    @property
    def values(self) -> dict[str, Any]:
        return {"number": self.number, "case": "", "wish": self.wish}

    def perform(self, case: Any) -> dict[str, Any]:
        del case
        if self.marks:
            with Path(self.marks).open("a", encoding="utf-8") as file:
                file.write(f"{self.number}\n")
        if self.wish == "error":
            raise ZeroDivisionError("no\nsquare")
        if self.wish == "refuse":
            raise ProblemError("give another number.")
        if self.wish == "die":
            os._exit(1)
        if self.wish == "sleep":
            time.sleep(0.3)
        return {"square": self.number**2, "trace": [1.0, 2.0], "status": "done", "relative_l2": 0.1}


def book(directory: Path, **options: Any) -> Book:
    return Book(directory / "study.h5", "squares", **options)


def test_rows_come_in_the_order_of_the_jobs(tmp_path: Path) -> None:
    rows = execute([Square(3.0), Square(1.0), Square(2.0)], {}, book(tmp_path), HERE)
    assert [row["square"] for row in rows] == [9.0, 1.0, 4.0]
    assert all(row["date"] and row["kind"] == "square" for row in rows)


def test_finished_runs_are_not_repeated(tmp_path: Path) -> None:
    marks = str(tmp_path / "marks")
    first = execute([Square(k, marks) for k in (1.0, 2.0)], {}, book(tmp_path), HERE)
    again = execute([Square(k, marks) for k in (1.0, 2.0, 3.0)], {}, book(tmp_path), HERE)
    assert again[:2] == first
    assert Path(marks).read_text(encoding="utf-8").split() == ["1.0", "2.0", "3.0"]
    execute([Square(1.0, marks)], {}, book(tmp_path, fresh=True), HERE)
    assert Path(marks).read_text(encoding="utf-8").split()[-1] == "1.0"
    assert len(load_table(tmp_path / "study.h5")[0]) == 1


def test_a_failure_is_a_row_and_is_tried_again(tmp_path: Path) -> None:
    marks = str(tmp_path / "marks")
    jobs = [Square(1.0, marks, "error"), Square(2.0, marks, "refuse"), Square(3.0, marks)]
    for _ in range(2):
        rows = execute(jobs, {}, book(tmp_path), HERE)
    assert [row["status"] for row in rows] == [
        "failed: ZeroDivisionError: no square",
        "refused: give another number.",
        "done",
    ]
    assert Path(marks).read_text(encoding="utf-8").split() == ["1.0", "2.0", "3.0", "1.0"]


def test_every_run_is_stored_at_once(tmp_path: Path) -> None:
    counts = []
    execute(
        [Square(1.0), Square(2.0)],
        {},
        book(tmp_path),
        HERE,
        lambda told: counts.append(len(load_table(tmp_path / "study.h5")[0]) if told.row else 0),
    )
    assert counts == [0, 1, 2]


def test_listener_hears_how_far_it_is(tmp_path: Path) -> None:
    heard = []
    execute([Square(1.0)], {}, book(tmp_path), HERE)
    execute([Square(1.0), Square(2.0), Square(3.0)], {}, book(tmp_path), HERE, heard.append)
    assert [(t.finished, t.total, t.kept) for t in heard] == [(1, 3, 1), (2, 3, 1), (3, 3, 1)]
    assert heard[0].left > 0
    assert heard[-1].left == 0
    assert heard[-1].row["number"] == 3.0


@pytest.mark.slow
def test_processes_give_the_same_rows_and_survive_a_death(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    jobs = [Square(1.0), Square(2.0, str(marks), "die"), Square(3.0, wish="error"), Square(4.0)]
    rows = execute(jobs, {}, book(tmp_path), Workers(count=2))
    assert [row.get("square") for row in rows] == [1.0, None, None, 16.0]
    assert rows[1]["status"] == "failed: its worker died, perhaps for want of memory"
    assert rows[2]["status"] == "failed: ZeroDivisionError: no square"
    assert marks.read_text(encoding="utf-8").split() == ["2.0"]  # what kills one worker does not get a second one


@pytest.mark.slow
def test_existing_cluster(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0"
    ) as cluster:
        rows = execute([Square(5.0)], {}, book(tmp_path), Workers(scheduler=cluster.scheduler_address))
    assert rows[0]["square"] == 25.0


def test_a_scheduler_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kanpde.studies.engine.ANSWER", 0.3)
    with pytest.raises(ProblemError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        execute([Square(5.0)], {}, book(tmp_path), Workers(scheduler="tcp://127.0.0.1:9"))


def test_a_negative_number_of_workers() -> None:
    with pytest.raises(ProblemError, match="--workers -1 is negative"):
        Workers(count=-1)


# ---- the file


def test_files_of_another_kind_version_or_study_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.h5"
    execute([Square(1.0)], {}, book(tmp_path), HERE)
    rows, about = load_table(path)
    with pytest.raises(StoreError, match="holds squares, not cubes: give --fresh"):
        Book(path, "cubes")
    for change in ({"kanpde": "0.0.1"}, {"format": 99}):
        save_table(path, rows, about | change)
        with pytest.raises(StoreError, match="was made by kanpde"):
            Book(path, "squares")
        assert len(load_table(path)[0]) == 1
    assert Book(path, "squares", fresh=True).rows == {}


def test_a_full_disk_keeps_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, saved = books.save_table, []

    def full(path: Path, rows: Any, about: Any) -> Path:
        if len(saved) == 2:
            raise StoreError(f"{path} cannot be written: No space left on device.")
        saved.append(1)
        return real(path, rows, about)

    monkeypatch.setattr(books, "save_table", full)
    with pytest.raises(StoreError, match="No space left"):
        execute([Square(k) for k in (1.0, 2.0, 3.0)], {}, book(tmp_path), HERE)
    assert [row["number"] for row in load_table(tmp_path / "study.h5")[0]] == [1.0, 2.0]


def test_an_unwritable_place_is_said_before_any_run(tmp_path: Path) -> None:
    (tmp_path / "study.h5").mkdir()
    with pytest.raises(StoreError, match="is a directory"):
        book(tmp_path)


def test_csv_has_no_nested_columns(tmp_path: Path) -> None:
    own = book(tmp_path)
    path = own.write_csv(execute([Square(2.0)], {}, own, HERE))
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["square"] == "4.0"
    assert "trace" not in row


def test_keys_tell_runs_apart() -> None:
    values = {"a": 1, "b": [1, 2]}
    assert key_of("k", values, "c") == key_of("k", {"b": [1, 2], "a": 1}, "c")
    others = {key_of("x", values, "c"), key_of("k", values, "d"), key_of("k", {"a": 2, "b": [1, 2]}, "c")}
    assert len(others | {key_of("k", values, "c")}) == 4


# ---- killed and resumed

KILLED = """
import sys
from pathlib import Path
from test_studies_engine import Square, book
from kanpde.studies.engine import Workers, execute
execute([Square(float(k), sys.argv[2], "sleep") for k in range(6)], {}, book(Path(sys.argv[1])), Workers(0))
"""


def test_a_killed_study_goes_on_without_losing_or_repeating_a_run(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    environment = os.environ | {"PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[1]}"}
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(marks)]
    with subprocess.Popen(command, env=environment) as process:
        deadline = time.monotonic() + 60
        while (not marks.exists() or marks.read_text(encoding="utf-8").count("\n") < 3) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    kept = [row["number"] for row in load_table(tmp_path / "study.h5")[0]]
    assert kept == [0.0, 1.0]
    again = [Square(float(k), str(marks), "sleep") for k in range(6)]
    rows = execute(again, {}, book(tmp_path), HERE)
    assert [row["square"] for row in rows] == [k**2 for k in range(6)]
    assert [row["date"] for row in rows] == sorted(row["date"] for row in rows)
    assert sorted(marks.read_text(encoding="utf-8").split()) == ["0.0", "1.0", "2.0", "2.0", "3.0", "4.0", "5.0"]


def test_an_interrupt_stays_one_whatever_dask_makes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Starting:
        def __enter__(self) -> None:
            try:
                raise KeyboardInterrupt
            finally:
                raise AssertionError("Status.init")

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr("kanpde.studies.engine._cluster", lambda *_: Starting())
    with pytest.raises(KeyboardInterrupt):
        execute([Square(1.0)], {}, book(tmp_path), Workers(count=1))
