"""What running a network costs: seconds of training alone, peak memory, and how long an answer takes."""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

STATUS, MARK = Path("/proc/self/status"), Path("/proc/self/clear_refs")
LEAST_SECONDS = 0.2  # that calls are repeated for
MOST_CALLS = 50


@dataclass
class Clock:
    """Counts the seconds inside `running()` and no others.

    On the CPU these are processor seconds: with one thread, about those of an idle machine, whatever runs beside.

    Args:
        device: of what is timed; on a GPU the wall clock counts, and the queue must be empty before it is read.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """What happens inside counts."""
        begun = self._now()
        try:
            yield
        finally:
            self.seconds += self._now() - begun

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            return time.perf_counter()
        return time.process_time()


class PeakMemory:
    """Growth of the largest resident set of this process since it was made; Linux only, and only on the CPU."""

    def __init__(self) -> None:
        self.before = _resident("VmRSS") if _reset() else None

    @property
    def megabytes(self) -> float | None:
        """MB, None where the system does not tell."""
        peak = _resident("VmHWM") if self.before is not None else None
        return None if peak is None or self.before is None else max(0.0, (peak - self.before) / 1024)


def _reset() -> bool:
    """Gives back what is free, and forgets the peak so far (proc(5), clear_refs)."""
    gc.collect()
    try:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what Python has freed
        if trim is not None:
            trim(0)
        MARK.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident(entry: str) -> int | None:
    """Kilobytes of an entry of /proc/self/status."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(entry)), None)


def latency(call: Callable[[], object], device: torch.device | None = None) -> float:
    """Median seconds of a call, after one that does not count unless it is long."""
    first, seconds = _seconds(call, device), list[float]()
    while first + sum(seconds) < LEAST_SECONDS and len(seconds) < MOST_CALLS:
        seconds.append(_seconds(call, device))
    return statistics.median(seconds or [first])


def _seconds(call: Callable[[], object], device: torch.device | None) -> float:
    clock = Clock(device or torch.device("cpu"))
    with clock.running():
        call()
    return clock.seconds


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside, as many as before afterwards: runs side by side must not share cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
