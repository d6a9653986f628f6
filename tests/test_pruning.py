"""Smaller networks: what surgery leaves as it was, what a search tries and keeps, and problems of every kind."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import load as problem_file
from contracts import assert_close
from test_network import NETWORKS, points, stirred

import kanpde as kp
from kanpde.cli import main
from kanpde.errors import ProblemError, StoreError
from kanpde.network import BSpline, Chebyshev, Fourier, Joined, Network
from kanpde.network.architecture import network_from_spec, network_spec
from kanpde.network.layer import coefficient_blocks
from kanpde.pruning import attempts, descent, ending, moves, pruned, search, smallest
from kanpde.pruning.importance import idle_inputs, ranked, scores
from kanpde.pruning.surgery import coarsened, coarser, hidden_nodes, retitled, straightened, without_nodes


def silenced(network: Network, k: int, inputs: set[int]) -> Network:
    """The same network with zero edges from some inputs of a layer."""
    with torch.no_grad():
        blocks = coefficient_blocks(network.layers[k], network.coefficients[k])
        for expansion, block in zip(network.layers[k].expansions, blocks, strict=True):
            for position, i in enumerate(expansion.inputs):
                if i in inputs:
                    block[:, position] = 0.0
    return network


def values(network: Network, x: torch.Tensor) -> torch.Tensor:
    return network.forward(x).detach()


def made(name: str) -> Network:
    return stirred(NETWORKS[name](2, 2))


@pytest.mark.parametrize("name", NETWORKS)
def test_nodes_that_nobody_reads_can_go(name: str) -> None:
    network, x = made(name), points(2, 30)
    for k, layer in enumerate(network.layers[:-1]):
        for gone in {0, max(layer.sums - 1, 0), layer.outputs - 1} if layer.outputs > 1 else ():
            quiet = silenced(made(name), k + 1, {gone})
            quiet.scalars = (3.0,)
            smaller = without_nodes(quiet, [(k, gone)])
            assert_close(values(smaller, x), values(quiet, x), 1e-12)
            assert smaller.layers[k].outputs == layer.outputs - 1
            assert smaller.layers[k + 1].inputs == layer.outputs - 1
            assert smaller.n_parameters < quiet.n_parameters
            assert smaller.scalars == (3.0,)
            again = network_from_spec(json.loads(json.dumps(network_spec(smaller))), smaller.theta)
            assert_close(values(again, x), values(smaller, x), 1e-15)


def test_several_nodes_of_several_layers_go_at_once() -> None:
    network = kp.KAN([2, (3, 2), (2, 2), 1], "chebyshev", degree=4, arity=3, seed=3)
    gone = [(0, 1), (0, 3), (1, 0), (1, 3)]
    smaller = without_nodes(silenced(silenced(network, 1, {1, 3}), 2, {0, 3}), gone)
    assert_close(values(smaller, points(2, 20)), values(network, points(2, 20)), 1e-12)
    assert smaller.title == "KAN [2, [2, 1], [1, 1], 1], chebyshev"
    assert hidden_nodes(smaller) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


def test_inputs_of_hidden_layers_keep_their_ranges() -> None:
    network = kp.KAN([1, 3, 1], "chebyshev", degree=3)
    hidden = network.layers[1].with_affine((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    ranged = Network([network.layers[0], hidden], list(network.coefficients))
    smaller = without_nodes(silenced(ranged, 1, {1}), [(0, 1)])
    assert smaller.layers[1].centre == (0.1, 0.3)
    assert smaller.layers[1].half_width == (1.0, 3.0)
    assert_close(values(smaller, points(1, 9)), values(ranged, points(1, 9)), 1e-12)


def test_titles() -> None:
    layers = kp.MLP([2, 5, 1]).layers
    assert retitled("MLP [2, 9, 1], tanh", layers) == "MLP [2, 5, 1], tanh"
    assert retitled("network", layers) == "network [2, 5, 1]"
    assert retitled("network [2, 7, 1]", layers) == "network [2, 5, 1]"


@pytest.mark.parametrize("name", NETWORKS)
def test_an_idle_input_gets_straight_lines(name: str) -> None:
    network = silenced(made(name), 0, {1})
    straight = straightened(network, [1])
    assert_close(values(straight, points(2, 20)), values(network, points(2, 20)), 1e-12)
    curved = {i: e.basis for e in network.layers[0].expansions for i in e.inputs}[1]
    saved = 0 if isinstance(curved, Fourier) else network.layers[0].columns * (curved.size - 1)
    assert straight.n_parameters == network.n_parameters - saved


def test_some_input_keeps_its_curves() -> None:
    network = made("chebyshev") if "chebyshev" in NETWORKS else kp.KAN([2, 2, 1])
    assert straightened(network, [0, 1]) is network


BASES = [Chebyshev(6), Fourier(4), BSpline(3, 8), Joined(BSpline(3, 8), Chebyshev(2))]


@pytest.mark.parametrize("fine", BASES, ids=str)
def test_coarser_edges_hold_what_they_can(fine) -> None:
    basis = coarser(fine, 4)
    assert type(basis) is type(fine)
    assert basis.resolution == min(4, fine.resolution)
    fitted = fine.embedding(basis) @ basis.embedding(fine)
    assert np.allclose(fitted, np.eye(basis.size), atol=1e-10)


def test_coarsened_is_the_inverse_of_growing() -> None:
    for name in ("bspline", "products", "periodic"):
        network, x = made(name), points(2, 20)
        finer = network.grown(lambda basis: 2 * basis.resolution)
        coarse = coarsened(finer, lambda _, basis: basis.resolution // 2)
        assert coarse.n_parameters == network.n_parameters
        assert_close(values(coarse, x), values(network, x), 1e-9)
        assert_close(values(coarsened(finer, lambda *_: 99), x), values(finer, x), 1e-15)


def test_a_resolution_of_nothing_is_none() -> None:
    assert coarser(Chebyshev(5), 0) == Chebyshev(5)
    assert coarser(Chebyshev(5), 5) == Chebyshev(5)
    assert coarser(BSpline(3, 4), 6) == BSpline(3, 4)


@pytest.fixture(scope="module")
def solution() -> kp.Solution:
    """Problem A to three digits, with more nodes than it needs."""
    network = kp.KAN([2, (2, 3), 1], "chebyshev", degree=6, seed=1)
    stages = [kp.Stage("lm", iterations=30)]
    return kp.solve(problem_file("poisson"), 1e-3, network=network, stages=stages, pinned=kp.Pinned(candidates=1))


def test_order_is_that_of_attribution(solution) -> None:
    found = scores(solution).nodes[1]
    order = ranked(solution)
    assert [share for _, share in order] == sorted(found / found.sum())
    assert {node for node, _ in order} == set(hidden_nodes(solution.network))
    spare = moves.droppable(solution)
    assert [node for node, _ in spare] == [node for node, _ in order[:-1]]
    assert moves.droppable(solution, order[2][1]) == order[:2]


def test_idle_inputs_are_those_without_scores(solution) -> None:
    assert idle_inputs(solution, 0.01) == []
    assert idle_inputs(solution, 1.1) == [0, 1]
    network = silenced(network_from_spec(network_spec(solution.network), solution.network.theta), 0, {1})
    assert idle_inputs(search._with(solution, network), 0.01) == [1]


class Oracle:
    """In the place of training: networks are good enough by a rule, and all that are asked for are remembered."""

    def __init__(self, good) -> None:
        self.good = good
        self.asked: list[tuple[str, int]] = []

    def __call__(self, run, candidate) -> kp.Solution:
        self.asked.append((candidate.key, candidate.network.n_parameters))
        found = search._with(run.best, candidate.network)
        fine = bool(self.good(candidate.network))
        record = dataclasses.replace(
            found.record,
            n_parameters=candidate.network.n_parameters,
            network=network_spec(candidate.network),
            theta=candidate.network.theta.numpy(),
            converged=fine,
            error_estimate=(0.5 if fine else 2.0) * run.rtol,
            status="converged" if fine else "not converged",
        )
        return dataclasses.replace(found, record=record)


def edges_of(network: Network) -> list[int]:
    return [e.basis.resolution for layer in network.layers for e in layer.expansions]


@pytest.mark.parametrize("least", [1, 2, 3, 5])
@pytest.mark.parametrize("degree", [1, 3, 6])
def test_search_ends_at_the_least(solution, monkeypatch, least: int, degree: int) -> None:
    oracle = Oracle(lambda net: net.layers[0].outputs >= least and min(edges_of(net)) >= degree)
    monkeypatch.setattr(search, "trained", oracle)
    told = []
    found = pruned(solution, tell=told.append)
    assert found.network.layers[0].outputs == least
    assert edges_of(found.network) == [degree, degree]
    keys = [key for key, _ in oracle.asked]
    assert len(keys) == len(set(keys)) < 20
    table = attempts(found)
    assert table[0].change == "as solved"
    assert list(table[1:]) == told
    assert [attempt.parameters for attempt in told] == [count for _, count in oracle.asked]
    assert ending(found) == "complete"
    last = [attempt for attempt in table if attempt.kept][-1]
    assert (last.network, last.edges) == (found.network.title, f"chebyshev {degree}")


def test_what_grew_too_large_is_not_kept(solution, monkeypatch) -> None:
    def larger(run, candidate) -> kp.Solution:
        return Oracle(lambda _: True)(run, search.Candidate("", candidate.network.grown(lambda _: 40)))

    monkeypatch.setattr(search, "trained", larger)
    assert pruned(solution).n_parameters == solution.n_parameters


def test_nothing_smaller_is_as_given(solution, monkeypatch) -> None:
    monkeypatch.setattr(search, "trained", Oracle(lambda _: False))
    found = pruned(solution)
    assert found.record.theta.tobytes() == solution.record.theta.tobytes()
    assert found.converged
    assert found.seconds >= solution.seconds
    assert not any(attempt.kept for attempt in attempts(found)[1:])
    assert attempts(solution) == ()
    assert ending(solution) == ""


def test_a_node_that_cannot_be_spared_does_not_end_the_search(solution, monkeypatch) -> None:
    """The least important node is needed here; the next one is not."""
    needed = solution.network.coefficients[0].detach()[ranked(solution)[0][0][1]].clone()
    monkeypatch.setattr(
        search, "trained", Oracle(lambda net: any(torch.equal(row, needed) for row in net.coefficients[0].detach()))
    )
    found = pruned(solution)
    assert found.network.layers[0].outputs <= 2  # beside it the most important one, which a layer keeps


def test_threshold_keeps_what_matters(solution, monkeypatch) -> None:
    monkeypatch.setattr(search, "trained", Oracle(lambda net: min(edges_of(net)) >= 6))
    shares = [share for _, share in ranked(solution)]
    found = pruned(solution, threshold=0.5 * (shares[0] + shares[1]))
    assert found.network.layers[0].outputs == 4
    again = ranked(found)
    assert again[0][1] >= shares[1]


def test_time_ends_a_search(solution, monkeypatch) -> None:
    oracle = Oracle(lambda _: True)
    monkeypatch.setattr(search, "trained", oracle)
    found = pruned(solution, max_seconds=1e-9)
    assert not oracle.asked
    assert ending(found) == "out of time"
    assert found.record.theta.tobytes() == solution.record.theta.tobytes()


@pytest.mark.parametrize("how", ["raises", "answers", "late"])
def test_an_interrupted_search_keeps_what_it_has(solution, monkeypatch, how: str) -> None:
    oracle = Oracle(lambda _: True)

    def stopped(run, candidate) -> kp.Solution:
        if oracle.asked:
            if how == "raises":
                raise KeyboardInterrupt
            found = oracle(run, candidate)
            status = "interrupted" if how == "answers" else "out of time"
            return dataclasses.replace(found, record=dataclasses.replace(found.record, status=status))
        return oracle(run, candidate)

    monkeypatch.setattr(search, "trained", stopped)
    found = pruned(solution)
    assert found.converged
    assert found.n_parameters < solution.n_parameters
    assert ending(found) == ("complete" if how == "late" else "interrupted")
    assert sum(attempt.kept for attempt in attempts(found)) == 2


@pytest.mark.slow
def test_real_training_keeps_the_accuracy(solution, monkeypatch) -> None:
    monkeypatch.setattr(search, "STEPS", 25)
    found = pruned(solution)
    assert found.converged
    assert found.relative_l2 < 1e-3
    assert found.n_parameters < 0.5 * solution.n_parameters
    assert found.record.rtol == 1e-3
    kept = [attempt.parameters for attempt in attempts(found) if attempt.kept]
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] == found.n_parameters


def small(name: str, widths: list, rtol: float, **options) -> kp.Solution:
    network = kp.KAN(widths, "chebyshev", degree=options.pop("degree", 5), seed=options.pop("seed", 0))
    pinned = kp.Pinned(candidates=1)
    return kp.solve(problem_file(name), rtol, network=network, stages=[kp.Stage("lm", iterations=40)], pinned=pinned)


KINDS = {
    "one dimension": lambda: kp.solve(problem_file("poisson_1d"), 1e-4),
    "several unknowns": lambda: small("coupled", [2, (1, 2), 2], 0.05, degree=4),
    "deep": lambda: small("regression", [2, (2, 1), 2, 1], 0.3, degree=4, seed=1),
    "units": lambda: small("micrometres", [2, (1, 1), 1], 1e-2, degree=4),
}


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind == "several unknowns")) for kind in KINDS]
)
def test_problems_of_every_kind(kind: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(search, "STEPS", 20)
    if kind != "one dimension":
        monkeypatch.setattr(moves, "coarser_edges", lambda _: False)
    given = KINDS[kind]()
    assert given.converged
    found = pruned(given)
    assert found.converged
    assert found.n_parameters < given.n_parameters
    assert found.relative_l2 < given.record.rtol
    again = kp.load(found.save(tmp_path / "s.h5"))
    assert again.n_parameters == found.n_parameters
    assert attempts(again) == attempts(found)
    assert (
        again(given.problem.domain.bounds.mean(1)[None]).tolist()
        == found(given.problem.domain.bounds.mean(1)[None]).tolist()
    )


def test_networks_without_nodes_are_refused(solution) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(1, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1)).double()
    own = kp.solve(problem_file("poisson_1d"), network=module, stages=[kp.Stage(iterations=1)])
    with pytest.raises(ProblemError, match="has no nodes; use KAN or MLP"):
        pruned(own)
    with pytest.raises(ProblemError, match="several windows of time; solve it with windows=1"):
        pruned(dataclasses.replace(solution, field=object()))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"rtol": 0.0}, "rtol must be a positive number"),
        ({"rtol": float("nan")}, "rtol must be a positive number"),
        ({"max_seconds": 0.0}, "max_seconds must be positive"),
        ({"threshold": 0.0}, "threshold=0.0 is no share"),
        ({"threshold": 2.0}, "threshold=2.0 is no share"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(solution, wish, words: str) -> None:
    with pytest.raises(ProblemError, match=words):
        pruned(solution, **wish)


def test_conditions_are_kept_as_they_were(solution, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(search, "solve", lambda *_, **options: asked.append(options) or solution)
    soft = dataclasses.replace(solution.field, ansatz=dataclasses.replace(solution.field.ansatz, imposed=()))
    for given in (solution, dataclasses.replace(solution, field=soft)):
        run = search.Search(given, 1e-3)
        search.trained(run, search.Candidate("", solution.network))
    assert [options["exact_conditions"] for options in asked] == [None, False]
    assert asked[0]["stages"] == [kp.Stage(iterations=search.STEPS)]


def test_random_starts_go_from_coarse_to_fine() -> None:
    network = kp.KAN([2, 1, 1], "chebyshev", degree=6)
    stages = search.Candidate("", network, 20).stages
    assert [stage.intervals for stage in stages] == [None, 9, 13, 19, 20]
    assert [stage.intervals for stage in search.Candidate("", network).stages] == [None]


def test_edges_get_finer_within_a_budget() -> None:
    network = kp.KAN([2, (1, 1), 1], "chebyshev", degree=4)
    network.scalars = (2.0,)
    for most in (network.n_parameters, 60, 1000):
        finer = moves.finer_within(network, most)
        assert network.n_parameters <= finer.n_parameters <= most
        assert_close(values(finer, points(2, 9)), values(network, points(2, 9)), 1e-13)
        assert finer.scalars == (2.0,)
    assert edges_of(finer) == [8, 8]
    assert moves.affordable(network, 60, 99) == 6
    assert moves.affordable(network, 5, 99) == 0


@pytest.mark.parametrize(("sums", "products"), [(1, 0), (0, 1), (1, 1), (2, 2)])
def test_smallest_finds_tiny_networks_and_others(solution, monkeypatch, sums: int, products: int) -> None:
    def good(net: Network) -> bool:
        return net.layers[0].sums >= sums and net.layers[0].products >= products and min(edges_of(net)) >= 3

    monkeypatch.setattr(search, "trained", Oracle(good))
    found = smallest(solution.problem, 1e-3, start=solution)
    assert (found.network.layers[0].sums, found.network.layers[0].products) == (sums, products)
    assert edges_of(found.network) == [3, 3]


def test_smallest_trades_nodes_for_finer_edges(solution, monkeypatch) -> None:
    """Here a network is good enough if it has many edges' worth of functions, however few nodes these are on."""
    monkeypatch.setattr(descent, "TINY", ())
    monkeypatch.setattr(search, "trained", Oracle(lambda net: net.layers[0].outputs * min(edges_of(net)) >= 30))
    found = smallest(solution.problem, 1e-3, start=solution)
    assert found.network.layers[0].outputs < 5
    assert min(edges_of(found.network)) > 6
    assert found.n_parameters < solution.n_parameters


def test_random_starts_help_where_what_is_left_does_not(solution, monkeypatch) -> None:
    monkeypatch.setattr(descent, "TINY", ())
    oracle = Oracle(lambda _: False)
    monkeypatch.setattr(search, "trained", oracle)
    smallest(solution.problem, 1e-3, start=solution)
    starts = {key for key, _ in oracle.asked if " to " in key}
    assert len(starts) == descent.RESTARTS


def test_every_other_random_start_has_fine_edges(solution, monkeypatch) -> None:
    oracle = Oracle(lambda _: False)
    monkeypatch.setattr(search, "trained", oracle)
    fine = search._with(solution, solution.network.grown(lambda _: 18))
    descent.afresh(search.Search(fine, 1e-3))
    sizes = [count for _, count in oracle.asked]
    assert len(sizes) == descent.RESTARTS
    assert sizes[0] == sizes[2] < sizes[1] == sizes[3]
    assert len({key for key, _ in oracle.asked}) == descent.RESTARTS


def test_a_search_goes_on_where_it_was(solution, monkeypatch, tmp_path: Path) -> None:
    def good(net: Network) -> bool:
        return net.layers[0].outputs >= 2 and min(edges_of(net)) >= 4

    whole = Oracle(good)
    monkeypatch.setattr(search, "trained", whole)
    expected = smallest(solution.problem, 1e-3, start=solution)
    path, parts = tmp_path / "s.h5", Oracle(good)

    def dying(run, candidate) -> kp.Solution:
        if len(parts.asked) == 5:
            raise RuntimeError
        return parts(run, candidate)

    monkeypatch.setattr(search, "trained", dying)
    with pytest.raises(RuntimeError):
        smallest(solution.problem, 1e-3, start=solution, checkpoint=path)
    monkeypatch.setattr(search, "trained", parts)
    found = smallest(solution.problem, 1e-3, checkpoint=path, resume=True)
    keys = [key for key, _ in parts.asked]
    assert len(keys) == len(set(keys))
    assert found.n_parameters == expected.n_parameters
    assert [a.key for a in attempts(found)][1:] == keys
    assert attempts(found)[:6] == attempts(expected)[:6]
    large = search.begun_with(found)
    assert large is not None
    assert large.layers == solution.network.layers
    assert search.begun_with(solution) is None


def test_smallest_says_what_is_wrong(solution, tmp_path: Path) -> None:
    problem = solution.problem
    with pytest.raises(ProblemError, match="resume=True needs checkpoint="):
        smallest(problem, resume=True)
    with pytest.raises(ProblemError, match="rtol must be a positive number"):
        smallest(problem, -1.0)
    (tmp_path / "s.h5").write_bytes(b"no file of ours")
    with pytest.raises(StoreError):
        smallest(problem, checkpoint=tmp_path / "s.h5", resume=True)


@pytest.mark.parametrize("find", [pruned, lambda given, rtol: smallest(given.problem, rtol, start=given)])
def test_a_tolerance_that_nothing_meets_is_not_met(solution, monkeypatch, find) -> None:
    monkeypatch.setattr(search, "trained", Oracle(lambda _: False))
    found = find(solution, 1e-9)
    assert not found.converged
    assert found.record.rtol == 1e-9
    assert "is above 1.0e-09/1.5, and no smaller network does better" in found.status
    assert find(solution, 0.1).record.rtol == 0.1


def test_smallest_of_what_was_interrupted_says_so(solution) -> None:
    record = dataclasses.replace(solution.record, status="interrupted", error_estimate=None, converged=False)
    found = smallest(solution.problem, 1e-3, start=dataclasses.replace(solution, record=record))
    assert (found.status, ending(found)) == ("interrupted", "interrupted")


def test_smallest_of_what_did_not_converge_is_that(solution, monkeypatch) -> None:
    oracle = Oracle(lambda _: True)
    monkeypatch.setattr(search, "trained", oracle)
    found = smallest(solution.problem, 1e-9, start=solution)
    assert not oracle.asked
    assert found.n_parameters == solution.n_parameters


def test_smallest_begins_with_the_default_solution() -> None:
    found = smallest(problem_file("poisson_1d"), 1e-3)
    assert found.converged
    assert attempts(found)[0].parameters > found.n_parameters
    assert found.relative_l2 < 1e-3


@pytest.fixture
def directory(solution, tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "trained", Oracle(lambda net: net.layers[0].outputs >= 2))
    solution.save(tmp_path / "results" / "poisson.h5")
    return tmp_path / "results"


def test_prune_command(directory: Path, capsys) -> None:
    assert main(["prune", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    told = json.loads(lines[-1])
    found = kp.load(directory / "poisson-pruned.h5")
    assert told["parameters"] == found.n_parameters < told["parameters_before"]
    assert (told["search"], told["converged"], told["rtol"]) == ("complete", True, 1e-3)
    assert len(told["attempts"]) == len(attempts(found))
    assert any("node" in line and "kept" in line for line in lines)
    assert f"{told['parameters_before']} parameters before, {found.n_parameters} now" in "\n".join(lines)
    assert main(["prune", "--json"]) == 0
    again = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert len(again) == 1  # of the directory, not once more what it has made
    assert sorted(path.name for path in directory.glob("*.h5")) == ["poisson-pruned.h5", "poisson.h5"]


def test_prune_command_to_another_tolerance(directory: Path, capsys) -> None:
    assert main(["prune", "poisson", "--rtol", "1e-9", "--json", "--out", str(directory)]) in (0, 3)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["parameters"] < told["parameters_before"]


@pytest.mark.parametrize("words", [["--rtol", "-1"], ["--max-seconds", "0"], ["nowhere"]])
def test_prune_command_refuses_in_one_line(directory: Path, capsys, words: list[str]) -> None:
    assert main(["prune", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (directory / "poisson-pruned.h5").exists()


FILE = """
import sympy as sp
import kanpde as kp

x = sp.Symbol("x", real=True)
u = sp.Function("u")(x)
exact = sp.sin(sp.pi * x)
equation = sp.Eq(u.diff(x, 2), exact.diff(x, 2))
problem = kp.Problem(kp.Box({x: (-1, 1)}), equation, kp.Dirichlet(u, 0), exact={u: exact}, name="line")
"""


def test_smallest_command(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("line.py").write_text(FILE, encoding="utf-8")
    assert main(["smallest", "line.py", "--rtol", "1e-3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    found = kp.load("results/line-smallest.h5")
    assert told["parameters"] == found.n_parameters < told["parameters_before"]
    assert told["network"] == "KAN [1, 1], chebyshev"
    assert main(["smallest", "line.py", "--rtol", "1e-3", "--resume", "--json"]) == 0
    again = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert again["parameters"] == told["parameters"]
    assert len(again["attempts"]) == len(told["attempts"])


def test_smallest_command_without_convergence(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("line.py").write_text(FILE, encoding="utf-8")
    assert main(["smallest", "line.py", "--rtol", "1e-30", "--max-seconds", "0.2"]) == 3
    assert main(["smallest", "none.py"]) == 2
    assert "no such file" in capsys.readouterr().err
