"""Value, Laplacian and the gradient of the squared residual: spline KAN against an MLP by nested autograd.

    python -m benchmarks.kernel

The problem is Δu + u − u³ = 0 at 10,000 points, one thread, float64. The KAN [2, 10, 1], degree 3, goes through the
package's public path, `kp.residual(problem, module, points)` and `backward()`; the MLP, four tanh layers of 50, through
nested `torch.autograd.grad` in plain torch. Memory is the growth of the peak resident set in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import sympy as sp
import torch
from torch import Tensor

import kanpde as kp
from benchmarks.timing import Gate, Row, in_turns, options, report
from kanpde.collocation import collocate
from kanpde.lifting import impose
from kanpde.lowering import lower
from kanpde.residuals import Block, ResidualSystem

POINTS = 10_000
INTERVALS = (10, 100, 1000)
BASELINE = "MLP 4x50, nested autograd"
FIGURE = "KAN, 10 intervals"

x, y = sp.symbols("x y", real=True)
u = sp.Function("u")(x, y)
PROBLEM = kp.Problem(
    domain=kp.Box({x: (-1, 1), y: (-1, 1)}),
    equations=sp.Eq(kp.laplacian(u) + u - u**3, 0),
    conditions=kp.Dirichlet(u, 0),
    name="kernel",
)


def points(count: int = POINTS) -> Tensor:
    """The same random points of the square in every run, (count, 2)."""
    generator = torch.Generator().manual_seed(0)
    return 2 * torch.rand(count, 2, generator=generator, dtype=torch.float64) - 1


def kan(intervals: int, squash: str | None = "tanh") -> torch.nn.Module:
    """The KAN, its hidden coordinates bounded or not."""
    return kp.KAN([2, 10, 1], degree=3, intervals=intervals, squash=squash)


def plain_mlp() -> torch.nn.Module:
    """The MLP in plain torch."""
    torch.manual_seed(0)
    hidden = [part for _ in range(3) for part in (torch.nn.Linear(50, 50), torch.nn.Tanh())]
    module = torch.nn.Sequential(torch.nn.Linear(2, 50), torch.nn.Tanh(), *hidden, torch.nn.Linear(50, 1))
    return module.to(torch.float64)


def nested(module: torch.nn.Module, at: Tensor) -> None:
    """One gradient by nested autograd, as one writes it without a package."""
    at = at.detach().requires_grad_()
    value = module(at)
    (slope,) = torch.autograd.grad(value.sum(), at, create_graph=True)
    laplacian = torch.zeros_like(value[:, 0])
    for axis in range(at.shape[1]):
        laplacian = laplacian + torch.autograd.grad(slope[:, axis].sum(), at, create_graph=True)[0][:, axis]
    field = value[:, 0]
    module.zero_grad()
    ((laplacian + field - field**3) ** 2).sum().backward()


def through_jets(module: torch.nn.Module, at: Tensor) -> None:
    """One gradient by the package."""
    module.zero_grad()
    (kp.residual(PROBLEM, module, at) ** 2).sum().backward()


def system_gradient(intervals: int) -> Callable[[], object]:
    """One gradient by a residual system, which prepares its points once, as the optimisers have it."""
    block = Block("equations", (lower(PROBLEM.operators[0]),), collocate(PROBLEM.domain.interior, POINTS))
    system = ResidualSystem([block], kp.KAN([2, 10, 1], degree=3, intervals=intervals), impose(PROBLEM, exact=False))
    return partial(system.loss_and_gradient, system.network.theta)


def cases() -> dict[str, Callable[[], object]]:
    """All that is timed."""
    at = points()
    timed: dict[str, Callable[[], object]] = {BASELINE: partial(nested, plain_mlp(), at)}
    for intervals in INTERVALS:
        timed[f"KAN, {intervals} intervals"] = partial(through_jets, kan(intervals), at)
    timed["KAN, 10 intervals, unbounded"] = partial(through_jets, kan(10, squash=None), at)
    timed["KAN, 10 intervals, residual system"] = system_gradient(10)
    timed["KAN, 10 intervals, nested autograd"] = partial(nested, kan(10), at)
    timed["MLP 4x50, jets"] = partial(through_jets, kp.MLP([2, 50, 50, 50, 50, 1]), at)
    return timed


def peak_megabytes(case: str) -> float:
    """Growth of the peak resident set over three gradients, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.kernel", "--memory", case]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    return float(run.stdout)


def measure_memory(case: str) -> float:
    """The same, in this process (Linux: the mark of the peak is reset before)."""
    run = partial(nested, plain_mlp()) if case == BASELINE else partial(through_jets, kan(int(case.split()[1])))
    run(points(10))
    at = points()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _status("VmRSS")
    for _ in range(3):
        run(at)
    return (_status("VmHWM") - before) / 1024


def _status(entry: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(entry))


def main() -> int:
    """Times, weighs, writes results/kernel.json."""
    parser = options("kernel", __doc__, rounds=20)
    parser.add_argument("--memory", help="print the peak of one case in MB, and nothing else")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.memory:
        print(measure_memory(given.memory))
        return 0
    seconds = in_turns(cases(), given.rounds)
    weighed = {name: peak_megabytes(name) for name in (BASELINE, *(f"KAN, {g} intervals" for g in INTERVALS))}
    rows: list[Row] = [
        {"case": name, "ms": 1e3 * s, "times faster": seconds[BASELINE] / s, "MB": weighed.get(name, "")}
        for name, s in seconds.items()
    ]
    growth = max(seconds[f"KAN, {g} intervals"] for g in INTERVALS) / min(
        seconds[f"KAN, {g} intervals"] for g in INTERVALS
    )
    gates = [
        Gate("times faster than the MLP (aim: 20)", seconds[BASELINE] / seconds[FIGURE], 10, at_least=True),
        Gate("MB of working memory", weighed[FIGURE], 100),
        Gate("times slower between 10 and 1000 intervals", growth, 1.5),
    ]
    return report(given.results / "kernel.json", rows, gates)


if __name__ == "__main__":
    sys.exit(main())
