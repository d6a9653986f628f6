"""Where a result comes from: versions, commit, command, date, machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

LIBRARIES = ("kanpde", "numpy", "scipy", "sympy", "torch", "h5py")


def provenance() -> dict[str, str]:
    """Everything that one needs to make a result again, as texts."""
    versions = {name: _version(name) for name in LIBRARIES}
    return {
        **versions,
        "python": platform.python_version(),
        "commit": _commit(Path(__file__).parents[1]),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _commit(root: Path) -> str:
    """The commit of a clone, with "-dirty" when it has been changed; "none" outside of one."""
    if not (root / ".git").exists():
        return "none"
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
