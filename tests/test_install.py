"""What a newcomer meets first: the README's two commands, the metadata, and the version."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")


def fenced_blocks() -> list[str]:
    return re.findall(r"^```[a-z]*\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def pinned() -> dict[str, str]:
    lines = [line for line in CONSTRAINTS.splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("index", [0, 1])
def test_first_two_blocks_are_one_line_each(index: int) -> None:
    block = fenced_blocks()[index]
    assert len(block.strip().splitlines()) == 1
    assert "-m venv" in block
    assert "-c constraints.txt" in block


def test_first_block_solves_and_second_tests() -> None:
    solve, test = fenced_blocks()[:2]
    assert solve.strip().endswith("kanpde solve problems/poisson.py")
    assert "[test]" in test
    assert test.strip().endswith("pytest")


def test_readme_shows_a_figure_before_the_first_command() -> None:
    figure = re.search(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert figure is not None
    assert figure.start() < README.index("```")
    assert (ROOT / figure.group(1)).suffix == ".png"
    assert (ROOT / figure.group(1)).is_file()


def test_every_requirement_is_a_range_and_is_pinned() -> None:
    extras = PROJECT["optional-dependencies"]
    requirements = [*PROJECT["dependencies"], *extras["test"], *extras["dev"]]
    names = {normalized(re.split(r"[<>=!~\[; ]", requirement)[0]) for requirement in requirements}
    assert names <= pinned().keys()
    assert all(">=" in requirement for requirement in [*PROJECT["dependencies"], *extras["test"]])
    assert all("==" in requirement for requirement in extras["dev"])


def test_constraints_name_exact_versions_and_no_accelerator_packages() -> None:
    assert pinned()["torch"] == "2.13.0"
    assert not [name for name in pinned() if re.match("nvidia|cuda|triton", name)]
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pinned().values())


def test_development_tools_are_pinned_once() -> None:
    for requirement in PROJECT["optional-dependencies"]["dev"]:
        name, version = requirement.split("==")
        assert pinned()[name] == version


def test_installed_metadata() -> None:
    metadata = importlib.metadata.metadata("kanpde")
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["License-Expression"] == "MIT"
    scripts = importlib.metadata.entry_points(group="console_scripts", name="kanpde")
    assert {script.value for script in scripts} == {"kanpde.cli:main"}


def test_version_is_said_alike_everywhere() -> None:
    version = PROJECT["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
