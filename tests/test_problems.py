"""Every file in problems/: short, described, without a warning, true to its closed solution, and ready to be solved."""

import ast
import contextlib
import math
import runpy
import warnings
from collections.abc import Iterator

import cases
import numpy as np
import pytest

import kanpde as kp
from kanpde.errors import ProblemWarning
from kanpde.gallery import read_settings
from kanpde.lifting import impose
from kanpde.plan import assemble, default_network, fitted

# Without a closed solution: another solver judges them, or numbers that are known of them (see gallery.toml).
JUDGED_BY_OTHERS = {"allen_cahn", "cavity", "l_shape", "lotka_volterra", "stokes_cylinder"}
JUDGED_BY_TONES = {"drum_disk", "drum_disk_overtone", "drum_rectangle"}
# What these problems are warned of is what they are about.
WARNED = {"cavity": "the solution jumps there"}
STEPS = 4
FILES = cases.FILES
# The functions that the KAN paper fits; tests/test_regression.py knows their values.
REGRESSION = {path.stem: path for path in sorted((FILES["poisson"].parent / "regression").glob("*.py"))}
ALL = FILES | REGRESSION


@contextlib.contextmanager
def silent(name: str) -> Iterator[None]:
    """No warnings about a problem whose point they are."""
    with warnings.catch_warnings():
        if name in WARNED:
            warnings.simplefilter("ignore", ProblemWarning)
        yield


def loaded(name: str) -> kp.Problem:
    with silent(name):
        return cases.load(name) if name in FILES else runpy.run_path(str(ALL[name]), run_name="problem_file")["problem"]


@pytest.mark.parametrize("name", ALL)
def test_files_are_short_and_say_what_they_are(name: str) -> None:
    text = ALL[name].read_text(encoding="utf-8")
    assert 20 <= len(text.splitlines()) <= 40
    description = ast.get_docstring(ast.parse(text))
    assert description is not None
    assert len(description.splitlines()) <= 5
    assert text.splitlines()[-1].startswith("    print(")
    assert '\n\n\nif __name__ == "__main__":\n' in text


@pytest.mark.parametrize("name", ALL)
def test_files_define_a_sound_problem(name: str) -> None:
    """The problem's own check of the closed solution speaks by a warning, as do doubts about its conditions."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names = runpy.run_path(str(ALL[name]), run_name="problem_file")
    problem = names["problem"]
    assert isinstance(problem, kp.Problem)
    assert problem.name == name
    assert (problem.exact is None) == (name in JUDGED_BY_OTHERS | JUDGED_BY_TONES)
    said = [str(w.message) for w in caught]
    if name in WARNED:
        assert all(issubclass(w.category, ProblemWarning) for w in caught)
        assert any(WARNED[name] in message for message in said)
    else:
        assert said == []


@pytest.mark.parametrize("name", sorted(set(ALL) - {"hundred"}))  # a hundred coordinates take their seconds
def test_two_readings_give_the_same_signature(name: str) -> None:
    with silent(name):
        again = runpy.run_path(str(ALL[name]), run_name="problem_file")["problem"]
    assert again.signature == loaded(name).signature


@pytest.mark.parametrize("name", sorted(set(FILES) - JUDGED_BY_OTHERS - JUDGED_BY_TONES))
def test_closed_solutions_are_finite_inside(name: str) -> None:
    problem = loaded(name)
    points, weights = problem.domain.quadrature({1: 40, 2: 12, 3: 6, 4: 4, 5: 3}[problem.domain.dimension])
    values = problem.exact_values(points)
    assert values.shape == (len(points), len(problem.unknowns))
    assert np.isfinite(values).all()
    assert float(weights @ (np.abs(values) ** 2).sum(axis=1)) > 0


@pytest.mark.parametrize("name", ALL)
def test_a_few_iterations(name: str) -> None:
    """The default network on few points: its residual is finite and falls. Estimates are for the gallery itself."""
    problem = loaded(name)
    ansatz = impose(problem, None)
    network = fitted(default_network(problem, 0, ansatz.features), problem, ansatz.features)
    stage = kp.Stage(points=100, iterations=STEPS)
    system = assemble(problem, network, ansatz, stage, 0, None)
    state = stage.engine.init(system, system.theta)
    losses = [state.loss]
    for _ in range(STEPS):
        state = stage.engine.step(system, state)
        losses.append(state.loss)
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]


def test_the_gallery_has_settings_for_every_file_and_no_other() -> None:
    settings = read_settings(FILES["poisson"].parent)
    assert set(settings) - {"defaults"} == set(FILES)
    assert all(asked.kind for name, asked in settings.items() if name != "defaults")


def test_names_of_problems_are_unique() -> None:
    assert len(ALL) == len(FILES) + len(REGRESSION)


def test_there_are_as_many_as_promised() -> None:
    assert len(REGRESSION) >= 13
    assert len(FILES) >= 32
    required = {"l_shape", "disk", "annulus", "square_minus_disks", "kovasznay", "cavity", "stokes_cylinder"}
    required |= {"plate_with_hole", "scattering_ka1", "scattering_ka10", "scattering_ka30", "two_materials", "burgers"}
    required |= {"allen_cahn", "kdv", "schroedinger", "drum_disk", "identify_viscosity", "identify_conductivity"}
    assert required | {"helmholtz_family"} <= set(FILES)
