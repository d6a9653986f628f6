"""A trained solution as one file of C99: values and first derivatives, with no libraries but math.h and no memory."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

import numpy as np

from kanpde.errors import ProblemError
from kanpde.exporting import c_runtime
from kanpde.exporting.c_expressions import FORMS, helpers, number, statements
from kanpde.exporting.composition import (
    Array,
    Composition,
    Segment,
    check_operations,
    layered,
    matrix_of,
    segments,
    slopes_program,
    values_program,
)
from kanpde.field import SymbolicField
from kanpde.network import Activation, Basis, BSpline, Chebyshev, Fourier, GaussianRBF, Layer, Network
from kanpde.network.bspline import local_matrices

# Keywords, names of the headers, and what the entry point calls its own.
WORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main NULL NAN
INFINITY acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs fdim
floor fma fmax fmin fmod frexp gamma hypot ilogb isfinite isinf isnan j0 j1 jn ldexp lgamma llrint llround log
log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow printf remainder remquo rint round
scalbln scalbn scanf signbit sin sinh sqrt stdin tan tanh tgamma trunc y0 y1 yn x u du a b c k da db own D
COLUMNS
"""
TAKEN = frozenset(re.findall(r"\w+", WORDS))
TABLED = {Chebyshev: "chebyshev", Fourier: "fourier", GaussianRBF: "gaussians"}


def c_source(composition: Composition, name: str) -> str:
    """The text of a file with `void NAME(const double *x, double *u, double *du)`.

    Args:
        composition: of a network of ours.
        name: of the function; what C does not allow in a name becomes _, and what it has already gets one behind it.

    Raises:
        ProblemError: a module of the user's, or a function in the ansatz that math.h lacks.
    """
    network = layered(composition, "C code")
    check_operations([*composition.values_programs, *composition.slopes_programs], set(FORMS), "C99")
    parts = [_start(composition), *_layers(network), _finish(composition)]
    own = "\n\n".join(part for part in parts if part)
    own = "\n\n".join([*helpers(own), *c_runtime.called(own), own])
    entry = _identifier(name, own)
    pieces = [_head(composition, entry), own, _entry(composition, network, entry), _main(entry)]
    return "\n\n".join(pieces) + "\n"


def _identifier(name: str, text: str) -> str:
    """A name that C allows and that the file does not use."""
    found = re.sub(r"\W", "_", name, flags=re.ASCII)
    found = f"u_{found}" if not found or found[0].isdigit() else found
    used = TAKEN | set(re.findall(r"^static (?:const )?\w+ (\w+)", text, flags=re.MULTILINE))
    while found in used:
        found += "_"
    return found


def _head(composition: Composition, entry: str) -> str:
    d, c = len(composition.coordinates), len(composition.columns)
    inputs = ", ".join(f"x[{k}] = {name}" for k, name in enumerate(composition.coordinates))
    outputs = ", ".join(f"u[{k}] = {name}" for k, name in enumerate(composition.columns))
    comment = f"""{composition.title}: values and first derivatives at one point.

void {entry}(const double *x, double *u, double *du);

{inputs}
{outputs}
du[{d} * c + k] = derivative of u[c] by x[k]; du may be NULL, and u is cheaper then

C99, nothing but math.h, no memory, no state: safe in threads. As a program that reads points from its standard
input and prints u and du of each in one line: cc -std=c99 -O2 -D{entry.upper()}_MAIN FILE.c -lm"""
    body = "\n".join(f" * {line}".rstrip() for line in comment.replace("*/", "* /").replace("/*", "/ *").splitlines())
    sizes = f"enum {{ D = {d}, COLUMNS = {c} }};"
    return f"/*\n{body}\n */\n#include <math.h>\n#include <stddef.h>\n\n{sizes}"


def _table(name: str, values: Array | Sequence[float], kind: str = "double") -> str:
    """A constant array, as many numbers in a line as fit."""
    numbers = [str(v) if kind == "int" else repr(float(v)) for v in np.asarray(values).reshape(-1).tolist()]
    rows = textwrap.wrap(", ".join(numbers), 112, break_on_hyphens=False, break_long_words=False)
    body = "\n".join(f"    {row}" for row in rows)
    return f"static const {kind} {name}[] = {{\n{body}\n}};"


def _function(head: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"    {line}" if line else line for line in lines)
    return f"static void {head}\n{{\n{body}\n}}"


def _start(composition: Composition) -> str:
    """Dimensionless coordinates, the expressions of the ansatz, and what goes into the first layer."""
    pairs = zip(composition.origin, composition.length, strict=True)
    places = [
        f"xi[{k}] = x[{k}];" if (a, s) == (0, 1) else f"xi[{k}] = (x[{k}] - {number(a)}) / {number(s)};"
        for k, (a, s) in enumerate(pairs)
    ]
    lengths = _table("length", composition.length)
    scaled = _function("scaled(const double *x, double *xi)", places)
    fields = {"features": composition.features, "frame": composition.frame}
    made = [_field(name, field) for name, field in fields.items() if field is not None]
    return "\n\n".join([lengths, scaled, *made, _inputs(composition)])


def _field(name: str, field: SymbolicField) -> str:
    """Two functions of dimensionless coordinates: values, and slopes by them."""
    count, d = len(field.expressions), len(field.coordinates)
    values = statements(values_program(field), "xi", [f"v[{k}]" for k in range(count)])
    slopes = statements(slopes_program(field), "xi", [f"s[{k}]" for k in range(count * d)])
    return "\n\n".join(
        [
            _function(f"{name}(const double *xi, double *v)", values),
            _function(f"{name}_slopes(const double *xi, double *s)", slopes),
        ]
    )


def _inputs(composition: Composition) -> str:
    """What the network is a function of, with slopes by x."""
    field = composition.features
    if field is None:
        slope = ["for (int i = 0; i < D; i++)", "    for (int k = 0; k < D; k++)"]
        body = [
            "scaled(x, z);",
            "if (dz)",
            *_indented([*slope, "        dz[i * D + k] = i == k ? 1.0 / length[k] : 0.0;"]),
        ]
        return _function("inputs(const double *x, double *z, double *dz)", body)
    count = len(field.expressions)
    body = ["double xi[D];", "scaled(x, xi);", "features(xi, z);", "if (dz) {"]
    body += _indented(
        ["features_slopes(xi, dz);", f"for (int i = 0; i < {count}; i++)", "    for (int k = 0; k < D; k++)"]
    )
    return _function(
        "inputs(const double *x, double *z, double *dz)", [*body, "            dz[i * D + k] /= length[k];", "}"]
    )


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _layers(network: Network) -> list[str]:
    return [part for k, layer in enumerate(network.layers) for part in _layer(network, k, layer)]


def _layer(network: Network, k: int, layer: Layer) -> list[str]:
    """The tables of a layer and the function that applies it."""
    own = list(segments(network, k))
    tables = [table for j, segment in enumerate(own) for table in _segment_tables(f"{k}_{j}", segment)]
    room = max(segment.basis.living for segment in own)
    body = [f"double z[{layer.inputs}], dz[{layer.inputs} * D] = {{0.0}}, f[{room}], df[{room}];", *_before(k, layer)]
    if layer.bias:
        tables.append(_table(f"bias_{k}", matrix_of(network, k)[:, -1]))
    body += [f"for (int o = 0; o < {layer.columns}; o++)", f"    y[o] = {f'bias_{k}[o]' if layer.bias else '0.0'};"]
    body += ["if (dy)", f"    for (int o = 0; o < {layer.columns} * D; o++)", "        dy[o] = 0.0;"]
    body += [line for j, segment in enumerate(own) for line in _segment(f"{k}_{j}", segment)]
    body += [f"multiplied({layer.sums}, {layer.products}, {layer.arity}, y, dy);"] if layer.products else []
    if layer.centre is not None and layer.half_width is not None:
        tables += [_table(f"centre_{k}", layer.centre), _table(f"half_width_{k}", layer.half_width)]
    return [*tables, _function(f"layer_{k}(const double *x, const double *dx, double *y, double *dy)", body)]


def _before(k: int, layer: Layer) -> list[str]:
    """The affine map and the squash: z and dz from x and dx."""
    divisor = f" / half_width_{k}[i]" if layer.half_width is not None else ""
    shift = f" - centre_{k}[i]{divisor}" if layer.half_width is not None else ""
    slope = f"dx[i * D + k]{divisor}"
    lines = [f"z[i] = x[i]{divisor}{shift};"]
    if layer.squash is not None:
        lines.append(f"{_activation(layer.squash)}(z[i], f, df);")
        lines.append("z[i] = f[0];")
        slope = f"df[0] * {slope}"
    each = ["if (dy)", "    for (int k = 0; k < D; k++)", f"        dz[i * D + k] = {slope};"]
    return [f"for (int i = 0; i < {layer.inputs}; i++) {{", *_indented([*lines, *each]), "}"]


def _activation(name: str) -> str:
    function = f"{name}_of"
    if function not in c_runtime.FUNCTIONS:
        raise ProblemError(f"C code has no activation {name}; export to .pt2")
    return function


def _segment_tables(key: str, segment: Segment) -> list[str]:
    tables = [_table(f"c_{key}", segment.coefficients)]
    if segment.inputs != tuple(range(len(segment.inputs))):
        tables.append(_table(f"from_{key}", segment.inputs, "int"))
    if isinstance(segment.basis, BSpline):
        tables.append(_table(f"pieces_{key}", local_matrices(segment.basis)))
        tables += [] if segment.basis.uniform else [_table(f"breaks_{key}", segment.basis.breakpoints())]
    return tables


def _segment(key: str, segment: Segment) -> list[str]:
    """A loop over the inputs of a segment that adds their edges to y and dy."""
    inputs, size, columns = segment.coefficients.shape
    place = "i" if segment.inputs == tuple(range(inputs)) else f"from_{key}[i]"
    values, first = _evaluation(key, segment.basis, place)
    row = f"c_{key} + (i * {size}{first}) * {columns}"
    added = f"spread({segment.basis.living}, {columns}, f, df, {row}, dz + {place} * D, y, dy);"
    return [f"for (int i = 0; i < {inputs}; i++) {{", *_indented([values, added]), "}"]


def _evaluation(key: str, basis: Basis, place: str) -> tuple[str, str]:
    """The call that evaluates a basis, and what it adds to the number of the first coefficient."""
    if isinstance(basis, BSpline):
        breaks = "NULL" if basis.uniform else f"breaks_{key}"
        call = f"spline(z[{place}], {basis.degree}, {basis.intervals}, {breaks}, pieces_{key}, f, df)"
        return f"const int first = {call};", " + first"
    if isinstance(basis, Activation):
        return f"{_activation(basis.name)}(z[{place}], f, df);", ""
    return f"{TABLED[type(basis)]}(z[{place}], {basis.size}, f, df);", ""


def _finish(composition: Composition) -> str:
    """u_k = U_k (g_k + b_k N_k) with slopes by x, in place, then the columns."""
    m = len(composition.sizes)
    parts = []
    if composition.frame is not None:
        parts.append(_framed(m))
    parts.append(_table("size", composition.sizes))
    parts.append(_table("share", np.array(composition.shares), "int"))
    if composition.predicates:
        parts.append(_material(composition))
    return "\n\n".join(parts)


def _framed(m: int) -> str:
    body = [
        f"double xi[D], gb[{2 * m}], s[{2 * m} * D];",
        f"const double *g = gb, *b = gb + {m}, *dg = s, *db = s + {m} * D;",
        "scaled(x, xi);",
        "frame(xi, gb);",
        "if (dn) {",
        "    frame_slopes(xi, s);",
        f"    for (int c = 0; c < {m}; c++)",
        "        for (int k = 0; k < D; k++)",
        "            dn[c * D + k] = (dg[c * D + k] + db[c * D + k] * n[c]) / length[k] + b[c] * dn[c * D + k];",
        "}",
        f"for (int c = 0; c < {m}; c++)",
        "    n[c] = g[c] + b[c] * n[c];",
    ]
    return _function("framed(const double *x, double *n, double *dn)", body)


def _material(composition: Composition) -> str:
    """The number of the first material whose predicate holds, 0 where none does."""
    count = len(composition.predicates)
    lines = statements(composition.materials_program, "x", [f"held[{k}]" for k in range(count)])
    choice = " : ".join([*(f"held[{k}] ? {k}" for k in range(count)), "0"])
    body = "\n".join(_indented([f"int held[{count}];", *lines, f"return {choice};"]))
    return f"static int material(const double *x)\n{{\n{body}\n}}"


def _entry(composition: Composition, network: Network, entry: str) -> str:
    """The function for users: layer after layer, from one buffer into the other."""
    wide = max(max(layer.inputs, layer.columns) for layer in network.layers)
    lines = [f"double a[{wide}], b[{wide}], da[{wide} * D], db[{wide} * D];"]
    at = "material(x)" if composition.predicates else "0"
    lines += [f"const int *own = share + {at} * COLUMNS;"]
    lines += ["inputs(x, a, du ? da : NULL);"]
    now, then = "a", "b"
    for k in range(len(network.layers)):
        lines.append(f"layer_{k}({now}, d{now}, {then}, du ? d{then} : NULL);")
        now, then = then, now
    lines += [f"framed(x, {now}, du ? d{now} : NULL);"] if composition.frame is not None else []
    lines += ["for (int c = 0; c < COLUMNS; c++)", f"    u[c] = size[own[c]] * {now}[own[c]];"]
    lines += ["if (du)", "    for (int c = 0; c < COLUMNS; c++)", "        for (int k = 0; k < D; k++)"]
    lines += [f"            du[c * D + k] = size[own[c]] * d{now}[own[c] * D + k];"]
    prototype = f"void {entry}(const double *x, double *u, double *du)"
    return "\n".join([f"{prototype};", "", prototype, "{", *_indented(lines), "}"])


def _main(entry: str) -> str:
    return f"""#ifdef {entry.upper()}_MAIN
#include <stdio.h>

int main(void)
{{
    double x[D], u[COLUMNS], du[COLUMNS * D];
    for (;;) {{
        for (int k = 0; k < D; k++)
            if (scanf("%lf", &x[k]) != 1)
                return k == 0 && feof(stdin) ? 0 : 1;
        {entry}(x, u, du);
        for (int c = 0; c < COLUMNS; c++)
            printf("%.17g ", u[c]);
        for (int c = 0; c < COLUMNS * D; c++)
            printf("%.17g%c", du[c], c + 1 < COLUMNS * D ? ' ' : '\\n');
    }}
}}
#endif"""
