"""What every test shares: one thread a process, so that parallel tests neither compete nor differ from run to run.

Shapes in signatures (jaxtyping) are checked by beartype here only: `pytest --shapes` installs the import hook. It is
off by default because it wraps every annotated function, and the kernels are called hundreds of thousands of times.
"""

import os

import pytest

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shapes", action="store_true", help="check the shapes in annotations with beartype (slower)")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--shapes"):
        from jaxtyping import install_import_hook

        install_import_hook("kanpde", "beartype.beartype")
