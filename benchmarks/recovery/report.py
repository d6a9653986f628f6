"""The report of the study: what was recovered, by part and by problem, beside pykan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.recovery import rates
from benchmarks.recovery.case import EQUATIONS, REGRESSION
from benchmarks.recovery.judge import CLOSE, FALSE_PROOF, NONE, NUMERIC, RECOVERED, WRONG
from benchmarks.recovery.rates import Share
from benchmarks.recovery.running import Row
from kanpde.studies.book import Book
from kanpde.studies.document import Curve, Page, Plot, Section, Table
from kanpde.studies.page import write as written
from kanpde.studies.reporting import texts

OUTCOMES = (RECOVERED, NUMERIC, CLOSE, WRONG, FALSE_PROOF, NONE)
PARTS = {EQUATIONS: (EQUATIONS,), REGRESSION: (REGRESSION,), "both": (EQUATIONS, REGRESSION)}
LENGTH = 160  # characters of a formula in a table
OWN = "kanpde"
WITHOUT = ("trees",)  # columns that other programs have no use for

SUMMARY = (
    "Problems with known closed forms were solved, or fitted, and the trained networks read back as formulas. This is "
    "no test of discovery: a closed form exists by construction, it is made of elementary functions, and there is no "
    "noise. It says how often reading works where it can work.",
    "The suite was written from textbooks and the literature and fixed before the search was run on it. The "
    "method is given the problem without its solution. In the manufactured problems the source and the data on the "
    "boundary spell the solution out; in the natural ones they do not; a regression is nothing but its formula.",
    "The judge takes no part in the search. `recovered`: the largest difference at 1000 random points, relative to "
    "the largest value, is below 1e-9. `numerically right`: below 1e-6; `close`: below 1e-3; `wrong`: above, but the "
    "method did not say that it was exact. `false proof`: the method called it proved and the difference is above "
    "1e-9. `none`: no formula, with the reason. Intervals are Wilson's, 95 %.",
)
ROUNDS = (
    "The first round is the blind one: the search had never been run on the suite, but for one easy regression that "
    "was used to try the runner. Then the problems that the first round had missed, or had not proved, were looked "
    "at. What they showed was mended where it was general: square roots of rationals and shifted phases as constants, "
    "numbers that only a condition determines, signs that the domain fixes, conditions that weighed nothing beside an "
    "equation that holds whatever the numbers are. Proofs got stricter in between: poles, kinks and waves that were "
    "taken for positive numbers. Later rounds are no longer blind; the tables above show the last one.",
)
PEER = (
    "pykan 0.2.8 is given an easier task: the values of the closed form at 1000 points, for the problems with "
    "equations, too, for its training on equations is slower. Its steps are those of its own example, hellokan, with a "
    "network [d, 5, c] and all of its library; `pykan-small` has two hidden nodes. Where its values are no longer "
    "numbers afterwards, it reads once more with the example's ten functions, or trains with a second seed. It has "
    "180 s of wall time on one core; kanpde has 120 s, of which at most 30 s to solve. pykan's constants are decimals. "
    "`rounded` counts what is equal "
    "after rounding them: by tolerances of 1e-3 to 1e-6, to rationals and roots, with π or √2 among them, with the "
    "formula expanded or not; the best of all of these counts.",
)


def write(book: Book) -> list[Path]:
    """The report in both forms, and the table as a CSV file."""
    rows = [{key: value for key, value in row.items() if key not in WITHOUT} for row in book.rows.values()]
    return [*written(page(rows, texts(book.about)), book.path.with_suffix("")), book.write_csv(rows)]


def page(rows: Sequence[Row], about: Mapping[str, str]) -> Page:
    """The document."""
    found = rates.latest(rows)
    sections = [overview(found), spent(found)]
    sections += [one_method(name, list(found[name].values())) for name in found]
    sections += [rounds(rows)] if len({row["round"] for row in rows}) > 1 else []
    return Page("How often a network is read back as its formula", SUMMARY, tuple(sections), origin(rows, about))


def origin(rows: Sequence[Row], about: Mapping[str, str]) -> dict[str, str]:
    """Where the rows come from; they may be of several commits, of which the first and the last are named."""
    dated = sorted(rows, key=lambda row: str(row["date"]))
    methods = " ".join(dict.fromkeys(str(row["method"]) for row in rows))
    own = {key: span([str(row[key]) for row in dated]) for key in ("commit", "machine", "date")}
    return {**about, **own, "command": f"python -m benchmarks.recovery --method {methods}"}


def span(values: Sequence[str]) -> str:
    """The first and the last of several values, or the one that all are."""
    return " to ".join(dict.fromkeys([*values[:1], *values[-1:]]))


def overview(found: Mapping[str, Mapping[str, Row]]) -> Section:
    """Rates by part, outcomes, and the methods side by side."""
    items: tuple[Plot | Table, ...] = (shares(found), outcomes(found), *pairs(found), differences(found))
    return Section("How often", PEER, items)


def part_of(rows: Mapping[str, Row], part: str) -> list[Row]:
    """The rows of a part."""
    return [row for row in rows.values() if row["part"] in PARTS[part]]


def shares(found: Mapping[str, Mapping[str, Row]]) -> Table:
    """Recovered, rounded, proved."""
    rows = []
    for name, own in found.items():
        for part in PARTS:
            chosen = part_of(own, part)
            proved = rates.share(sum(bool(row["proved"]) for row in chosen), len(chosen))
            parts: list[Share] = [rates.recovered(chosen), rates.recovered_rounded(chosen), proved]
            rows.append((name, part, *(p.text for p in parts)))
    columns = ("method", "part", "recovered", "recovered, rounded", "proved")
    return Table("Recovered formulas", columns, tuple(rows), "Rounding concerns methods whose constants are decimals.")


def outcomes(found: Mapping[str, Mapping[str, Row]]) -> Table:
    """How often each outcome occurs."""
    rows = []
    for name, own in found.items():
        for part in PARTS:
            counts = rates.counted(part_of(own, part))
            rows.append((name, part, *(counts[outcome] for outcome in OUTCOMES)))
    return Table("Outcomes", ("method", "part", *OUTCOMES), tuple(rows), "As the formulas were found, not rounded.")


def pairs(found: Mapping[str, Mapping[str, Row]]) -> list[Table]:
    """Ours beside each other method."""
    if OWN not in found:
        return []
    rows = [(name, *rates.beside(found[OWN], own)) for name, own in found.items() if name != OWN]
    columns = ("other method", "both", "kanpde alone", "the other alone", "neither")
    return [Table("Problems recovered by two methods", columns, tuple(rows), "Those of the other may be rounded.")]


def differences(found: Mapping[str, Mapping[str, Row]]) -> Plot:
    """The share of problems with no larger difference."""
    curves = [Curve(name, *rates.below(list(own.values())), style="step") for name, own in found.items()]
    caption = "Left of 1e-9: recovered. Curves end below 1 where there was no formula."
    title, x, y = "Differences from the closed form", "relative difference", "share of problems"
    return Plot(title, x, y, tuple(curves), caption, log="x", marks=((1e-9, "recovered"), (1e-3, "close")))


def spent(found: Mapping[str, Mapping[str, Row]]) -> Section:
    """Seconds."""
    rows = []
    for name, own in found.items():
        for part in PARTS:
            chosen = part_of(own, part)
            times = [rates.spread(float(row[key]) for row in chosen) for key in ("seconds_solve", "seconds_symbolic")]
            rows.append((name, part, *times))
    columns = ("method", "part", "training", "reading")
    caption = "Median and quartiles, one thread; runs that were stopped count as far as they came."
    return Section("Seconds", (), (Table("Seconds of training and of reading", columns, tuple(rows), caption),))


def one_method(name: str, rows: Sequence[Row]) -> Section:
    """Every problem of a method."""
    columns = ("problem", "natural", "outcome", "rounded", "proved", "by algebra", "difference", "operations", "of")
    cells = [
        (
            str(row["name"]),
            bool(row["natural"]),
            str(row["outcome"]),
            str(row["rounded"]) or None,
            bool(row["proved"]),
            bool(row["simplified"]),
            float(row["difference"]),
            int(row["operations"]) if row["operations"] >= 0 else None,
            int(row["operations_exact"]),
            float(row["seconds"]),
            str(row["status"]),
        )
        for row in rows
    ]
    caption = "Operations of the formula and of the closed form; by algebra: SymPy simplifies their difference to 0."
    table = Table(f"Problems, {name}", (*columns, "seconds", "status"), tuple(cells), caption)
    return Section(f"Problem by problem: {name}", (), (table, formulas(name, rows)))


def formulas(name: str, rows: Sequence[Row]) -> Table:
    """What was found, and what was to be found."""
    cells = [(str(r["name"]), short(str(r["exact"])), short(str(r["formula"])) or None) for r in rows]
    return Table(f"Formulas, {name}", ("problem", "closed form", "found"), tuple(cells))


def short(text: str) -> str:
    """A formula on one line, cut off where it is long."""
    line = " ".join(text.split())
    return f"`{line}`" if 0 < len(line) <= LENGTH else f"`{line[:LENGTH]}…`" if line else ""


def rounds(rows: Sequence[Row]) -> Section:
    """What changed from the first, blind round to later ones."""
    cells = []
    for number in sorted({int(row["round"]) for row in rows}):
        own = [row for row in rates.of_round(rows, number) if row["method"] == OWN and not row["seed"]]
        for part in PARTS if own else ():
            chosen = part_of({str(row["name"]): row for row in own}, part)
            proved = rates.share(sum(bool(row["proved"]) for row in chosen), len(chosen))
            commits = ", ".join(sorted({str(row["commit"]) for row in chosen}))
            cells.append((number, part, rates.recovered(chosen).text, proved.text, commits))
    columns = ("round", "part", "recovered", "proved", "commit")
    return Section("Rounds", ROUNDS, (Table("Recovered by round", columns, tuple(cells)),))
