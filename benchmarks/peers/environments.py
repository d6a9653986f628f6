"""Virtual environments of the peers, made from PyPI with the exact versions in requirements/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path.home() / ".cache" / "kanpde-peers"
OWN = "kanpde"  # the environment that the driver itself runs in
MARK = "installed.txt"  # in an environment that is complete: the requirements that it was made from


def requirements(name: str) -> Path:
    """The file with a library's versions, of everything that it depends on, too."""
    return HERE / "requirements" / f"{name}.txt"


def interpreter(name: str, directory: Path) -> Path:
    """The Python of an environment."""
    if name == OWN:
        return Path(sys.executable)
    return directory / name / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def commands(name: str, directory: Path) -> list[list[str]]:
    """What makes an environment; nothing for our own.

    A fixed list of versions is installed without looking for dependencies, for pykan declares none of its own.
    """
    if name == OWN:
        return []
    python = str(interpreter(name, directory))
    return [
        [sys.executable, "-m", "venv", "--clear", str(directory / name)],
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(requirements(name))],
    ]


def complete(name: str, directory: Path) -> bool:
    """Whether an environment is there, made from the present requirements."""
    mark = directory / name / MARK
    return name == OWN or (mark.exists() and mark.read_bytes() == requirements(name).read_bytes())


def made(name: str, directory: Path) -> Path:
    """The Python of an environment, which is made if it is not there.

    Raises:
        CalledProcessError: it cannot be made.
    """
    if not complete(name, directory):
        directory.mkdir(parents=True, exist_ok=True)
        for command in commands(name, directory):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        (directory / name / MARK).write_bytes(requirements(name).read_bytes())
    return interpreter(name, directory)
