"""What every benchmark says about itself: machine, threads, commit, command, date."""

from __future__ import annotations

import platform
import shlex
import sys
from pathlib import Path

import torch

from kanpde.provenance import provenance

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"


def processor() -> str:
    """The name of the processor, as Linux tells it; elsewhere what Python knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def about() -> dict[str, str]:
    """Everything that one needs to make a figure again, as texts."""
    origin = provenance()
    command = f"python -m benchmarks.{Path(sys.argv[0]).stem} {shlex.join(sys.argv[1:])}".strip()
    machine = f"{origin['machine']}, {processor()}"
    return {**origin, "command": command, "machine": machine, "threads": str(torch.get_num_threads())}
