"""Solve partial differential equations, written in SymPy, with Kolmogorov-Arnold networks."""
