"""The command line: `kanpde solve | reference | show | plot | gallery`."""

import os

# OpenMP's threads spin while they wait. On a machine that is also busy with other work that makes two threads up to
# thirty times slower than one. The policy is read when PyTorch is loaded, hence before the imports below.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from kanpde.cli.app import main

__all__ = ["main"]
