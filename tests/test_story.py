"""The story of a run: made-up histories whose chapters are known, and what the driver's own rows are read as."""

import dataclasses
import io
import itertools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cases
import pytest
from rich.console import Console
from synthetic import record

import kanpde as kp
from kanpde import judge as judgement
from kanpde import training
from kanpde.cli.story import EXHAUSTION, Chapter, chapters, given_up, told
from kanpde.cli.telling import COLUMNS, HEAD, NOTES, TAIL, notes, print_story, resuming, verdict
from kanpde.estimate import Estimator, TrainedField
from kanpde.record import Record
from kanpde.references import DefectEstimate

STAGE = {
    "stage": 0,
    "loss": 0.5,
    "reach": 0.5,
    "parameters": 100,
    "density": 3.0,
    "overfit": 1.0,
    "rows": 300,
    "change": "finer",
    "basis": "chebyshev 5",
    "depth": 1,
    "steep": 0,
    "sampling": "sobol",
    "optimizer": "auto",
    "estimate": None,
    "message": "",
}

BARE = Chapter(None, 0, "", *[None] * 4, 1, *[None] * 6)
COLUMNS_BY_NAME = {column.heading: column for column in COLUMNS}


def stage(losses: Sequence[float], **facts: Any) -> list[dict[str, Any]]:
    """The rows of one stage; iterations and seconds are counted by `run`."""
    return [{**STAGE, **facts, "loss": loss} for loss in losses]


def run(*stages: list[dict[str, Any]], **changes: Any) -> Record:
    """The record of a run with these stages, a step a second."""
    rows = [row | {"iteration": k, "seconds": float(k)} for k, row in enumerate(itertools.chain(*stages), 1)]
    return record(**{"history": tuple(rows), "n_parameters": rows[-1]["parameters"]} | changes)


def shown(told_record: Record, width: int = 80, path: str = "r/poisson.h5") -> str:
    console = Console(file=io.StringIO(), width=width)
    print_story(console, told_record, Path(path))
    return console.file.getvalue()


def events(told_record: Record) -> list[tuple[str, ...]]:
    return [chapter.events for chapter in chapters(told_record)]


TWO = (
    stage([8.0, 2.0, 0.5], reach=0.2),
    stage([0.32, 0.02], stage=1, parameters=150, rows=450, basis="chebyshev 8", overfit=1.7, estimate=4e-3),
)


def test_chapters_tell_what_each_stage_brought() -> None:
    first, second = chapters(run(*TWO, error_estimate=1e-5))
    assert (first.stage, first.change, first.basis, first.parameters, first.points) == (
        0,
        "start",
        "chebyshev 5",
        100,
        300,
    )
    assert (first.steps, first.residual, first.fell, first.seconds) == (3, 1.0, 4.0, 3.0)
    assert (first.reach, first.overfit, first.events) == (0.2, 1.7, ())
    assert (second.stage, second.change, second.steps, second.seconds) == (1, "finer", 2, 2.0)
    assert second.residual == pytest.approx(0.2)
    assert second.fell == pytest.approx(5.0)  # from the end of the first stage, not from its own first step
    assert second.overfit is None  # nobody has measured it yet


def test_factors_and_shares_are_short() -> None:
    cells = [
        COLUMNS_BY_NAME["fell"].cell(dataclasses.replace(BARE, fell=f)) for f in (0.034, 1.0, 9.96, 463.2, 24683.4)
    ]
    assert cells == ["0.03x", "1.0x", "10.0x", "463x", "2e+04x"]
    cells = [COLUMNS_BY_NAME["reach"].cell(dataclasses.replace(BARE, reach=r)) for r in (0.004, 0.072, 0.99, None)]
    assert cells == ["0.4%", "7.2%", "99%", ""]


def test_an_optimiser_that_measures_no_reach_has_none() -> None:
    assert chapters(run(stage([8.0, 0.5], reach=1.0, optimizer="lbfgs")))[0].reach is None


def test_an_estimate_belongs_to_the_stage_at_whose_end_it_was_made() -> None:
    assert [c.estimate for c in chapters(run(*TWO, error_estimate=1e-5))] == [4e-3, 1e-5]
    fresh = [*TWO[1][:1], TWO[1][1] | {"estimate": 3e-4}]
    assert chapters(run(TWO[0], fresh, n_parameters=100, error_estimate=1e-5))[1].estimate == 3e-4
    assert chapters(run(*TWO, n_parameters=100, error_estimate=1e-5))[1].estimate is None


def test_another_start_counts_from_its_own_first_step() -> None:
    again = run(stage([8.0, 0.5]), stage([2.0, 0.5], overfit=1.3), stage([0.5], stage=1, overfit=1.2, parameters=150))
    first, second, third = chapters(again)
    assert [c.change for c in (first, second, third)] == ["start", "another start", "finer"]
    assert (first.stage, second.stage, second.fell) == (0, 0, 2.0)
    assert "another random start" in first.events[0]
    assert "the start with the smallest residual went on" in second.events[0]
    assert third.events == ()


@pytest.mark.parametrize(
    ("before", "after", "overfit", "undone"),
    [(3.0, 3.0, 2.0, False), (3.0, 6.0, 2.0, True), (3.0, 6.0, 20.0, False), (3.0, 12.0, 20.0, True)],
)
def test_points_double_for_a_setback_and_for_overfitting(
    before: float, after: float, overfit: float, undone: bool
) -> None:
    last, following = STAGE | {"density": before}, STAGE | {"density": after, "overfit": overfit}
    assert given_up(last, following) is undone


def test_a_stage_that_is_given_up_has_no_estimate_of_its_own() -> None:
    setback = run(
        stage([0.5]),
        stage([8.0], stage=1, parameters=150, overfit=1.1, estimate=1e-4),
        stage([4.5, 0.5], stage=2, parameters=150, overfit=1.2, density=6.0, estimate=1e-4),
        error_estimate=1e-6,
    )
    assert [c.estimate for c in chapters(setback)] == [1e-4, None, 1e-6]
    assert [bool(c.events) for c in chapters(setback)] == [False, True, False]
    assert chapters(setback)[1].events[0].startswith("was given up")
    assert chapters(setback)[2].fell == 3.0


def test_overfitting_is_told_with_its_size() -> None:
    doubled = run(stage([0.5]), stage([0.5], stage=1, parameters=150, density=6.0, overfit=14.2))
    assert events(doubled) == [
        ("had 14 times the residual at new points: the next one has twice as many a parameter",),
        (),
    ]


def test_a_coarse_solution_shows_itself_as_a_start() -> None:
    assert "coarse solution is steep" in events(run(stage([0.5], steep=2)))[0][0]
    later = run(stage([8.0]), stage([0.5], stage=1, depth=2, parameters=300))
    assert events(later) == [(), ("began with a network fitted to a coarse solution",)]
    deeper = run(stage([8.0]), stage([0.5], stage=1, depth=2, parameters=300, change="deeper"))
    assert events(deeper) == [(), ()]


def test_windows_are_runs_of_their_own() -> None:
    rows = [
        row | {"window": w, "iteration": k, "seconds": 2.0 * k}
        for w in (0, 1)
        for k, row in enumerate(stage([8.0, 0.5]), 1)
    ]
    joined = record(history=tuple(rows), network={"title": "KAN [2, 5, 1] in 2 windows", "windows": [{}, {}]})
    first, second = chapters(joined)
    assert (first.window, second.window, second.change) == (1, 2, "start")
    assert (second.steps, second.seconds, second.fell, second.events) == (2, 4.0, 4.0, ())
    assert "window stage" in shown(joined)


def test_events_name_their_stages_window_by_window() -> None:
    places = [(1, 0), (1, 0), (1, 2), (2, 0)]
    found = [dataclasses.replace(BARE, window=w, stage=k, events=("stopped",)) for w, k in places]
    assert notes(found) == ["stages 0, 2 of window 1, stage 0 of window 2 stopped"]


def test_a_run_that_returns_an_earlier_network_says_so() -> None:
    assert "the result is the best one before" in events(run(*TWO, n_parameters=100))[-1][-1]


def test_old_files_without_the_configuration_are_told_as_far_as_they_go() -> None:
    first, second = chapters(record())
    assert (first.steps, first.parameters, first.basis, first.reach, first.density) == (6, 100, None, None, None)
    assert first.seconds == pytest.approx(0.5)
    assert second.estimate == pytest.approx(10**-5.5)  # the last in its rows, for the result is another network
    text = shown(record())
    assert "degree 12" in text
    assert "None" not in text


def test_a_run_without_iterations_has_a_verdict() -> None:
    text = shown(record(history=(), status="interrupted", converged=False, error_estimate=None))
    assert "interrupted; no error estimate yet" in text


def test_told_is_plain() -> None:
    plain = told(run(*TWO))
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert [set(chapter) for chapter in plain] == [{f.name for f in dataclasses.fields(Chapter)}] * 2


def test_equal_events_are_one_sentence() -> None:
    spent = run(*(stage([0.5], stage=k, reach=0.01, overfit=1.0 + k) for k in range(3)))
    assert notes(chapters(spent)) == [f"stages 0, 1, 2 {EXHAUSTION}"]
    many = [dataclasses.replace(BARE, window=1, stage=k, events=(f"event {k}",)) for k in range(NOTES + 5)]
    assert len(notes(many)) == NOTES + 1
    assert notes(many)[0] == "stage 0 of window 1 event 0"
    assert "5 remarks more" in notes(many)[-1]


LONG = tuple(
    stage([0.5**k, 0.4**k], stage=k, parameters=100 * k + 100, overfit=1.0 + k, change="wider, finer", estimate=1e-3)
    for k in range(40)
)


def test_a_long_run_stays_a_page() -> None:
    lines = shown(run(*LONG)).splitlines()
    assert len(lines) <= 30
    assert sum("wider, finer" in line for line in lines) == HEAD + TAIL - 1
    assert any(f"... {40 - HEAD - TAIL} more" in line for line in lines)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_numbers_are_never_cut(width: int) -> None:
    """The table has the columns that fit; a wide console has all of them, with a legend."""
    windows = tuple(row | {"window": 0} for row in itertools.chain(*LONG))
    assert "…" not in shown(record(history=windows), width)
    text = shown(run(*LONG), width)
    assert "…" not in text
    assert all(len(line) <= width for line in text.splitlines())
    assert ("unseen: the residual at new points" in text) == (width >= 100)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"error_estimate": 2e-7}, "converged: 1.5 times the estimated error, 3.0e-07, is below 1.0e-06"),
        (
            {"status": "out of time", "converged": False},
            "out of time, give it more; the estimated error is 2.9e-09 so far",
        ),
        ({"status": "running", "converged": False, "error_estimate": None}, "not finished; no error estimate yet"),
        ({"status": "too few points: give more", "converged": False}, "too few points: give more"),
    ],
)
def test_verdicts(changes: dict[str, Any], words: str) -> None:
    assert verdict(record(**changes)) == words


def test_only_what_is_unfinished_goes_on() -> None:
    waiting = record(status="running", converged=False)
    assert resuming(waiting, Path("r/poisson-checkpoint.h5")) == "kanpde solve FILE --out r --resume"
    assert resuming(waiting, Path("r/mine.h5")) == 'kp.solve(problem, checkpoint="r/mine.h5", resume=True)'
    assert "--resume" in shown(waiting)
    assert "--resume" not in shown(record())


def test_the_network_is_told_as_it_began_and_as_it_ended() -> None:
    layers = [{"sums": 6, "products": 6}, {"sums": 1, "products": 0}]
    grown = {"title": "KAN [2, [4, 4], 1], chebyshev", "layers": layers}
    assert "KAN [2, [4, 4], 1], chebyshev, grown to [6, 6]; [n, m]: n sums and m products" in shown(
        record(network=grown), 120
    )
    layers[0] = {"sums": 4, "products": 4}
    assert "grown" not in shown(record(network=grown), 120)


def test_conditions_and_problem_in_a_line() -> None:
    text = "poisson\n  equation   u_xx = 1\n  condition  u = 0 on x = 0\n  condition  u = 1 on x = 1"
    told_text = shown(record(problem_text=text, field={"kept": [1, 2]}))
    assert "u of x, y: 1 equation, 2 conditions; relative error below 1.0e-06" in told_text
    assert "1 of 2 exact, 1 by least squares" in told_text


# --- what the driver writes ----------------------------------------------------------------------------------------


class Prompted(Estimator):
    """An estimator that says what the test wants, one verdict an estimate, and then nothing that can be trusted."""

    verdicts: Sequence[float | None] = ()

    def __call__(self, field: TrainedField) -> DefectEstimate | None:  # noqa: ARG002
        now, Prompted.verdicts = (Prompted.verdicts or [None])[0], Prompted.verdicts[1:]
        return DefectEstimate(None, now or math.nan, now, now is not None, "as the test wishes", (), 0.0)


def driven(monkeypatch: pytest.MonkeyPatch, verdicts: Sequence[float | None], last: int) -> Record:
    """The record of a small run whose estimates are made up, ended in the first step of a stage."""
    monkeypatch.setattr(judgement, "Estimator", Prompted)
    monkeypatch.setattr(judgement, "CHECK", 10**9)
    monkeypatch.setattr(judgement, "PROMISING", 1e9)
    monkeypatch.setattr(training, "FEWEST", 4)
    monkeypatch.setattr(Prompted, "verdicts", verdicts)
    network = kp.KAN([2, 2, 1], "chebyshev", degree=3)
    return kp.solve(cases.load("poisson"), 1e-9, network=network, callback=until(last)).record


def until(last: int) -> Callable[[dict[str, Any]], None]:
    def stop(row: dict[str, Any]) -> None:
        if row["stage"] == last:
            raise KeyboardInterrupt

    return stop


def test_the_drivers_setback_is_read_from_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = chapters(driven(monkeypatch, [1e-4, 1e-2], 2))
    assert (first.estimate, first.fell > 1, second.estimate) == (1e-4, True, None)
    assert any(event.startswith("was given up") for event in second.events)
    assert not any("given up" in event for event in (*first.events, *third.events))
    assert third.density == 2 * second.density


def test_the_drivers_starts_are_read_from_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    left = driven(monkeypatch, [], 1)
    told_chapters = chapters(left)
    assert [c.change for c in told_chapters] == ["start", "another start", "another start", "finer"]
    assert sum(c.steps for c in told_chapters) == left.iterations
    assert sum(c.seconds or 0.0 for c in told_chapters) == pytest.approx(left.history[-1]["seconds"])
    assert "smallest residual went on" in told_chapters[2].events[-1]
