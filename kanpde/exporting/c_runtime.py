"""What every exported C file may need: the bases on an edge with their first derivatives, and how edges are added up.

A file gets the functions that it calls and no others, so that no compiler warns of the rest.
"""

from __future__ import annotations

import re

#: In an order in which each stands before those that call it. D is the number of coordinates.
FUNCTIONS: dict[str, str] = {
    "spread": """/* y += C f and dy += C f' dz for one variable z; c has one row of outputs a basis function. */
static void spread(int size, int outputs, const double *f, const double *df, const double *c, const double *dz,
                   double *y, double *dy)
{
    for (int l = 0; l < size; l++)
        for (int o = 0; o < outputs; o++) {
            const double weight = c[l * outputs + o];
            y[o] += weight * f[l];
            if (dy)
                for (int k = 0; k < D; k++)
                    dy[o * D + k] += weight * df[l] * dz[k];
        }
}""",
    "chebyshev": """/* T_0, T_1, ... and their derivatives by the three-term recurrence. */
static void chebyshev(double z, int size, double *f, double *df)
{
    f[0] = 1.0;
    df[0] = 0.0;
    if (size > 1) {
        f[1] = z;
        df[1] = 1.0;
    }
    for (int l = 2; l < size; l++) {
        f[l] = 2.0 * z * f[l - 1] - f[l - 2];
        df[l] = 2.0 * z * df[l - 1] + 2.0 * f[l - 1] - df[l - 2];
    }
}""",
    "fourier": """/* 1, cos(pi m z), sin(pi m z), m = 1, 2, ... */
static void fourier(double z, int size, double *f, double *df)
{
    f[0] = 1.0;
    df[0] = 0.0;
    for (int m = 1; 2 * m < size; m++) {
        const double omega = 3.14159265358979323846 * m, cosine = cos(z * omega), sine = sin(z * omega);
        f[2 * m - 1] = cosine;
        f[2 * m] = sine;
        df[2 * m - 1] = -omega * sine;
        df[2 * m] = omega * cosine;
    }
}""",
    "gaussians": """/* exp(-((z - c)/h)^2) at equispaced centres c, h apart. */
static void gaussians(double z, int size, double *f, double *df)
{
    const double width = 2.0 / (size - 1);
    for (int l = 0; l < size; l++) {
        const double s = (z - (-1.0 + width * l)) / width;
        f[l] = exp(-(s * s));
        df[l] = -2.0 * s * f[l] / width;
    }
}""",
    "spline": """/* The degree + 1 living B-splines at z by their local polynomials; returns the number of the first.
   breaks is NULL where all intervals of [-1, 1] are equal; then they share one set of polynomials. */
static int spline(double z, int degree, int intervals, const double *breaks, const double *pieces, double *f,
                  double *df)
{
    const int size = degree + 1;
    int span = 0;
    double t, scale;
    if (breaks) {
        while (span < intervals - 1 && z >= breaks[span + 1])
            span++;
        scale = 1.0 / (breaks[span + 1] - breaks[span]);
        t = (z - breaks[span]) * scale;
        pieces += span * size * size;
    } else {
        const double place = (z + 1.0) * (0.5 * intervals);
        span = place >= intervals - 1 ? intervals - 1 : place > 0 ? (int)place : 0;
        scale = 0.5 * intervals;
        t = place - span;
    }
    for (int l = 0; l < size; l++) {
        f[l] = df[l] = 0.0;
        for (int p = degree; p >= 0; p--) {
            df[l] = df[l] * t + f[l];
            f[l] = f[l] * t + pieces[l * size + p];
        }
        df[l] *= scale;
    }
    return span;
}""",
    "tanh_of": """static void tanh_of(double z, double *f, double *df)
{
    *f = tanh(z);
    *df = 1.0 - *f * *f;
}""",
    "sin_of": """static void sin_of(double z, double *f, double *df)
{
    *f = sin(z);
    *df = cos(z);
}""",
    "silu_of": """static void silu_of(double z, double *f, double *df)
{
    const double sigma = 1.0 / (1.0 + exp(-z));
    *f = z * sigma;
    *df = sigma + z * sigma * (1.0 - sigma);
}""",
    "identity_of": """static void identity_of(double z, double *f, double *df)
{
    *f = z;
    *df = 1.0;
}""",
    "multiplied": """/* What follows the sums becomes products of arity factors: node n of n, n + count, ... */
static void multiplied(int sums, int count, int arity, double *y, double *dy)
{
    for (int n = sums; n < sums + count; n++) {
        double value = 1.0, slope[D] = {0.0};
        for (int a = n; a < n + arity * count; a += count) {
            if (dy)
                for (int k = 0; k < D; k++)
                    slope[k] = slope[k] * y[a] + value * dy[a * D + k];
            value *= y[a];
        }
        y[n] = value;
        if (dy)
            for (int k = 0; k < D; k++)
                dy[n * D + k] = slope[k];
    }
}""",
}


def called(text: str) -> list[str]:
    """The functions that a text calls, in their order."""
    words = set(re.findall(r"\w+(?=\()", text))
    return [code for name, code in FUNCTIONS.items() if name in words]
