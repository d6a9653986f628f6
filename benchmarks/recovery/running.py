"""One case, one method, in a process of its own with a hard limit of time: a row of plain values."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from benchmarks.common import processor
from benchmarks.peers.measure import DONE, last_line, objects, ran
from benchmarks.recovery import judge
from benchmarks.recovery.case import Case
from benchmarks.recovery.methods import Method, complexes
from kanpde.expression import from_tree
from kanpde.provenance import provenance

Row = dict[str, Any]
LONGEST = 2000  # characters of a formula that a row keeps
FACTS = ("converged", "error_estimate", "parameters", "residual", "test_rms")


def measured(case: Case, method: Method, seed: int, solving: float, environments: Path) -> Row:
    """Runs and judges."""
    clock = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            command = method.command(case, seed, solving, environments, Path(scratch))
            clock = time.perf_counter()
            output, status = ran(command, method.seconds)
        except subprocess.CalledProcessError as error:
            output, status = "", f"failed: no environment: {last_line(error.stderr)}"
    return {**described(case), "seconds": time.perf_counter() - clock, **judgement(case, method, output, status)}


def described(case: Case) -> Row:
    """What a row says of its case, and of where it was made."""
    origin = provenance()
    about = {"commit": origin["commit"], "date": origin["date"], "machine": f"{origin['machine']}, {processor()}"}
    exact = "; ".join(map(str, case.formulas))
    own = {"name": case.name, "part": case.part, "natural": case.natural, "exact": exact}
    return {**own, "operations_exact": operations(case.formulas), **about}


def judgement(case: Case, method: Method, output: str, status: str) -> Row:
    """What a process printed, judged; a process that was stopped or fell has no formula, but its times count."""
    facts = {key: value for line in objects(output.splitlines()) for key, value in line.items()}
    found = formulas(case, facts["trees"]) if status == DONE and "trees" in facts else None
    proved = bool(facts.get("proved", False)) and found is not None
    row = {
        "status": status,
        "seconds_solve": facts.get("seconds_solve", float("nan")),
        "seconds_symbolic": facts.get("seconds_symbolic", float("nan")),
        "formula": ("; ".join(map(str, found)) if found else str(facts.get("said", "")))[:LONGEST],
        "operations": operations(found) if found else -1,
        "proved": proved,
        "open": json.dumps(facts.get("open", [])),
        "trees": json.dumps(facts["trees"] if found else []),
    }
    return {**row, **verdicts(case, method, found, proved), **{key: number(facts.get(key)) for key in FACTS}}


def verdicts(case: Case, method: Method, found: Sequence[sp.Expr] | None, proved: bool) -> Row:
    """The judge's part of a row."""
    verdict = judge.judged(found, case, proved)
    row = {"outcome": verdict.outcome, "difference": verdict.difference, "digits": verdict.digits}
    algebra = {"simplified": shown(found, case, verdict)}
    return {**row, **algebra, "rounded": rounded(found, case, verdict) if method.rounds else ""}


def rejudged(row: Row, case: Case, method: Method) -> Row:
    """A row with a new verdict on the formula that it holds."""
    trees = json.loads(row["trees"])
    return {**row, **verdicts(case, method, formulas(case, trees) if trees else None, bool(row["proved"]))}


def number(value: object) -> float:
    """A fact as a number, NaN where it is not known."""
    return float(value) if isinstance(value, int | float) else float("nan")


def formulas(case: Case, trees: Sequence[Any]) -> list[sp.Expr]:
    """One formula an unknown; of a complex unknown that has two, real and imaginary part, their sum."""
    parts = iter([sp.sympify(from_tree(tree)) for tree in trees])
    if len(trees) == len(case.exact):
        return list(parts)
    return [next(parts) + sp.I * next(parts) if is_complex else next(parts) for is_complex in complexes(case)]


def operations(found: Sequence[sp.Expr]) -> int:
    """How complex formulas are."""
    return int(sum(sp.count_ops(formula) for formula in found))


def shown(found: Sequence[sp.Expr] | None, case: Case, verdict: judge.Verdict) -> bool:
    """Whether algebra shows the formula to be the closed form; tried only where values agree."""
    if found is None or verdict.outcome != judge.RECOVERED:
        return False
    return bool(judge.within(judge.SIMPLIFYING, judge.simplifies, list(found), list(case.formulas)))


def rounded(found: Sequence[sp.Expr] | None, case: Case, verdict: judge.Verdict) -> str:
    """The outcome after its constants were rounded, the better of the two."""
    if found is None or verdict.outcome == judge.RECOVERED:
        return verdict.outcome
    points = np.asarray(judge.sample(case))
    arguments = (list(found), list(case.formulas), case.problem.coordinates, points)
    best = judge.within(judge.ROUNDING, judge.rounded_outcome, *arguments)
    ranked = (judge.RECOVERED, judge.NUMERIC, judge.CLOSE, judge.WRONG)
    return min(verdict.outcome, best or judge.WRONG, key=ranked.index)
