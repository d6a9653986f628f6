"""The problems on which the error estimate is calibrated.

What is not smooth, or so steep that no small network can be expected to follow it, is in ROUGH: there the estimate has
to be honest, the solver need not converge. Waves are kept away from resonance. Problems stay in the table whatever the
solver makes of them. Their data must not give their solutions away, which tests/test_benchmarks_trust.py looks after.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp
from sympy import Rational, atan2, cos, exp, log, pi, sin, sqrt, tanh

import kanpde as kp
from benchmarks.manufactured import (
    Instance,
    Part,
    advection,
    beam,
    burgers,
    convection,
    convective,
    cubic,
    decay,
    derivative,
    diffusion,
    drift,
    elastic,
    exchange,
    exponential,
    fisher,
    flux,
    heat,
    kink,
    klein_gordon,
    logistic,
    mean_zero,
    mixture,
    oscillation,
    poisson,
    quasilinear,
    reaction,
    ring,
    rivals,
    sheared,
    species,
    spiral,
    start,
    swing,
    t,
    value,
    waves,
    x,
    y,
    z,
)
from kanpde.domain import Domain, Region

# ---- domains

line, shifted, circle = kp.Box({x: (0, 1)}), kp.Box({x: (-1, 2)}), kp.Box({x: (0, 2 * pi)})
span = kp.Box({t: (0, 4)})
square, unit = kp.Box({x: (-1, 1), y: (-1, 1)}), kp.Box({x: (0, 1), y: (0, 1)})
strip, far, side = kp.Box({x: (0, 4), y: (0, 1)}), kp.Box({x: (10, 11), y: (-3, -1)}), kp.Box({x: (1, 2), y: (1, 3)})
channel, torus = kp.Box({x: (0, 2 * pi), y: (0, 1)}), kp.Box({x: (0, 2 * pi), y: (0, 2 * pi)})
disk, remote = kp.Disk((x, y), (0, 0), 1), kp.Disk((x, y), (5, -3), 2)
ellipse = kp.Ellipse((x, y), (0, 0), (2, 1), angle=pi / 6)
wheel = kp.Disk((x, y), (0, 0), 2)
annulus, half = wheel - disk, disk & kp.Box({x: (-1, 1), y: (0, 1)})
triangle = kp.Polygon((x, y), [(0, 0), (2, 0), (0.5, 1.5)])
pentagon = kp.Polygon((x, y), [(0, 0), (2, 0), (3, 1), (1, 2), (-1, 1)])
angle = square - kp.Box({x: (0, 1), y: (-1, 0)})
hole = kp.Disk((x, y), (0.4, -0.2), 0.25)
holed, pierced = square - kp.Disk((x, y), (0, 0), 0.3), square - hole
cube, brick = kp.Box({x: (0, 1), y: (0, 1), z: (0, 1)}), kp.Box({x: (0, 1), y: (0, 2), z: (-1, 0)})
duct, ball = kp.Box({x: (0, 2 * pi), y: (0, 1), z: (0, 1)}), kp.Sphere((x, y, z), (0, 0, 0), 1)
second = kp.Time(t, (0, 1))
rod, loop, wide = line * second, circle * second, kp.Box({x: (-1, 1)}) * second
plate, belt, coin = unit * second, channel * second, disk * second

# ---- what several share

r2 = x**2 + y**2
on_circle, on_wheel = 1 - r2, 4 - r2
on_ellipse = 1 - (cos(pi / 6) * x + sin(pi / 6) * y) ** 2 / 4 - (cos(pi / 6) * y - sin(pi / 6) * x) ** 2
on_half, on_triangle = y * on_circle, y * (2 - x - y) * (3 * x - y)
layer = exp(20 * (x - 1))  # u_x = u_xx / 20
tensor = sp.Matrix([[2, x], [x, 3]])
corner = r2 ** Rational(1, 3) * cos(2 * atan2(-x - y, y - x) / 3)  # r^(2/3), zero on both sides of the L's corner
given, evolving, swinging = [value()], [value(), start()], [value(), start(), start(1)]
level = [flux(), mean_zero]
round_given, oval_given, ring_given = ([value(zero=zero)] for zero in (on_circle, on_ellipse, on_circle * on_wheel))
half_given, triangle_given = [value(zero=on_half)], [value(zero=on_triangle)]
at_start = [value(span.lower(t))]
pushed = [*at_start, derivative(t, 1, span.lower(t))]
inflow = [value(wide.lower(x)), start()]
around_strip = [value(strip.lower(x)), flux(strip.lower(y) | strip.upper(y)), mixture(1, 2, strip.upper(x))]
around_annulus = [value(disk.boundary, on_circle), flux(wheel.boundary)]
around_hole = [flux(hole.boundary), value(square.boundary)]
around_rod = [flux(line.lower(x)), mixture(1, 1, line.upper(x)), start()]
around_wave = [value(wide.lower(x)), flux(wide.upper(x)), start(), start(1)]


def mostly_given(part: Callable[[Region], Part], region: Region) -> list[Part]:
    """A condition on a part of the boundary; on the rest of it the value is given."""
    return [part(region), value(region.domain.boundary - region)]


def along(domain: Domain) -> list[Part]:
    """Periodic in x, and given on the other sides."""
    return [ring(x), value(domain.boundary - domain.lower(x) - domain.upper(x))]


ORDINARY = (
    Instance("line_sines", "Poisson", line, poisson, sin(2 * pi * x) + sin(5 * pi * x) / 3 + x, given),
    Instance(
        "line_reaction", "reaction", shifted, reaction(1), exp(x) * cos(2 * x), mostly_given(flux, shifted.lower(x))
    ),
    Instance("line_rational", "diffusion", shifted, diffusion(1 + x**2), 1 / (1 + x**2), [mixture(1, 1)]),
    Instance("line_helmholtz", "Helmholtz", line, waves(30), cos(5 * x) + x, given),
    Instance("line_convection", "convection", line, convection(0.1, 1), sin(3 * x) + x**2, given),
    Instance("line_layer", "convection", line, convection(0.05, 1), layer + cos(2 * x), given),
    Instance("line_cubic", "nonlinear", shifted, cubic, 2 * sin(3 * x) + x, given),
    Instance("line_exponential", "nonlinear", shifted, exponential, log(2 + sin(3 * x)), [mixture(2, 1)]),
    Instance("line_convective", "nonlinear", line, convective(0.2), 1 + x / 2 + sin(2 * pi * x) / 4, given),
    Instance("beam_clamped", "biharmonic", line, beam(1, 0), x * exp(x) * sin(3 * x), [value(), flux()]),
    Instance("beam_supported", "biharmonic", shifted, beam(0, 2), cos(2 * x) + x**3, [value(), derivative(x, 2)]),
    Instance("circle_reaction", "reaction", circle, reaction(1), exp(sin(x)), [ring(x)]),
    Instance("decay", "ordinary", span, decay, cos(3 * t) + exp(-2 * t), at_start),
    Instance("logistic", "ordinary", span, logistic, 1 / (1 + 9 * exp(-2 * t)), at_start),
    Instance("oscillator", "ordinary", span, oscillation, exp(-t / 4) * cos(3 * t) + t / 4, pushed),
    Instance("spiral", "system", span, spiral, (exp(-t / 2) * cos(2 * t), sin(2 * t) + t / 4), at_start),
)

BOXES = (
    Instance("square_sines", "Poisson", square, poisson, sin(pi * x) * cos(2 * pi * y) + x * y, given),
    Instance("square_frequencies", "Poisson", square, poisson, sin(3 * pi * x) * sin(2 * pi * y), given),
    Instance("strip_decay", "Poisson", strip, poisson, exp(-x) * sin(pi * y) + y**2, given),
    Instance("far_logarithm", "Poisson", far, poisson, log((x - 9) ** 2 + (y + 4) ** 2), given),
    Instance("square_rational", "Poisson", square, poisson, 1 / (1 + x**2 + 2 * y**2), given),
    Instance("square_gaussian", "Poisson", square, poisson, exp(-10 * ((x - 0.3) ** 2 + (y + 0.2) ** 2)), given),
    Instance("square_peak", "Poisson", square, poisson, exp(-50 * ((x + 0.2) ** 2 + (y - 0.1) ** 2)), given),
    Instance("square_oblique", "Poisson", square, poisson, sin(3 * x * y) + cos(x**2 + y), given),
    Instance(
        "unit_polynomial", "Poisson", unit, poisson, x**3 * y**2 - 2 * x * y**4, mostly_given(flux, unit.upper(x))
    ),
    Instance("unit_neumann", "Poisson", unit, poisson, cos(pi * x) * cos(2 * pi * y) + cos(3 * pi * x), level),
    Instance("square_robin", "Poisson", square, poisson, exp(x / 2) * sin(2 * y), [mixture(2, 1)]),
    Instance("unit_helmholtz", "Helmholtz", unit, waves(35), cos(5 * x + 3 * y) + exp(x * y), given),
    Instance("square_helmholtz", "Helmholtz", square, waves(15 + 2 * x), sin(2 * x + y) * exp(y / 2), given),
    Instance("ripple", "Helmholtz", side, waves(10), cos(6 * sqrt(r2)) / sqrt(sqrt(r2)), given),
    Instance(
        "square_diffusion", "diffusion", square, diffusion(1 + x**2 + y**2 / 2), cos(2 * x) * sin(2 * y) + x, given
    ),
    Instance("square_graded", "diffusion", square, diffusion(exp(x - y)), sin(pi * x * y), given),
    Instance("square_tensor", "anisotropic", square, diffusion(tensor), exp(x) * cos(2 * y), given),
    Instance("square_sheared", "anisotropic", square, sheared, sin(pi * x) * exp(y), given),
    Instance("square_fibres", "anisotropic", square, diffusion(sp.diag(0.05, 1)), sin(2 * pi * x) * exp(y), given),
    Instance("square_convection", "convection", square, convection(0.1, 1, 2), sin(2 * x) * cos(3 * y) + x * y, given),
    Instance("square_vortex", "convection", square, convection(0.2, -y, x), exp(-2 * r2) + x, given),
    Instance("unit_layer", "convection", unit, convection(0.05, 1, 0), layer * sin(pi * y) + cos(x + y), given),
    Instance("strip_mixed", "reaction", strip, reaction(1 + y), exp(-x / 2) * cos(2 * y), around_strip),
    Instance("channel_reaction", "reaction", channel, reaction(1), exp(sin(x)) * (1 + y**2), along(channel)),
    Instance("torus_reaction", "reaction", torus, reaction(2), exp(cos(x) + sin(2 * y) / 2), [ring(x), ring(y)]),
    Instance("square_cubic", "nonlinear", square, cubic, 2 * cos(2 * x + y) * exp(-(y**2)), given),
    Instance(
        "square_exponential", "nonlinear", square, exponential, sin(pi * x) * y, mostly_given(flux, square.upper(y))
    ),
    Instance("square_convective", "nonlinear", square, convective(0.3), sin(2 * x + y) + 1, given),
    Instance("unit_quasilinear", "nonlinear", unit, quasilinear, exp(x * y) * cos(2 * x), given),
    Instance("square_species", "system", square, species, (sin(pi * x) * exp(y / 2), cos(2 * x - y)), given),
    Instance(
        "unit_rivals", "system", unit, rivals, (1 + sin(2 * x) * y, exp(-x * y)), mostly_given(flux, unit.lower(x))
    ),
    Instance("unit_elastic", "system", unit, elastic, (sin(pi * x) * y**2, exp(x) * cos(2 * y)), given),
)

SHAPES = (
    Instance("disk_waves", "Poisson", disk, poisson, sin(3 * x) * exp(y), round_given),
    Instance("disk_neumann", "Poisson", disk, poisson, x * exp(-r2) + x * y, level),
    Instance("disk_cubic", "nonlinear", disk, cubic, cos(3 * x * y) + x, round_given),
    Instance("remote_robin", "reaction", remote, reaction(1), sin(x * y / 4), [mixture(1, 2)]),
    Instance("ellipse_rational", "Poisson", ellipse, poisson, 1 / (4 + x + y), oval_given),
    Instance("ellipse_helmholtz", "Helmholtz", ellipse, waves(2), cos(x + 2 * y), oval_given),
    Instance("annulus_multipoles", "Poisson", annulus, poisson, log(r2) + x / r2 + (x**2 - y**2) / 4, ring_given),
    Instance("annulus_mixed", "diffusion", annulus, diffusion(1 + x**2 / 4), exp(x / 2) * cos(y), around_annulus),
    Instance("triangle_oblique", "Poisson", triangle, poisson, exp(x - y) + sin(2 * x * y), triangle_given),
    Instance("pentagon_exponential", "nonlinear", pentagon, exponential, sin(x + 2 * y) / 2, given),
    Instance("pentagon_convection", "convection", pentagon, convection(0.2, 1, x), cos(x * y), given),
    Instance("angle_smooth", "Poisson", angle, poisson, sin(2 * x) * cos(y) + x * y, given),
    Instance("holed_square", "Poisson", holed, poisson, exp(x) * sin(2 * y), given),
    Instance("pierced_square", "reaction", pierced, reaction(2), cos(2 * x - y), around_hole),
    Instance("half_disk", "diffusion", half, diffusion(2 + y), exp(x) * cos(3 * y), half_given),
)

EVOLUTIONS = (
    Instance("heat_modes", "heat", rod, heat(0.2), exp(-t) * sin(pi * x) + exp(-3 * t) * sin(3 * pi * x), evolving),
    Instance("heat_insulated", "heat", rod, heat(1), cos(2 * x) * exp(-t) + x, around_rod),
    Instance("heat_graded", "heat", rod, heat(1 + x), sin(3 * x + 2 * t), evolving),
    Instance("heat_ring", "heat", loop, heat(0.5), exp(cos(x) - t), [ring(x), start()]),
    Instance("fisher", "nonlinear", wide, fisher, 1 / (1 + exp(3 * x - 2 * t)), [flux(), start()]),
    Instance("wave_modes", "wave", rod, swing(1), sin(pi * x) * cos(pi * t) + sin(2 * pi * (x - t)) / 4, swinging),
    Instance("wave_travelling", "wave", wide, swing(1), exp(-4 * (x - t + 0.3) ** 2), around_wave),
    Instance("wave_damped", "wave", rod, swing(1 + x, 0.5), cos(3 * x - 4 * t) * exp(-t), swinging),
    Instance("klein_gordon", "nonlinear", rod, klein_gordon, x * cos(5 * t) + (x * t) ** 3, swinging),
    Instance("burgers_forced", "nonlinear", rod, burgers(0.1), sin(pi * x) * exp(-t) + x / 2, evolving),
    Instance("burgers_front", "nonlinear", wide, burgers(0.05), (1 - tanh(5 * (x - t / 2 + 0.3))) / 2, evolving),
    Instance("advection_inflow", "advection", wide, advection(1), exp(-5 * (x - t + 0.2) ** 2), inflow),
    Instance(
        "advection_ring", "advection", loop, advection(1 + sin(x) / 2), cos(x - t) + sin(2 * x), [ring(x), start()]
    ),
    Instance("exchange", "system", rod, exchange, (sin(2 * x) * exp(-t), cos(pi * x) * cos(t)), evolving),
    Instance("plate_heat", "heat", plate, heat(0.2), exp(-t) * sin(pi * x) * sin(pi * y) + x * y * t, evolving),
    Instance("plate_wave", "wave", plate, swing(1), sin(pi * x) * sin(pi * y) * cos(4 * t) + x * t, swinging),
    Instance("belt_drift", "convection", belt, drift(0.2), exp(sin(x - t)) * cos(y), [*along(belt), start()]),
    Instance("coin_heat", "heat", coin, heat(0.25), exp(-t) * cos(2 * x + y), [*round_given, start()]),
)

SOLIDS = (
    Instance("cube_sines", "Poisson", cube, poisson, sin(pi * x) * sin(2 * pi * y) * sin(pi * z) + x * z, given),
    Instance("brick_exponential", "Poisson", brick, poisson, exp(x + y / 2) * cos(z * y), given),
    Instance(
        "brick_mixed", "diffusion", brick, diffusion(1 + x / 2), sin(x + y - z), mostly_given(flux, brick.lower(z))
    ),
    Instance("cube_helmholtz", "Helmholtz", cube, waves(12), cos(4 * x + 2 * y) * exp(z), given),
    Instance("cube_cubic", "nonlinear", cube, cubic, 1 + sin(2 * x * y) * exp(z), given),
    Instance("cube_gaussian", "Poisson", cube, poisson, exp(-5 * ((x - 0.4) ** 2 + (y - 0.5) ** 2 + z**2)), given),
    Instance("duct_reaction", "reaction", duct, reaction(1), exp(cos(x)) * sin(2 * y) * (1 + z**2), along(duct)),
    Instance("ball_oblique", "Poisson", ball, poisson, exp(x + y / 2) * cos(2 * z), [value(zero=1 - r2 - z**2)]),
)

ROUGH = (
    Instance("line_kink", "Poisson", line, poisson, kink(x - 0.3) + x, given, smooth=False),
    Instance("line_steep", "convection", line, convection(0.002, 1), exp(500 * (x - 1)) + x, given, smooth=False),
    Instance("square_kink", "Poisson", square, poisson, kink(x - 0.2) * cos(y), given, smooth=False),
    Instance("unit_corner", "Poisson", unit, poisson, r2 ** Rational(5, 4) + x * y, given, smooth=False),
    Instance("square_front", "Poisson", square, poisson, tanh(50 * (x + y / 2 - 0.1)), given, smooth=False),
    Instance("angle_corner", "Poisson", angle, poisson, corner + sin(x * y), given, smooth=False),
    Instance("advection_kink", "advection", wide, advection(0.5), kink(x - t / 2 + 0.1), inflow, smooth=False),
    Instance("heat_kink", "heat", wide, heat(0.2), kink(x - 0.1) * exp(-t), evolving, smooth=False),
)

INSTANCES = (*ORDINARY, *BOXES, *SHAPES, *EVOLUTIONS, *SOLIDS, *ROUGH)
