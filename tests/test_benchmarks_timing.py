"""The small benchmarks: both sides compute the same, gates can be missed, the file says what the table says."""

import json
from pathlib import Path

import pytest
import torch
from contracts import assert_close

from benchmarks import iteration, kernel
from benchmarks.timing import Gate, in_turns, report


def test_both_sides_of_the_kernel_have_the_same_gradient():
    network, at = kernel.kan(5), kernel.points(200)
    kernel.through_jets(network, at)
    fast = [c.grad.clone() for c in network.parameters()]
    kernel.nested(network, at)
    for own, slow in zip(fast, network.parameters(), strict=True):
        assert_close(own, slow.grad, 1e-10)


@pytest.mark.parametrize("orthogonal", [False, True])
def test_the_bare_algebra_solves_the_damped_equations(orthogonal: bool):
    step = iteration.bare(30, 8, orthogonal)()
    jacobian = torch.randn(9, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    damped = jacobian @ jacobian.T + torch.eye(9, dtype=torch.float64)
    assert_close(damped @ step, torch.eye(9, dtype=torch.float64)[:, :1], 1e-10)


def test_gates():
    assert Gate("ratio", 2.0, 3.0).passed
    assert not Gate("ratio", 4.0, 3.0).passed
    assert Gate("ratio", 4.0, 3.0, at_least=True).passed
    assert "MISSED" in str(Gate("ratio", 2.0, 3.0, at_least=True))


def test_cases_take_turns():
    calls: list[str] = []
    seconds = in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert "".join(calls) == "aabb" + "ab" * 3
    assert set(seconds) == {"a", "b"}


def test_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = [{"case": "one", "ms": 1.23456}, {"case": "two", "ms": 2.0, "MB": 3.0}]
    assert report(tmp_path / "new" / "table.json", rows, [Gate("ms", 2.0, 1.0)]) == 1
    stored = json.loads((tmp_path / "new" / "table.json").read_text(encoding="utf-8"))
    assert stored["rows"] == rows
    assert stored["gates"][0]["passed"] is False
    assert {"machine", "date", "threads", "commit"} <= set(stored["about"])
    assert "1.23" in capsys.readouterr().out
