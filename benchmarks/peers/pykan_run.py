"""pykan 0.2.8 on one problem: splines of degree 3 on finer and finer grids, L-BFGS, soft conditions.

Settings of the package's own example (https://github.com/KindXiaoming/pykan, docs/Example/Example_7_PDE_accuracy):
51 × 51 points and 51 a side, 0.01 of the equation's mean square and all of the conditions', grids of 5, 10 and 20
intervals, its L-BFGS with a history of 10, grids updated from the samples in the first steps, `speed()`. Three things
differ: float64; the network [2, 10, 1] of the paper's section on PDEs (arXiv 2404.19756), which was at 1.9e-2 on A
after 30 seconds where the example's [2, 2, 1] was at 1.2e-1; and a Laplacian from one sweep back and two more, not from
two Jacobians, which is faster.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from kan import KAN, LBFGS

from benchmarks.peers.problems import PROBLEMS, Formulae, relative_l2
from benchmarks.peers.tracing import Trace, requested, say

WIDTHS, DEGREE = (2, 10, 1), 3
SIDE = 51
GRIDS = {5: 1 / 3, 10: 2 / 3, 20: 1.0}  # intervals, and the share of the time at which they end: equal numbers there
EQUATION = 0.01  # its weight in the loss
UPDATES, LAST_UPDATE = 5, 20  # steps between two updates of the grid, and after which there are none
STEP = 20  # iterations of L-BFGS in one step
Samples = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def samples(problem: Formulae) -> Samples:
    """Interior points and the source there, boundary points and the values there."""
    line = torch.linspace(-1, 1, SIDE)
    x, y = torch.meshgrid(line, line, indexing="ij")
    inside = torch.stack([x.ravel(), y.ravel()], dim=1)
    sides = [torch.stack([x[k], y[k]], dim=1) for k in (0, -1)]
    boundary = torch.cat(sides + [side.flip(1) for side in sides])
    source = torch.as_tensor(problem.source(*inside.numpy().T))[:, None]
    values = torch.as_tensor(problem.exact(*boundary.numpy().T))[:, None]
    return inside.requires_grad_(), source, boundary, values


def loss_of(model: Any, problem: Formulae, given: Samples) -> torch.Tensor:
    """Weighted mean squares of equation and conditions."""
    inside, source, boundary, values = given
    u = model(inside)
    (gradient,) = torch.autograd.grad(u.sum(), inside, create_graph=True)
    second = [torch.autograd.grad(gradient[:, k].sum(), inside, create_graph=True)[0][:, k] for k in (0, 1)]
    residual = (second[0] + second[1])[:, None] + problem.shift * u - source
    return EQUATION * torch.mean(residual**2) + torch.mean((model(boundary) - values) ** 2)


def optimizer_of(model: Any) -> LBFGS:
    """The example's."""
    still = {"tolerance_grad": 1e-32, "tolerance_change": 1e-32, "tolerance_ys": 1e-32}
    return LBFGS(model.parameters(), lr=1, history_size=10, line_search_fn="strong_wolfe", **still)


def trained(model: Any, problem: Formulae, given: Samples, trace: Trace, share: float) -> None:
    """L-BFGS on one grid until a share of the time is used up."""
    optimizer, steps = optimizer_of(model), 0

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        value = loss_of(model, problem, given)
        value.backward()
        return value

    while not trace.over(share):
        if steps % UPDATES == 0 and steps < LAST_UPDATE:
            model.update_grid_from_samples(given[0])
        optimizer.step(closure)
        steps += 1
        trace.after(STEP)


def refined(model: Any, inside: torch.Tensor, intervals: int) -> Any:
    """The same function on a finer grid, fitted by the package."""
    model.save_act = True
    model.get_act(inside)
    return model.refine(intervals).speed()


def main() -> None:
    """Trains, and says what came out."""
    request = requested()
    problem = PROBLEMS[request.problem]
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # pykan takes no dtype
    model = KAN(list(WIDTHS), grid=next(iter(GRIDS)), k=DEGREE, seed=request.seed, auto_save=False).speed()
    given = samples(problem)
    say(importing=time.process_time())

    def predict(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.as_tensor(points)).numpy()

    def state() -> tuple[float, float]:
        return float(loss_of(model, problem, given).detach()), relative_l2(problem, predict)

    trace = Trace(request.seconds, state)
    for intervals, share in GRIDS.items():
        model = model if model.grid == intervals else refined(model, given[0], intervals)
        trained(model, problem, given, trace, share)
        say(parameters=sum(p.numel() for p in model.parameters() if p.requires_grad))
    trace.measure()


if __name__ == "__main__":
    main()
