"""The direction of imports: a module of kanpde imports from lower levels only, and nothing heavy is loaded unasked."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kanpde

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kanpde"

# Everything may raise the errors of kanpde, so they lie below level 0; much reads expressions or writes files.
LEVELS = {
    "errors": -2,
    "files": -1,
    "meshfile": -1,
    "expression": -1,
    "sampling": -1,
    "multiindex": 0,
    "domain": 0,
    "optim": 0,
    "hdf5": 0,
    "tables": 0,
    "provenance": 0,
    "webpage": 0,
    "operator": 1,
    "meshing": 1,
    "jet": 1,
    "problem": 2,
    "network": 2,
    "field": 2,
    "lowering": 2,
    "walls": 4,
    "corners": 3,
    "kinks": 3,
    "features": 4,
    "lifting": 5,
    "collocation": 3,
    "references": 3,
    "record": 3,
    "dimensionless": 3,
    "sparsity": 3,
    "residuals": 4,
    "adaptive": 4,
    "causal": 4,
    "store": 4,
    "estimate": 5,
    "oscillation": 3,
    "continuation": 4,
    "stages": 5,
    "diagnosis": 5,
    "diagrams": 6,
    "snapshot": 6,
    "plan": 6,
    "identification": 6,
    "enlarging": 7,
    "start": 7,
    "eigen": 7,
    "judge": 7,
    "plots": 5,
    "export": 5,
    "pointwise": 5,
    "symbolic": 7,
    "training": 8,
    "exporting": 8,
    "solution": 9,
    "gallery": 10,
    "pruning": 10,
    "studies": 10,
    "__init__": 11,
    "cli": 11,
}
HEAVY = ("matplotlib", "dask", "distributed", "skfem", "meshio", "netgen", "h5py")
# Each heavy library is loaded by `importlib.import_module` in the one module named here.
LOADERS = {
    "dask": "studies",
    "distributed": "studies",
    "matplotlib": "plots",
    "h5py": "hdf5",
    "scipy": "sampling",
    "meshio": "meshfile",
    "netgen": "meshing",
    "onnx": "exporting",
    "skfem": "references",
}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "sympify", "lambdify", "parse_expr"}

FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """kanpde/network/basis.py -> kanpde.network.basis, kanpde/network/__init__.py -> kanpde.network."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module: str) -> str:
    """The name under which LEVELS lists a module."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


MODULES = {module_name(path): path for path in FILES}


def imported_names(path: Path) -> Iterator[str]:
    """Absolute dotted names that a file imports anywhere, inside functions and type-checking blocks too."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *(node.module.split(".") if node.module else [])])
            for alias in node.names:
                name = f"{origin}.{alias.name}"
                yield name if name in MODULES else origin


def internal_imports(path: Path) -> set[str]:
    """The modules of kanpde that a file imports."""
    return {name for name in imported_names(path) if name.split(".")[0] == "kanpde"}


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_level(module: str) -> None:
    assert layer(module) in LEVELS, f"{module} has no level: add it to LEVELS and to docs/architecture.md"


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    own = layer(module)
    others = {name for name in internal_imports(MODULES[module]) if layer(name) != own}
    upward = {name for name in others if LEVELS[layer(name)] >= LEVELS[own]}
    assert not upward, f"{module} (level {LEVELS[own]}) imports {sorted(upward)}"


def test_no_import_cycle() -> None:
    graph = {name: internal_imports(path) - {name} for name, path in MODULES.items()}
    tuple(graphlib.TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", [name for name in MODULES if layer(name) == "references"])
def test_references_never_see_torch(module: str) -> None:
    roots = {name.split(".")[0] for name in imported_names(MODULES[module])}
    layers = {layer(name) for name in internal_imports(MODULES[module])}
    assert "torch" not in roots
    assert not layers & {"network", "jet", "field", "residuals", "training"}


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_are_not_imported_directly(module: str) -> None:
    roots = {name.split(".")[0] for name in imported_names(MODULES[module])}
    assert not roots & set(HEAVY)


@pytest.mark.parametrize("module", MODULES)
def test_imports_stand_at_the_top(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = [
        inner.lineno
        for function in functions
        for inner in ast.walk(function)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert not inside, f"{module}: imports inside functions at lines {inside}"


def loaded_libraries(module: str) -> set[str]:
    """The libraries that a module loads through importlib.import_module."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and called_name(node) == "import_module"]
    if module == "kanpde":
        return {name.split(".")[0] for name in kanpde._LATER.values()} - {"kanpde"}
    return {str(ast.literal_eval(call.args[0])).split(".")[0] for call in calls}


def called_name(call: ast.Call) -> str:
    """The last part of the name that is called: import_module for importlib.import_module(...)."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_are_loaded_in_one_place(module: str) -> None:
    for library in loaded_libraries(module):
        assert LOADERS.get(library) == layer(module), f"{module} loads {library}"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_evaluated_from_text(module: str) -> None:
    """`eval`, `exec` and `sympify` run what a text says; re.compile and our own classes' methods do not."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    plain = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    methods = {called_name(node) for node in ast.walk(tree) if isinstance(node, ast.Call)} & {"sympify", "lambdify"}
    assert not (plain | methods) & FORBIDDEN_CALLS


@pytest.mark.parametrize("name", kanpde.__all__)
def test_front_page_keeps_its_promises(name: str) -> None:
    assert name in dir(kanpde)
    assert getattr(kanpde, name).__name__ == name
    assert getattr(kanpde, name) is getattr(kanpde, name)


def test_front_page_refuses_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = kanpde.nonsense


def test_import_of_kanpde_is_light() -> None:
    script = f"import sys, kanpde; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert result.stdout.strip() == "[]"
    assert result.stderr == ""
