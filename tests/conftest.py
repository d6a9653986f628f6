"""What every test shares: one thread a process, so that parallel tests neither compete nor differ from run to run.

Shapes are said in docstrings and checked where arrays enter, not by a hook on every annotated function: the kernels are
called hundreds of thousands of times in these tests.
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
