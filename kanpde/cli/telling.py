"""How the story of a run is printed: what was chosen, a row for each stage, what is odd, the verdict and the cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from kanpde.cli.report import number, print_line, print_pairs, seconds
from kanpde.cli.results import Files
from kanpde.cli.story import Chapter, chapters
from kanpde.plots.history import Row
from kanpde.record import SAFETY, UNFINISHED, Record

HEAD, TAIL = 3, 9  # rows of the table that are shown of a long run
NOTES = 6  # sentences that are
ENDLESS = 10_000  # columns of a console on which nothing needs to be cut


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        heading: above it.
        cell: what stands in it.
        legend: what its numbers are, where the heading does not say.
    """

    heading: str
    cell: Callable[[Chapter], str]
    legend: str = ""


def print_story(console: Console, record: Record, path: Path) -> None:
    """Tells a run on a page.

    Args:
        console: where.
        record: what the run left.
        path: of its file, for the command that goes on with it.
    """
    found = chapters(record)
    print_pairs(console, "the story of this run", opening(record))
    if found:
        _print_stages(console, found)
    for note in notes(found):
        console.print(Text(note))
    print_pairs(console, "", [("verdict", verdict(record)), ("cost", _cost(record))])
    if record.status in UNFINISHED:
        print_line(console, f"go on with {resuming(record, path)}")


def _print_stages(console: Console, found: Sequence[Chapter]) -> None:
    columns = fitting(console, found)
    console.print(stage_table(found, columns))
    for legend in (f"{c.heading}: {c.legend}" for c in columns if c.legend):
        console.print(Text(legend, style="dim"))


def opening(record: Record) -> list[tuple[str, str]]:
    """The problem in a line, and what the run chose for it."""
    pairs = [("problem", _problem(record)), ("network", _network(record))]
    kept = record.field.get("kept")
    if kept and kept[1]:
        pairs.append(("conditions", _conditions(*kept)))
    if record.history and "sampling" in record.history[0]:
        pairs.append(("points", _points(record.history[0])))
    return pairs


def _problem(record: Record) -> str:
    kinds = [line.split()[0] for line in record.problem_text.splitlines() if line.strip()]
    counts = [_counted(kinds.count(kind), kind) for kind in ("equation", "condition") if kind in kinds]
    about = f": {', '.join(counts)}" if counts else ""
    names = f"{', '.join(record.unknowns)} of {', '.join(record.coordinates)}"
    return f"{names}{about}; relative error below {record.rtol:.1e}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _network(record: Record) -> str:
    """The title of a network is that of its start; nodes that were added are told beside it."""
    title = str(record.network.get("title", "network"))
    hidden = [layer for layer in record.network.get("layers", ())[:-1] if "sums" in layer]
    nodes = [[n["sums"], n["products"]] if n["products"] else n["sums"] for n in hidden]
    written = ", ".join(map(str, nodes))
    paired = "; [n, m]: n sums and m products" if any(n["products"] for n in hidden) else ""
    return f"{title}{'' if not hidden or f', {written}, ' in title else f', grown to {written}'}{paired}"


def _conditions(exact: int, count: int) -> str:
    soft = count - exact
    return f"{exact} of {count} exact{f', {soft} by least squares' if soft else ''}"


def _points(row: Row) -> str:
    engine = row.get("optimizer", "auto")
    own = "" if engine == "auto" else f"; optimizer {engine}"
    return f"drawn by {row['sampling']}, {row['density']:.2g} a parameter at first{own}"


def _plain(value: object) -> str:
    return "" if value is None else str(value)


def _small(value: float | None) -> str:
    return "" if value is None else number(value)


def _factor(value: float | None) -> str:
    if value is None:
        return ""
    if value < 1 or value >= 1e4:
        return f"{value:.1g}x"
    return f"{value:.1f}x" if value < 10 else f"{value:.0f}x"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.{0 if value >= 0.1 else 1}f}%"


FELL = Column("fell", lambda c: _factor(c.fell), "the residual, by this factor since the stage before")
REACH = Column(
    "reach", lambda c: _share(c.reach), "of the squared residual, what steps of this network can still remove"
)
UNSEEN = Column("unseen", lambda c: _factor(c.overfit), "the residual at new points over that at its own")
POINTS = Column("points", lambda c: _plain(c.points))
SPARED = (UNSEEN, REACH, FELL, POINTS)  # where there is little room, the first ones first
COLUMNS = (
    Column("window", lambda c: _plain(c.window)),
    Column("stage", lambda c: f"{_plain(c.stage)} {c.change}".strip()),
    Column("edges", lambda c: _plain(c.basis)),
    Column("parameters", lambda c: _plain(c.parameters)),
    POINTS,
    Column("steps", lambda c: _plain(c.steps)),
    Column("residual", lambda c: _small(c.residual)),
    FELL,
    Column("estimate", lambda c: _small(c.estimate)),
    REACH,
    UNSEEN,
    Column("seconds", lambda c: "" if c.seconds is None else seconds(c.seconds)),
)
TEXTS = ("stage", "edges")  # headings of columns that are no numbers


def fitting(console: Console, found: Sequence[Chapter]) -> list[Column]:
    """The columns that say something; where the console is too narrow for all, some are left out."""
    told = [column for column in COLUMNS if any(column.cell(chapter) for chapter in found)]
    wide = console.options.update(max_width=ENDLESS)
    for k in range(len(SPARED) + 1):
        columns = [column for column in told if column not in SPARED[:k]]
        if Measurement.get(console, wide, stage_table(found, columns)).maximum <= console.width:
            break
    return columns


def stage_table(found: Sequence[Chapter], columns: Sequence[Column]) -> Table:
    """One row a stage; of a long run those at the beginning and at the end."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(column.heading, justify="left" if column.heading in TEXTS else "right", no_wrap=True)
    rows = [[column.cell(chapter) for column in columns] for chapter in found]
    more = len(rows) - HEAD - TAIL
    if more > 1:
        gap = [f"... {more} more" if column.heading == "stage" else "" for column in columns]
        rows = [*rows[:HEAD], gap, *rows[-TAIL:]]
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def notes(found: Sequence[Chapter]) -> list[str]:
    """What is to be told beside the numbers: a sentence for each event, with all the stages that it befell."""
    events = dict.fromkeys(event for chapter in found for event in chapter.events)
    said = [f"{_named([c for c in found if event in c.events])} {event}" for event in events]
    more = len(said) - NOTES
    return said if more <= 1 else [*said[:NOTES], f"... and {more} remarks more; --json has them all"]


def _named(befallen: Sequence[Chapter]) -> str:
    """The stages by their numbers, each once, window by window."""
    windows = dict.fromkeys(chapter.window for chapter in befallen)
    stages = [list(dict.fromkeys(str(c.stage) for c in befallen if c.window == window)) for window in windows]
    named = [f"stage{'' if len(own) == 1 else 's'} {', '.join(own)}" for own in stages]
    places = ["" if window is None else f" of window {window}" for window in windows]
    return ", ".join(name + place for name, place in zip(named, places, strict=True))


def verdict(record: Record) -> str:
    """Why the run ended, in words; those of the driver name the cure."""
    estimate = record.error_estimate
    if record.converged and estimate is not None:
        return f"converged: {SAFETY} times the estimated error, {SAFETY * estimate:.1e}, is below {record.rtol:.1e}"
    reached = "no error estimate yet" if estimate is None else f"the estimated error is {estimate:.1e} so far"
    words = {"running": "not finished", "interrupted": "interrupted", "out of time": "out of time, give it more"}
    return f"{words[record.status]}; {reached}" if record.status in words else record.status


def _cost(record: Record) -> str:
    own = f"{seconds(record.seconds)} s for {_counted(record.iterations, 'step')}"
    beside = record.conventional or {}
    return own if beside.get("seconds") is None else f"{own}; {beside['name']} took {seconds(beside['seconds'])} s"


def resuming(record: Record, path: Path) -> str:
    """The command that goes on with a file; a script does so with files of any name."""
    files = Files(path.parent, record.problem_name)
    if path in (files.checkpoint, files.solution):
        return f"kanpde solve FILE --out {path.parent} --resume"
    return f'kp.solve(problem, checkpoint="{path}", resume=True)'
