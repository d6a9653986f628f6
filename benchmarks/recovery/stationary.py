"""Stationary partial differential equations with closed solutions."""

from __future__ import annotations

import sympy as sp

import kanpde as kp
from benchmarks.recovery.case import Case, stated, valued

x, y, z = sp.symbols("x y z", real=True)
u = sp.Function("u")(x, y)
w = sp.Function("u")(x, y, z)
r2 = x**2 + y**2
half = sp.Rational(1, 2)


def liouville_disk() -> Case:
    """Δu + 32/25 exp(u) = 0 on the unit disk, zero at its edge, on the lower branch."""
    exact = 2 * sp.log(sp.Rational(5, 4) / (1 + r2 / 4))
    equation = sp.Eq(kp.laplacian(u) + sp.Rational(32, 25) * sp.exp(u), 0)
    disk = kp.Disk((x, y), (0, 0), 1)
    return stated("liouville_disk", disk, equation, kp.Dirichlet(u, 0), {u: exact}, "Liouville 1853; Gelfand 1963")


def annulus_potential() -> Case:
    """Laplace's equation between two circles that are held at 0 and at 3."""
    outer, inner = kp.Disk((x, y), (0, 0), 2), kp.Disk((x, y), (0, 0), 1)
    exact = 3 * sp.log(r2) / (2 * sp.log(2))
    conditions = [kp.Dirichlet(u, 0, on=inner.boundary), kp.Dirichlet(u, 3, on=outer.boundary)]
    source = "textbook: cylindrical capacitor"
    return stated("annulus_potential", outer - inner, sp.Eq(kp.laplacian(u), 0), conditions, {u: exact}, source)


def laplace_plate() -> Case:
    """Laplace's equation on a plate that is heated along one side."""
    plate = kp.Box({x: (0, sp.pi), y: (0, 1)})
    exact = sp.sin(2 * x) * sp.sinh(2 * y) / sp.sinh(2)
    hot = plate.upper(y)
    conditions = [kp.Dirichlet(u, sp.sin(2 * x), on=hot), kp.Dirichlet(u, 0, on=plate.boundary - hot)]
    source = "textbook: separation of variables"
    return stated("laplace_plate", plate, sp.Eq(kp.laplacian(u), 0), conditions, {u: exact}, source)


def dipole() -> Case:
    """Laplace's equation: the potential of a dipole outside of the domain."""
    exact = {u: x / r2}
    box = kp.Box({x: (1, 2), y: (-half, 1)})
    return stated("dipole", box, sp.Eq(kp.laplacian(u), 0), valued(exact), exact, "textbook: plane dipole", False)


def poisson_sum() -> Case:
    """Poisson's equation, manufactured: a damped wave and a product."""
    exact = sp.exp(-x / 2) * sp.sin(sp.sqrt(2) * y) + x * y
    load = exact.diff(x, 2) + exact.diff(y, 2)
    box = kp.Box({x: (0, 2), y: (0, 2)})
    equation = sp.Eq(kp.laplacian(u), load)
    return stated("poisson_sum", box, equation, valued({u: exact}), {u: exact}, "manufactured", False)


def helmholtz_wave() -> Case:
    """Helmholtz's equation: a plane wave in a general direction, with a phase."""
    exact = {u: sp.cos(sp.sqrt(2) * x + sp.Rational(3, 2) * y + sp.Rational(2, 5))}
    box = kp.Box({x: (0, sp.Rational(3, 2)), y: (0, sp.Rational(3, 2))})
    equation = sp.Eq(kp.laplacian(u) + sp.Rational(17, 4) * u, 0)
    return stated("helmholtz_wave", box, equation, valued(exact), exact, "textbook: plane wave", False)


def screened_front() -> Case:
    """Δu - 3 u = f, manufactured: a front across the square."""
    exact = sp.tanh(2 * x + y - 1)
    load = exact.diff(x, 2) + exact.diff(y, 2) - 3 * exact
    box = kp.Box({x: (-1, 1), y: (-1, 1)})
    equation = sp.Eq(kp.laplacian(u) - 3 * u, load)
    return stated("screened_front", box, equation, valued({u: exact}), {u: exact}, "manufactured", False)


def variable_conductivity() -> Case:
    """div((1 + x²) grad u) = f, manufactured."""
    exact = sp.exp(-x) * (1 + y**2)
    load = sp.expand(((1 + x**2) * exact.diff(x)).diff(x) + (1 + x**2) * exact.diff(y, 2))
    box = kp.Box({x: (-1, 1), y: (0, 1)})
    equation = sp.Eq(kp.divergence((1 + x**2) * kp.gradient(u)), load)
    return stated("variable_conductivity", box, equation, valued({u: exact}), {u: exact}, "manufactured", False)


def clamped_disk() -> Case:
    """A clamped circular plate under a uniform load: Δ²u = 16."""
    exact = (1 - r2) ** 2 / 4
    disk = kp.Disk((x, y), (0, 0), 1)
    equation = sp.Eq(kp.laplacian(kp.laplacian(u)), 16)
    source = "Timoshenko & Woinowsky-Krieger 1959"
    return stated("clamped_disk", disk, equation, [kp.Dirichlet(u, 0), kp.Neumann(u, 0)], {u: exact}, source)


def cubic_poisson() -> Case:
    """Δu = 4 u³ with the values of a solution that depends on x + y."""
    exact = {u: 1 / (1 + x + y)}
    box = kp.Box({x: (0, 1), y: (0, 1)})
    equation = sp.Eq(kp.laplacian(u), 4 * u**3)
    return stated("cubic_poisson", box, equation, valued(exact), exact, "Polyanin & Zaitsev 2012", False)


def poisson_cube() -> Case:
    """Poisson's equation in the unit cube, manufactured as a product."""
    exact = sp.sin(x) * sp.cos(2 * y) * sp.exp(z / 2)
    box = kp.Box({x: (0, 1), y: (0, 1), z: (0, 1)})
    equation = sp.Eq(kp.laplacian(w), -sp.Rational(19, 4) * exact)
    return stated("poisson_cube", box, equation, valued({w: exact}), {w: exact}, "manufactured", False)


def coulomb() -> Case:
    """Laplace's equation in a cuboid: the potential of a point charge outside."""
    exact = {w: 1 / sp.sqrt(x**2 + y**2 + z**2)}
    box = kp.Box({x: (1, 2), y: (0, 1), z: (0, 1)})
    return stated("coulomb", box, sp.Eq(kp.laplacian(w), 0), valued(exact), exact, "textbook: point charge", False)


STATIONARY = (
    liouville_disk,
    annulus_potential,
    laplace_plate,
    dipole,
    poisson_sum,
    helmholtz_wave,
    screened_front,
    variable_conductivity,
    clamped_disk,
    cubic_poisson,
    poisson_cube,
    coulomb,
)
