"""The user's Python file: run because the user asked for it, with its mistakes told as file and line."""

from __future__ import annotations

import runpy
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kanpde.errors import KanpdeError, ProblemError, ProblemWarning
from kanpde.problem import Problem


def load_problem(path: Path) -> Problem:
    """Runs a file and takes its `problem`. Code under `if __name__ == "__main__"` is not run.

    Raises:
        ProblemError: no such file, it fails (the message has its file:line), or it defines no `problem`.
    """
    if not path.is_file():
        raise ProblemError(f"{path}: no such file. Name a Python file that defines `problem`.")
    names = _run(path)
    if "problem" not in names:
        raise ProblemError(f"{path} defines no `problem`. Add problem = kanpde.Problem(...) at the top level.")
    if not isinstance(names["problem"], Problem):
        raise ProblemError(
            f"{path}: `problem` is of type {type(names['problem']).__name__}; make it a kanpde.Problem(...)."
        )
    return names["problem"]


def _run(path: Path) -> dict[str, Any]:
    """The names that a file defines; its own directory is on the import path while it runs, as `python FILE` has it."""
    directory = str(path.resolve().parent)
    sys.path.insert(0, directory)
    try:
        with users_code(path):
            return runpy.run_path(str(path), run_name="kanpde_problem")
    except ProblemError:
        raise
    except (SyntaxError, ValueError) as error:
        raise ProblemError(f"{path} is no Python file: {_said(error)}") from error
    except SystemExit as error:
        raise ProblemError(f"{path} ends the program itself. Put that under if __name__ == '__main__'.") from error
    finally:
        sys.path.remove(directory)


@contextmanager
def users_code(path: Path) -> Iterator[None]:
    """Turns what the user's own code raises, now or when it is called back, into one line with its file and line.

    Raises:
        ProblemError: an error passed through a line of the file.
    """
    try:
        yield
    except Exception as error:
        line = _line(error, path)
        if line is None:
            raise
        raise ProblemError(f"{path}:{line}: {_said(error)}") from error


def _line(error: BaseException, path: Path) -> int | None:
    """The innermost line of the file that an error passed through."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None


def _said(error: BaseException) -> str:
    """What an error says, on one line; our own need no name of a class before it."""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    text = " ".join(text.split())
    return text if isinstance(error, KanpdeError) else f"{type(error).__name__}: {text}".rstrip(": ")


@contextmanager
def spoken_warnings() -> Iterator[None]:
    """Warnings about the problem go to standard error, one line each; an error speaks alone."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ProblemWarning)
        try:
            yield
        except KanpdeError:
            caught.clear()
            raise
        finally:
            for message in dict.fromkeys(str(w.message) for w in caught):
                print(f"kanpde: warning: {' '.join(message.split())}", file=sys.stderr)
