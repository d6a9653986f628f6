"""How long `import kanpde` takes, beside what it cannot do without.

python -m benchmarks.import_time
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from benchmarks.timing import Gate, Row, in_turns, options, report

LIMIT = 1.5
BASE = "torch and sympy"
IMPORTS = {
    BASE: "import torch, sympy",
    "kanpde": "import torch, sympy, kanpde",
    "kanpde and its solve": "import torch, sympy, kanpde; kanpde.solve",
    "nothing": "pass",
}


def main() -> int:
    """Times fresh processes, less the start of Python itself; writes results/import_time.json."""
    given = options("import_time", __doc__, rounds=7).parse_args()
    cases = {
        name: partial(subprocess.run, [sys.executable, "-c", statement], check=True)
        for name, statement in IMPORTS.items()
    }
    seconds = in_turns(cases, given.rounds)
    empty = seconds.pop("nothing")
    rows: list[Row] = [{"import": name, "seconds": value - empty} for name, value in seconds.items()]
    gates = [
        Gate(f"{name}: times {BASE}", (seconds[name] - empty) / (seconds[BASE] - empty), LIMIT)
        for name in seconds
        if name != BASE
    ]
    return report(given.results / "import_time.json", rows, gates)


if __name__ == "__main__":
    sys.exit(main())
