"""The live line of a run, and above it a line for each new stage. Silent when nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from kanpde.plots.history import begins_stage, stage_words

Row = Mapping[str, Any]


@contextmanager
def live(console: Console, title: str) -> Iterator[Callable[[Row], None] | None]:
    """A callback for `solve` that keeps one line up to date, or None when the console is no terminal.

    What a stage changes, and what an optimiser has to say, is printed once and stays.
    """
    if not console.is_terminal:
        yield None
        return
    spinner = Spinner("dots", text=Text(f"{title}: compiling"))
    seen: list[Row] = []
    with Live(spinner, console=console, refresh_per_second=8, transient=True) as display:

        def update(row: Row) -> None:
            for line in news(seen[-1] if seen else None, row):
                display.console.print(f"{title}: {line}", style="dim", markup=False, highlight=False)
            seen[:] = [row]
            spinner.update(text=Text(f"{title}: {progress_line(row)}"))

        yield update


def news(before: Row | None, row: Row) -> list[str]:
    """What is to be told once, when a row follows another: a new stage, and why an optimiser stopped."""
    message = str(row.get("message") or "")
    told = [stage_words(row)] if before is None or begins_stage(before, row) else []
    return [*told, message] if message and (before is None or message != before.get("message")) else told


def progress_line(row: Row) -> str:
    """One row of the history as one reads it.

    Example:
        >>> progress_line({"stage": 2, "iteration": 31, "loss": 4.2e-9, "parameters": 360, "seconds": 61.2})
        'stage 2, iteration 31, loss 4.2e-09, 360 parameters, 0:01:01'
    """
    parts = [f"stage {row['stage']}", f"iteration {row['iteration']}", f"loss {row['loss']:.1e}"]
    if row.get("estimate") is not None:
        parts.append(f"error about {row['estimate']:.1e}")
    if row.get("parameters") is not None:
        parts.append(f"{row['parameters']} parameters")
    if row.get("seconds") is not None:
        parts.append(str(timedelta(seconds=int(row["seconds"]))))
    return ", ".join(parts)
