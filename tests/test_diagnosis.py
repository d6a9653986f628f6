"""Why a run ended: every cause in words that name its cure, asked in the right order, and found in real runs."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from cases import load as problem_file

import kanpde as kp
from kanpde.diagnosis import Findings, rounding_of, verdict
from kanpde.errors import ProblemWarning
from kanpde.lifting import impose
from kanpde.plan import assemble, fitted
from kanpde.residuals import ResidualSystem
from kanpde.training import Progress, Run, Wishes

x, y = sp.symbols("x y", real=True)

# A run without any fault: the estimate stays above the tolerance, and larger networks could follow.
PLAIN = Findings(1e-6, 1e-4, "", 1e-5, 1e9, 1.2, 0.6, 300, grows=True, vanishing=False)
MOST = 10.0  # what is taken for too few points

# What is found, and the words that must come of it, the cure among them; in the order in which they are asked.
CAUSES = {
    "zero": ({"vanishing": True}, "the field found is zero, which solves .* give initial_guess="),
    "collapse": ({"residual": 0.9}, "collapsed: .* give another seed, an initial_guess=, continuation=, windows="),
    "points": ({"overfit": 40.0}, "too few points: at new ones the residual is 40 times as large; give stages with"),
    "ill-posed": ({"relative": 1e4, "rtol": 1e-6}, "ill-posed .* check for a missing condition or a resonance"),
    "floor": ({"rounding": 5.0}, "at the floor of float64 rounding; .* give a larger rtol"),
    "space": ({"reach": 1e-3, "grows": False}, "the space of 300 parameters is exhausted .* give a network= with more"),
}
PLAIN_CURE = "give a wider network, more stages, or a larger rtol"


def words_of(**changes: Any) -> str:
    return verdict(replace(PLAIN, **changes), MOST)


@pytest.mark.parametrize("name", CAUSES)
def test_each_cause_names_its_cure(name: str) -> None:
    changes, words = CAUSES[name]
    status = words_of(**changes)
    assert re.search(words, status), status
    assert "\n" not in status
    assert name == "zero" or status.startswith("not converged: the estimated error 1.0e")
    assert PLAIN_CURE not in status


@pytest.mark.parametrize("name", [name for name in CAUSES if name not in ("zero", "ill-posed")])
def test_causes_are_named_without_an_estimate_too(name: str) -> None:
    changes, words = CAUSES[name]
    status = words_of(relative=None, reason="the grid was too small", **changes)
    assert re.match(f"finished without an error estimate: the grid was too small; .*{words}", status), status


@pytest.mark.parametrize(("first", "second"), [*itertools.combinations(CAUSES, 2)])
def test_what_makes_another_question_pointless_is_asked_before_it(first: str, second: str) -> None:
    """Where two findings apply, the words are those of the earlier one alone."""
    both = words_of(**(CAUSES[second][0] | CAUSES[first][0]))
    assert re.search(CAUSES[first][1], both), both
    assert not re.search(CAUSES[second][1], both)


def test_a_run_without_a_cause_is_told_to_go_on() -> None:
    assert words_of() == f"not converged: the estimated error 1.0e-04 stays above 1.0e-06/1.5; {PLAIN_CURE}"
    plain = words_of(relative=None)
    assert "the residual stays too large for one; give max_seconds or a finer network" in plain
    assert words_of(relative=None, reason="no grid fits").endswith(": no grid fits")


def test_what_is_on_the_good_side_of_each_threshold_is_no_cause() -> None:
    calm = {"residual": 0.4, "overfit": MOST, "rounding": 60.0, "reach": 1e-3, "grows": True}
    assert words_of(**calm).endswith(PLAIN_CURE)
    assert words_of(reach=0.06, grows=False).endswith(PLAIN_CURE)
    assert words_of(relative=0.9, residual=1e-5).endswith(PLAIN_CURE)


def test_noise_comes_first() -> None:
    """What the measurements leave open is no fault of the run."""
    status = words_of(limited=True, noise=3e-3, vanishing=True, overfit=1e3)
    assert status == (
        "finished: the noise of the observations leaves an error of 3.0e-03; give more or better data, or a larger rtol"
    )


def residual_system(scale: float) -> ResidualSystem:
    problem = problem_file("poisson")
    network = fitted(kp.KAN([2, 3, 1], "chebyshev", degree=5, scale=scale), problem)
    return assemble(problem, network, impose(problem), kp.Stage(points=200), 0, None)


def test_rounding_is_how_far_coefficients_in_their_last_digits_move_the_residual() -> None:
    """Huge beside rounding at a random start; a few at a residual that is nothing but rounding."""
    system = residual_system(0.5)
    start = rounding_of(system)
    slopes = torch.cat([transposed for _, transposed in system.linearized(system.theta)], dim=1)
    moved = (system.theta[:, None] * slopes).norm() * torch.finfo(torch.float64).eps
    assert start == pytest.approx(float(system.residual(system.theta).norm() / moved), rel=0.7)
    assert rounding_of(system) == start
    target = system.residual(system.theta)
    (block,) = system.blocks
    weights = torch.as_tensor(block.points.weights).sqrt()
    rounded = replace(block, target=(target / weights).numpy())
    exact = ResidualSystem([rounded], system.network, system.ansatz, system.memory, system.parameters)
    assert float(exact.residual(exact.theta).norm()) < 1e-10
    assert rounding_of(exact) < 50


def test_a_residual_that_no_coefficient_moves_is_far_from_rounding() -> None:
    system = residual_system(0.0)
    system.adopt(torch.zeros_like(system.theta))
    assert math.isinf(rounding_of(system))


# --- real runs -------------------------------------------------------------------------------------------------------


def line(equation: Any, **more: Any) -> kp.Problem:
    return kp.Problem(kp.Box({x: (0, sp.pi)}), equation, kp.Dirichlet(U, 0), **more)


U = sp.Function("u")(x)


def solved(problem: kp.Problem, rtol: float, **wish: Any) -> kp.Solution:
    return kp.solve(problem, rtol, max_seconds=60, **wish)


def test_a_small_space_is_exhausted() -> None:
    """The best polynomial of degree 8 is no better than it is, and the user allowed no other."""
    found = solved(problem_file("poisson_1d"), 1e-10, pinned=kp.Pinned(degree=8, largest=9))
    assert "the space of 9 parameters is exhausted and none larger is affordable" in found.status
    assert found.error_estimate == pytest.approx(found.relative_l2, rel=0.1)


def test_few_points_are_found_out() -> None:
    """Sixty points determine no network of 144 parameters: the residual vanishes there, and nowhere else."""
    network = kp.KAN([2, (3, 3), 1], "chebyshev", degree=5)
    found = solved(problem_file("poisson"), 1e-9, network=network, stages=[kp.Stage(points=60, iterations=30)])
    assert re.search(r"too few points: at new ones the residual is \d{3,} times as large", found.status)
    assert found.relative_l2 > 1e-3


def test_no_tolerance_below_rounding_is_met() -> None:
    found = solved(problem_file("poisson_1d"), 1e-16)
    assert "the residual is at the floor of float64 rounding" in found.status
    assert found.relative_l2 < 1e-13


def test_a_network_that_cannot_follow_collapses() -> None:
    """A polynomial of degree 4 does nothing about fifty waves; that a start was worse still is no merit."""
    fast = line(sp.Eq(U.diff(x, 2), sp.sin(100 * x)), name="fast")
    wild = kp.KAN([1, 1], "chebyshev", degree=4, scale=20.0)
    found = solved(fast, 1e-6, network=wild, pinned=kp.Pinned(largest=5))
    assert "collapsed: the network does no better than the trivial field" in found.status


def test_a_run_that_finds_zero_says_so() -> None:
    """Zero solves u'' + u³ = 0; other solutions are not near small starts."""
    cube = line(U.diff(x, 2) + U**3, name="cube")
    network = kp.KAN([1, 1], "chebyshev", degree=12, scale=0.05)
    found = solved(cube, 1e-6, network=network)
    assert found.status.startswith("finished without an error estimate: the field found is zero, which solves these")
    assert np.abs(found(np.array([[1.0], [2.0]]))).max() < 1e-11
    assert {row["stage"] for row in found.history} == {0}


def test_zero_ends_a_run_only_where_it_solves_the_equations() -> None:
    """A field that is zero though the equations have a source is one that is not trained yet."""
    problem = problem_file("poisson")
    network = fitted(kp.KAN([2, 3, 1], "chebyshev", degree=5, scale=0.0), problem)
    run = Run(problem, impose(problem), (), Wishes(1e-6), Progress(network))
    assert not run.vanished  # no stage has told yet
    run.idle = 0.0
    assert run.vanished
    run.idle = 1e-3
    assert not run.vanished


def test_a_small_solution_is_found() -> None:
    small = line(
        sp.Eq(U.diff(x, 2), sp.Float(1e-13) * sp.sin(x)), exact={U: -sp.Float(1e-13) * sp.sin(x)}, name="small"
    )
    assert solved(small, 1e-6, network=kp.KAN([1, 1], "chebyshev", degree=16)).converged


def test_a_problem_near_resonance_is_ill_posed() -> None:
    """At a distance of 1e-8 from an eigenvalue a residual at rounding leaves the amplitude of that mode open."""
    wave = 1 + sp.Rational(1, 10**8)
    near = line(sp.Eq(U.diff(x, 2) + wave * U, (wave - 4) * sp.sin(2 * x)), exact={U: sp.sin(2 * x)}, name="near")
    with pytest.warns(ProblemWarning, match="near resonance"):
        found = solved(near, 1e-10, pinned=kp.Pinned(degree=24, largest=30))
    assert "ill-posed or nearly so: a residual this small leaves an error this large" in found.status
