"""Speed, memory and accuracy, measured: `python -m benchmarks.accuracy` and its neighbours write to results/."""
