"""DeepXDE 1.15.0 on one problem: Adam, L-BFGS, and NNCG where the variant ends in it; conditions soft or exact.

Settings and their sources, all in https://github.com/lululxvi/deepxde:
- float64, as the docstring of `set_LBFGS_options` advises where L-BFGS stops early;
- Adam with 1e-3, then L-BFGS, then NNCG: docs/demos/pinn_forward/burgers.nncg.rst;
- where nothing oscillates that demo's network [2, 20, 20, 20, 1], tanh, Glorot normal, which reached more in the same
  time than the wider ones of the L-shape and Helmholtz demos; else the four layers of 50 with sin from which
  docs/demos/pinn_forward/helmholtz.2d.dirichlet.hpo.rst begins, better than three of 150 and than the one above;
- exact conditions by an output transform, soft ones with the weight 100, ten points a wavelength along each side:
  docs/demos/pinn_forward/helmholtz.2d.dirichlet.rst.
"""

from __future__ import annotations

import os
import time
from typing import Any

os.environ["DDE_BACKEND"] = "pytorch"  # before the import, which chooses by it; NNCG has no other

import deepxde as dde
import numpy as np
import torch
from deepxde.optimizers.config import LBFGS_options, set_LBFGS_options, set_NNCG_options

from benchmarks.peers.problems import PROBLEMS, Formulae, bubble, relative_l2
from benchmarks.peers.tracing import Trace, requested, say

SHARES = {"soft": (0.2, 1.0), "hard": (0.2, 1.0), "hard-nncg": (0.2, 0.6, 1.0)}  # of the time at which a method ends
METHODS = (("adam", {"lr": 1e-3}), ("L-BFGS", {}), ("NNCG", {}))
SMOOTH = ([2, *[20] * 3, 1], "tanh", "Glorot normal")
OSCILLATING = ([2, *[50] * 4, 1], "sin", "Glorot uniform")
WEIGHTS = [1.0, 100.0]  # of the equation and of soft conditions
LEAST_POINTS = 20  # along a side, where nothing oscillates: 400 as in the Helmholtz demo
A_WAVELENGTH = 10
LBFGS_STEPS = 50  # between two looks at the clock; its memory is kept from one call to the next
FOREVER = 10**9  # iterations; the clock ends the training


class Watch(dde.callbacks.Callback):
    """Tells the trace what was done, and stops a method when its share of the time is used up."""

    def __init__(self, trace: Trace, share: float) -> None:
        super().__init__()
        self.trace, self.share, self.before = trace, share, 0

    def on_train_begin(self) -> None:
        """Steps are counted from here."""
        self.before = self.model.train_state.step

    def on_batch_end(self) -> None:
        """After one step of Adam or NNCG, or several of L-BFGS."""
        step = self.model.train_state.step
        self.trace.after(step - self.before)
        self.before = step
        self.model.stop_training = self.trace.over(self.share)


def loss(model: Any) -> float:
    """The loss of the network as it is, which Adam's steps do not keep."""
    model._test(verbose=0)  # computes it and writes it down
    return float(np.sum(model.train_state.loss_train))


def conditions(problem: Formulae, geometry: Any, hard: bool) -> list[Any]:
    """Soft conditions on the whole boundary; none where the ansatz keeps them."""
    if hard:
        return []

    def prescribed(x: np.ndarray) -> np.ndarray:
        return problem.exact(x[:, :1], x[:, 1:])

    return [dde.icbc.DirichletBC(geometry, prescribed, lambda _, on_boundary: on_boundary)]


def data_of(problem: Formulae, hard: bool) -> Any:
    """Equation, conditions and points; the source is computed once, as an auxiliary variable."""
    geometry = dde.geometry.Rectangle([-1, -1], [1, 1])
    side = max(LEAST_POINTS, A_WAVELENGTH * problem.waves)

    def equation(x: Any, u: Any, f: Any) -> Any:
        laplacian = dde.grad.hessian(u, x, i=0, j=0) + dde.grad.hessian(u, x, i=1, j=1)
        return laplacian + problem.shift * u - f

    return dde.data.PDE(
        geometry,
        equation,
        conditions(problem, geometry, hard),
        num_domain=side**2,
        num_boundary=4 * side,
        auxiliary_var_function=lambda x: problem.source(x[:, :1], x[:, 1:]),
    )


def network(problem: Formulae, hard: bool) -> Any:
    """The demos' network, with g + b N for exact conditions."""
    net = dde.nn.FNN(*(OSCILLATING if problem.waves > 1 else SMOOTH))
    if hard:
        net.apply_output_transform(lambda x, n: problem.lifting(x[:, :1], x[:, 1:]) + bubble(x[:, :1], x[:, 1:]) * n)
    return net


def trained(model: Any, trace: Trace, shares: tuple[float, ...], weights: list[float] | None) -> None:
    """One method after the other, each until its share of the time is used up."""
    for (method, options), share in zip(METHODS, shares, strict=False):
        model.compile(method, loss_weights=weights, verbose=0, **options)
        model.stop_training = False
        iterations = None if method == "L-BFGS" else FOREVER
        model.train(iterations=iterations, display_every=FOREVER, verbose=0, callbacks=[Watch(trace, share)])


def main() -> None:
    """Trains, and says what came out."""
    request = requested()
    problem, hard = PROBLEMS[request.problem], request.variant.startswith("hard")
    torch.set_num_threads(1)
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(request.seed)
    set_LBFGS_options(maxiter=FOREVER)
    LBFGS_options.update(iter_per_step=LBFGS_STEPS, fun_per_step=LBFGS_STEPS * 5 // 4)
    set_NNCG_options(rank=50, mu=1e-1, cgmaxiter=100)
    net = network(problem, hard)
    model = dde.Model(data_of(problem, hard), net)
    say(importing=time.process_time(), parameters=sum(p.numel() for p in net.parameters()))
    trace = Trace(request.seconds, lambda: (loss(model), relative_l2(problem, model.predict)))
    trained(model, trace, SHARES[request.variant], None if hard else WEIGHTS)
    trace.measure()


if __name__ == "__main__":
    main()
