"""pykan 0.2.8 on the values of a closed form, in an environment of its own: from a table of points to a formula.

The steps, and their settings, are those of the package's own example (https://github.com/KindXiaoming/pykan,
hellokan.ipynb): a network [d, 5, c], 3 intervals and degree 3, 50 steps of L-BFGS with a penalty of 0.001, `prune`, 50
steps, `refine(10)`, 50 steps, `auto_symbolic`, 50 steps, `symbolic_formula`. Two things differ. The library is all
that the package has, not the ten functions of the example. The functions are fitted to the edges at 100 of the 1000
points, for one edge took a minute at all of them; the steps that follow use all points.

Where the loss is no number afterwards, as when a root or a logarithm has no value at the other points, the network is
read once more with the example's ten functions at 300 points. Where it is none in training, there is a second seed.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp
import torch
from kan import KAN

from benchmarks.peers.tracing import say
from kanpde.expression import to_tree

INTERVALS, DEGREE, FINER = 3, 3, 10
STEPS, PENALTY = 50, 0.001
EXAMPLE = ["x", "x^2", "x^3", "x^4", "exp", "log", "sqrt", "tanh", "sin", "abs"]
READINGS: tuple[tuple[list[str] | None, int], ...] = (
    (None, 100),
    (EXAMPLE, 300),
)  # functions; points they are fitted at
SECOND = 100_003  # is added to the seed
SAVED = "trained"  # a file in the working directory, which is thrown away
Data = dict[str, torch.Tensor]


def table(path: Path) -> tuple[list[str], Data]:
    """The names of the variables, and the values of the closed form at points to learn from and to test at."""
    with np.load(path) as arrays:
        names = [str(name) for name in arrays["names"]]
        keys = ("train_input", "train_label", "test_input", "test_label")
        return names, {key: torch.as_tensor(arrays[key]) for key in keys}


def trained(data: Data, width: int, seed: int) -> Any:
    """A pruned network on a fine grid."""
    widths = [data["train_input"].shape[1], width, data["train_label"].shape[1]]
    model = KAN(width=widths, grid=INTERVALS, k=DEGREE, seed=seed)
    model.fit(data, opt="LBFGS", steps=STEPS, lamb=PENALTY)
    model = model.prune()
    model.fit(data, opt="LBFGS", steps=STEPS)
    model = model.refine(FINER)
    model.fit(data, opt="LBFGS", steps=STEPS)
    return model


def tried(data: Data, width: int, seed: int) -> Any:
    """A pruned network of the first seed or, where the package fails, of the second."""
    try:
        return trained(data, width, seed)
    except UnboundLocalError:  # what it raises after a least-squares fit to values that are no numbers
        return trained(data, width, seed + SECOND)


def loss(model: Any, data: Data, part: str = "test") -> float:
    """Root mean square at the points of the test, or of the training."""
    return float(torch.mean((model(data[f"{part}_input"]) - data[f"{part}_label"]) ** 2).sqrt().detach())


def fixed(model: Any, data: Data, library: list[str] | None, swept: int) -> bool:
    """Puts functions in the place of splines, and trains on; whether there are numbers everywhere."""
    model.get_act(data["train_input"][:swept])
    model.auto_symbolic(lib=library, verbose=0)
    if not math.isfinite(loss(model, data, "train")):
        return False
    try:
        model.fit(data, opt="LBFGS", steps=STEPS)
    except UnboundLocalError:
        return False
    return math.isfinite(loss(model, data)) and math.isfinite(loss(model, data, "train"))


def read(model: Any, data: Data, names: list[str]) -> list[sp.Expr]:
    """The formulas of the outputs.

    Raises:
        FloatingPointError: in no reading are the values numbers.
    """
    model.saveckpt(SAVED)
    for library, swept in READINGS:
        copy = KAN.loadckpt(SAVED)
        if fixed(copy, data, library, swept):
            say(test_rms=loss(copy, data), library="all" if library is None else "example")
            return list(copy.symbolic_formula(var=[sp.Symbol(name, real=True) for name in names])[0])
    raise FloatingPointError("the values are no numbers after auto_symbolic")


def main() -> None:
    """Trains, reads, and says what came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("--width", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)  # pykan takes no dtype
    names, data = table(options.table)
    clock = time.perf_counter()
    model = tried(data, options.width, options.seed)
    say(seconds_solve=time.perf_counter() - clock)
    clock = time.perf_counter()
    formulas = read(model, data, names)
    say(seconds_symbolic=time.perf_counter() - clock)
    say(trees=[to_tree(formula) for formula in formulas])


if __name__ == "__main__":
    main()
