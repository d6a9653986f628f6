"""Networks: layers of univariate bases, their jets and adjoints. They know no equation."""

from kanpde.network.architecture import KAN, MLP, network_from_spec, network_spec, with_bounds, with_periodic
from kanpde.network.basis import Activation, Basis, Chebyshev, Fourier, GaussianRBF, Joined
from kanpde.network.bspline import BSpline
from kanpde.network.growth import deepened, restarted, widened, with_breaks
from kanpde.network.layer import Expansion, Layer, Tape
from kanpde.network.module import ModuleNetwork, module_jet
from kanpde.network.network import Network, Sweep
from kanpde.network.trainable import Swept, Trainable

__all__ = [
    "KAN",
    "MLP",
    "Activation",
    "BSpline",
    "Basis",
    "Chebyshev",
    "Expansion",
    "Fourier",
    "GaussianRBF",
    "Joined",
    "Layer",
    "ModuleNetwork",
    "Network",
    "Sweep",
    "Swept",
    "Tape",
    "Trainable",
    "deepened",
    "module_jet",
    "network_from_spec",
    "network_spec",
    "restarted",
    "widened",
    "with_bounds",
    "with_breaks",
    "with_periodic",
]
