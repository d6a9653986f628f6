"""The command line: `kanpde solve | reference | show | plot`."""

from kanpde.cli.app import main

__all__ = ["main"]
