"""The methods that are compared: a library, a variant of its best documented setting, a line in the figure."""

from __future__ import annotations

from dataclasses import dataclass

from kanpde.plots.canvas import BLUE, GREEN, ORANGE, PINK, SKY

GOLD = "#DDAA00"


@dataclass(frozen=True)
class Peer:
    """One method.

    Attributes:
        name: on the command line.
        library: names the environment and the script `<library>_run.py`.
        variant: handed to the script.
        label: in the figure and the table.
        colour: of its lines.
    """

    name: str
    library: str
    variant: str
    label: str
    colour: str

    @property
    def module(self) -> str:
        """The script, as a module."""
        return f"benchmarks.peers.{self.library}_run"


PEERS = {
    peer.name: peer
    for peer in (
        Peer("kanpde", "kanpde", "", "kanpde", BLUE),
        Peer("deepxde-hard-nncg", "deepxde", "hard-nncg", "DeepXDE, exact conditions, NNCG", GREEN),
        Peer("deepxde-hard", "deepxde", "hard", "DeepXDE, exact conditions", SKY),
        Peer("deepxde-soft", "deepxde", "soft", "DeepXDE, soft conditions", GOLD),
        Peer("jaxkan", "jaxkan", "", "jaxKAN, exact conditions", ORANGE),
        Peer("pykan", "pykan", "", "pykan, soft conditions", PINK),
    )
}
