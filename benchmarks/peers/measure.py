"""One run of one method, in a process of its own, as a row of plain values."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import HERE, OWN, made, requirements
from benchmarks.peers.table import Peer
from benchmarks.runs import ROOT, source_digest

Row = dict[str, Any]
DONE = "done"
SHARED = ("problems.py", "tracing.py")  # what every script needs
PATIENCE, SETTING_UP = 10.0, 300.0  # a run may take so many budgets, and so many seconds more, of wall time
POINT = ("seconds", "iteration", "loss", "relative_l2")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def code(peer: Peer) -> str:
    """A digest of all that a run of a method depends on: another one is measured anew."""
    files = [HERE / f"{peer.library}_run.py", *(HERE / name for name in SHARED)]
    total = hashlib.sha256()
    for path in files if peer.library == OWN else [*files, requirements(peer.library)]:
        total.update(path.read_bytes())
    total.update(source_digest().encode() if peer.library == OWN else b"")
    return total.hexdigest()[:12]


def command(python: Path, peer: Peer, problem: str, seconds: float, seed: int) -> list[str]:
    """What is run."""
    request = [problem, "--seconds", str(seconds), "--seed", str(seed), "--variant", peer.variant]
    return [str(python), "-m", peer.module, *request]


def measured(peer: Peer, problem: str, seconds: float, seed: int, environments: Path) -> Row:
    """A finished run, or one that failed with the reason as its status."""
    own = {"problem": problem, "peer": peer.name, "budget": float(seconds), "seed": seed, "code": code(peer)}
    clock = time.perf_counter()
    try:
        python = made(peer.library, environments)
        clock = time.perf_counter()
        output, status = ran(command(python, peer, problem, seconds, seed), PATIENCE * seconds + SETTING_UP)
    except subprocess.CalledProcessError as error:
        output, status = "", f"no environment: {last_line(error.stderr)}"
    return {**own, "wall_seconds": time.perf_counter() - clock, **parsed(output, status)}


def ran(arguments: Sequence[str], patience: float) -> tuple[str, str]:
    """What a process printed, and "done" or why it failed; one thread, in a directory that is thrown away."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile("w+") as output:
        try:
            done = subprocess.run(
                arguments,
                env=environment,
                cwd=scratch,
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
                timeout=patience,
                check=False,
            )
            status = DONE if done.returncode == 0 else last_line(done.stderr) or f"exit status {done.returncode}"
        except subprocess.TimeoutExpired:
            status = f"stopped after {patience:.0f} s of wall time"
        output.seek(0)  # what was printed before a failure counts
        return output.read(), status


def last_line(text: str | None) -> str:
    """The last line that says something, without the paths of this machine."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[-1].replace(str(ROOT), ".").replace(str(Path.home()), "~") if lines else ""


def parsed(output: str, status: str) -> Row:
    """The points and the facts among the lines of an output; a library may print what it likes in between."""
    said = list(objects(output.splitlines()))
    points = [[float(line[key]) for key in POINT] for line in said if set(POINT) <= set(line)]
    facts = {key: value for line in said if not set(POINT) <= set(line) for key, value in line.items()}
    if status == DONE and not points:
        status = "no error was measured"
    last = points[-1] if points else [0.0, 0.0, float("nan"), float("nan")]
    return {
        "status": status,
        "relative_l2": last[3],
        "seconds": last[0],
        "iterations": int(last[1]),
        "trace": points,
        **facts,
    }


def objects(lines: Iterable[str]) -> Iterable[Row]:
    """The lines that are JSON objects."""
    for line in lines:
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue  # a library's own braces
