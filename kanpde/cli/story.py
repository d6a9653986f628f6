"""The story of a run: what each of its stages changed and what came of it, read from the history of its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, TypeGuard

from kanpde.diagnosis import EXHAUSTED
from kanpde.plots.history import Row, stage_starts, starts_afresh, starts_anew
from kanpde.record import Record
from kanpde.training import MOST_POINTS, OVERFIT

EXHAUSTION = f"exhausted the network: its steps could lower the residual² by less than {EXHAUSTED:.0%} more"


@dataclass(frozen=True)
class Chapter:
    """One stage of a run; None where an older file does not say.

    Attributes:
        window: of time, from 1; None without windows.
        stage: its number, from 0.
        change: what it changed: finer, wider, deeper, start.
        basis: of the edges, with their resolution.
        parameters: of the network.
        points: rows of the residual.
        density: collocation points a parameter.
        steps: of the optimiser.
        residual: norm at its end.
        fell: factor by which it lowered the residual, from the end of the stage before where it went on from that.
        estimate: of the relative L2 error at its end, None where none was made or trusted.
        reach: share of the squared residual that steps of this network could still remove, at its end; None where the
            optimiser does not measure it.
        overfit: residual at unseen points over that at its own, at its end.
        seconds: that it took.
        events: what else is to be told of it, in words.
    """

    window: int | None
    stage: Any
    change: str
    basis: str | None
    parameters: int | None
    points: int | None
    density: float | None
    steps: int
    residual: float | None
    fell: float | None
    estimate: float | None
    reach: float | None
    overfit: float | None
    seconds: float | None
    events: tuple[str, ...] = ()


Stretch = Sequence[Row]


def told(record: Record) -> list[dict[str, Any]]:
    """The chapters of a run as plain dictionaries, for programs."""
    return [{**asdict(chapter), "events": list(chapter.events)} for chapter in chapters(record)]


def chapters(record: Record) -> tuple[Chapter, ...]:
    """The stages of a run in the order in which they were run."""
    rows = record.history
    starts = [*stage_starts(rows), len(rows)]
    stretches = [rows[a:b] for a, b in pairwise(starts)]
    padded: list[Stretch | None] = [None, *stretches, None]
    found = [_chapter(before, own, after) for before, own, after in zip(padded, stretches, padded[2:], strict=False)]
    return tuple(_returned(found, record))


def _chapter(before: Stretch | None, own: Stretch, after: Stretch | None) -> Chapter:
    first, last = own[0], own[-1]
    previous = None if before is None or starts_anew(before[-1], first) else before[-1]
    following = None if after is None or starts_anew(last, after[0]) else after[0]
    residual = _residual(last)
    return Chapter(
        window=None if "window" not in first else first["window"] + 1,
        stage=first.get("stage"),
        change=_change(previous, first),
        basis=first.get("basis"),
        parameters=first.get("parameters"),
        points=first.get("rows"),
        density=first.get("density"),
        steps=len(own),
        residual=residual,
        fell=_ratio(_residual(previous if _goes_on(previous, first) else first), residual),
        estimate=_estimate(own, following),
        reach=_reach(last),
        overfit=None if following is None else following.get("overfit"),
        seconds=_elapsed(previous, last),
        events=tuple(_events(previous, own, following)),
    )


def _change(previous: Row | None, first: Row) -> str:
    if previous is None:
        return "start"
    return "another start" if starts_afresh(previous, first) else str(first.get("change", ""))


def _goes_on(previous: Row | None, first: Row) -> TypeGuard[Row]:
    """Whether a stage begins with the network that the one before ended with."""
    return previous is not None and not starts_afresh(previous, first) and not given_up(previous, first)


def _residual(row: Row) -> float | None:
    """|r|, the root of twice the loss."""
    loss = row.get("loss")
    return None if loss is None or not loss >= 0 else float((2 * loss) ** 0.5)


def _ratio(before: float | None, after: float | None) -> float | None:
    return None if before is None or not after else before / after


def _reach(last: Row) -> float | None:
    """Optimisers that do not measure it leave exactly one."""
    reach = last.get("reach", 1.0)
    return float(reach) if reach < 1.0 else None


def _elapsed(previous: Row | None, last: Row) -> float | None:
    now, then = last.get("seconds"), 0.0 if previous is None else previous.get("seconds")
    return None if now is None or then is None else float(now - then)


def _estimate(own: Stretch, following: Row | None) -> float | None:
    """The estimate at the end of a stage: it stands in the row after it, for it is made when the stage is over.

    Within a stage a row repeats the last estimate, so only one that differs from that of the first row is its own.
    """
    last, first = own[-1].get("estimate"), own[0].get("estimate")
    if following is not None:
        return None if given_up(own[-1], following) else following.get("estimate")
    return last if last != first else None


def given_up(last: Row, following: Row) -> bool:
    """Whether a stage was undone: for its estimate the driver takes twice as many points, and once more for overfit."""
    if not last.get("density") or not following.get("density"):
        return False
    own = 2.0 if following.get("overfit", 1.0) > OVERFIT and last["density"] < MOST_POINTS else 1.0
    return bool(following["density"] >= 1.5 * own * last["density"])


def _events(previous: Row | None, own: Stretch, following: Row | None) -> list[str]:
    """What the numbers say beside the residual, each in a sentence that follows the number of the stage."""
    first, last = own[0], own[-1]
    return [
        text
        for text in (
            _beginning(previous, first),
            _exhausted(last),
            _stopped(last),
            "" if following is None else _ending(last, following),
            "" if following is None or previous is None else _chosen(previous, last, following),
        )
        if text
    ]


def _beginning(previous: Row | None, first: Row) -> str:
    """A coarse solution as the start shows itself by steep places, or by layers that no stage added."""
    steep, before = first.get("steep", 0), {} if previous is None else previous
    grew = first.get("depth", 0) > before.get("depth", 99) and "deeper" not in first.get("change", "")
    if steep > before.get("steep", 0):
        return "began with a network whose inputs are stretched where a coarse solution is steep"
    return "began with a network fitted to a coarse solution" if grew else ""


def _exhausted(last: Row) -> str:
    return EXHAUSTION if last.get("reach", 1.0) < EXHAUSTED else ""


def _stopped(last: Row) -> str:
    message = str(last.get("message") or "")
    return f"stopped: {message.partition(':')[0]}" if message else ""


def _ending(last: Row, following: Row) -> str:
    """Why the next stage did not simply go on from here."""
    if starts_afresh(last, following):
        return "had no trusted error estimate: the next network is another random start"
    if given_up(last, following):
        return "was given up, its error was worse: the next one began from the best, with twice the points a parameter"
    overfit = following.get("overfit", 1.0)
    if overfit > OVERFIT and following.get("density", 0) > last.get("density", 0):
        return f"had {overfit:.0f} times the residual at new points: the next one has twice as many a parameter"
    return ""


def _chosen(previous: Row, last: Row, following: Row) -> str:
    """After the last of several starts without a trusted estimate, the one with the smallest residual goes on."""
    several = last.get("stage") == previous.get("stage") == 0 and following.get("stage") == 1
    doubtful = several and following.get("estimate") is None
    return "had no trusted error estimate either: the start with the smallest residual went on" if doubtful else ""


def _returned(found: Sequence[Chapter], record: Record) -> list[Chapter]:
    """The chapters with the final estimate where it belongs: to the network that is the result."""
    if not found or record.network.get("windows"):
        return list(found)
    last = found[-1]
    if last.parameters in (None, record.n_parameters):
        return [*found[:-1], replace(last, estimate=record.error_estimate)]
    return [*found[:-1], replace(last, events=(*last.events, "was no better: the result is the best one before"))]
