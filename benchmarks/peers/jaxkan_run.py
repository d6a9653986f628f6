"""jaxKAN 0.3.7 on one problem: a Chebyshev KAN with exact conditions, Adam, then L-BFGS; float64.

Settings and their sources, in https://github.com/srigas/jaxKAN, docs/tutorials:
- [2, 8, 8, 1], degree 5, flavor "exact", "glorot_fine"; exact conditions by a wrapper of the network; a grid of points;
  Adam from 1e-3 with exponential decay: "Tutorial 8 - Adaptive PIKANs";
- the mean square of the residuals as the loss: "Tutorial 6 - PIKANs";
- L-BFGS with a memory of 20: "Tutorial 11 - Optimizer Utilities". It begins when a part of the time is used up.
In 40 seconds this reached 1.5e-5 on A and 3.3e-3 on H. With the 64 × 64 points of tutorial 8, its attention to
residuals in Adam's part and a memory of 10 it was 7.0e-5 and 3.7e-2. What the tutorials have for evolution (causal
weights, annealed weights of initial data) has no place here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxkan.models.KAN import KAN
from jaxkan.models.utils import count_params, get_adam, get_lbfgs
from jaxkan.pikan.sampling import get_collocs_grid

from benchmarks.peers.problems import PROBLEMS, Formulae, bubble, relative_l2
from benchmarks.peers.tracing import Trace, requested, say

LAYER = {
    "D": 5,
    "flavor": "exact",
    "residual": None,
    "external_weights": False,
    "init_scheme": {"type": "glorot_fine"},
    "add_bias": True,
}
WIDTHS = [2, 8, 8, 1]
SIDE = 32  # points along a side
ADAM = {"learning_rate": 1e-3, "schedule_type": "exponential", "decay_steps": 1000, "decay_rate": 0.9}
MEMORY = 20  # of L-BFGS
SHARES = (0.2, 1.0)  # of the time at which Adam and L-BFGS end


class Exact(nnx.Module):
    """g + b N: the network as the tutorial wraps it."""

    def __init__(self, network: KAN, problem: Formulae) -> None:
        self.network, self.problem = network, problem

    def __call__(self, points: jax.Array) -> jax.Array:
        """Values (n, 1) at points (n, 2)."""
        x, y = points[:, :1], points[:, 1:]
        return self.problem.lifting(x, y) + bubble(x, y) * self.network(points)


Step = Callable[[], object]
Method = Callable[[Exact], Step]  # begins with a network
Residual = Callable[[Exact], jax.Array]  # n values
Loss = Callable[[Exact], jax.Array]  # one value


def double(model: nnx.Module) -> nnx.Module:
    """The same network in float64: layers are initialised in float32 whatever jax is told."""
    nnx.update(model, jax.tree.map(lambda p: p.astype(jnp.float64), nnx.state(model, nnx.Param)))
    return model


def residual_of(problem: Formulae) -> Residual:
    """The residuals on the grid, by nested derivatives under `vmap` as in jaxkan.pikan.pde."""
    points = get_collocs_grid([(-1.0, 1.0, SIDE), (-1.0, 1.0, SIDE)])
    source = jnp.asarray(problem.source(*np.asarray(points).T))

    def residual(model: Exact) -> jax.Array:
        def u(x: jax.Array, y: jax.Array) -> jax.Array:
            return model(jnp.array([[x, y]]))[0, 0]

        def at(x: jax.Array, y: jax.Array, f: jax.Array) -> jax.Array:
            return jax.grad(jax.grad(u, 0), 0)(x, y) + jax.grad(jax.grad(u, 1), 1)(x, y) + problem.shift * u(x, y) - f

        return jax.vmap(at)(points[:, 0], points[:, 1], source)

    return residual


def mean_square(residual: Residual) -> Loss:
    """The loss."""
    return lambda model: jnp.mean(residual(model) ** 2)


def adam(loss: Loss) -> Method:
    """Adam with a rate that decays."""
    rule = get_adam(**ADAM)

    @nnx.jit
    def step(model: Exact, optimizer: nnx.Optimizer) -> jax.Array:
        value, gradient = nnx.value_and_grad(loss)(model)
        optimizer.update(model, gradient)
        return value

    return begun_by(rule, step)


def lbfgs(loss: Loss) -> Method:
    """L-BFGS with the line search that optax comes with."""
    rule = get_lbfgs(memory_size=MEMORY)

    @nnx.jit
    def step(model: Exact, optimizer: nnx.Optimizer) -> jax.Array:
        value, gradient = nnx.value_and_grad(loss)(model)
        optimizer.update(model, gradient, value=value, value_fn=loss)
        return value

    return begun_by(rule, step)


def begun_by(rule: Any, step: Callable[[Exact, nnx.Optimizer], jax.Array]) -> Method:
    """A method that starts with the rule's first state; each step waits for its result."""

    def begun(model: Exact) -> Step:
        optimizer = nnx.Optimizer(model, rule, wrt=nnx.Param)
        return lambda: step(model, optimizer).block_until_ready()

    return begun


def compiled(method: Method, model: Exact) -> Method:
    """The method after two steps of a copy, which compile and are thrown away: compiling is not training."""
    step = method(nnx.clone(model))
    for _ in range(2):
        step()
    return method


def trained(model: Exact, methods: Sequence[Method], trace: Trace) -> None:
    """One method after the other, each until its share of the time is used up."""
    for method, share in zip(methods, SHARES, strict=True):
        step = method(model)
        while not trace.over(share):
            step()
            trace.after()
    trace.measure()


def main() -> None:
    """Trains, and says what came out."""
    request = requested()
    jax.config.update("jax_enable_x64", True)
    problem = PROBLEMS[request.problem]
    model = double(Exact(KAN(WIDTHS, "chebyshev", LAYER, request.seed), problem))
    say(importing=time.process_time(), parameters=count_params(model))
    before, loss = time.process_time(), mean_square(residual_of(problem))
    methods = [compiled(method(loss), model) for method in (adam, lbfgs)]
    value, predict = nnx.jit(loss), nnx.jit(lambda model, points: model(points))

    def state() -> tuple[float, float]:
        return float(value(model)), relative_l2(problem, lambda points: predict(model, jnp.asarray(points)))

    state()
    say(compiling=time.process_time() - before)
    trained(model, methods, Trace(request.seconds, state))


if __name__ == "__main__":
    main()
