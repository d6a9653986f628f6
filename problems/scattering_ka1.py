"""A plane wave scattered by a sound-soft disk at ka = 1: complex Helmholtz around the disk.

The truth is the Hankel series of the scattered field, whose impedance data the outer circle has.
"""

import numpy as np
import scipy.special as special
import sympy as sp

import kanpde as kp

x, y = sp.symbols("x y", real=True)
u = kp.complex_unknown("u", x, y)
k, orders = 1, np.arange(-20, 21)
amplitudes = -(1j**orders) * special.jv(orders, k) / special.hankel1(orders, k)


def series(name, radial):
    def total(x, y):
        r, turn = np.hypot(x, y)[:, None], np.exp(1j * np.arctan2(y, x))[:, None]
        return (radial(orders, k * r) * amplitudes * turn**orders).sum(1)

    parts = [kp.Given(f"{name}_{part}", lambda *p, part=part: getattr(total(*p), part)) for part in ("real", "imag")]
    return parts[0](x, y) + sp.I * parts[1](x, y)


leaving = series("leaving", lambda n, s: k * (special.h1vp(n, s) - 1j * special.hankel1(n, s)))  # du/dr - iku
outer, inner = kp.Disk((x, y), (0, 0), 2), kp.Disk((x, y), (0, 0), 1)
incident = kp.Dirichlet(u, -sp.exp(sp.I * k * x), on=inner.boundary)
problem = kp.Problem(
    name="scattering_ka1",
    domain=outer - inner,
    equations=sp.Eq(kp.laplacian(u) + k**2 * u, 0),
    conditions=[incident, kp.Robin(u, -sp.I * k, 1, leaving, on=outer.boundary)],
    exact={u: series("scattered", special.hankel1)},
)


if __name__ == "__main__":
    print(kp.solve(problem, rtol=1e-3))
