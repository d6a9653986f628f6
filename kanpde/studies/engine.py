"""Runs of a study, spread over the workers of a Dask cluster; each is stored as soon as it is finished.

A study is a list of jobs, each described by plain values; what has a row already is not run again. A job that fails, or
whose worker dies, is a row with its status, and the others go on.
"""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from kanpde.errors import KanpdeError, ProblemError
from kanpde.studies.book import Book, Row, key_of
from kanpde.studies.cases import Case
from kanpde.studies.meters import one_thread

ANSWER = 15.0  # seconds that a scheduler has to answer
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Job(Protocol):
    """One run of a study, described by plain values."""

    @property
    def kind(self) -> str:
        """What kind of run it is."""
        ...

    @property
    def case(self) -> str:
        """Name of the case that it needs, "" for none."""
        ...

    @property
    def values(self) -> dict[str, Any]:
        """Its description: plain, flat, and all that the result depends on but the case."""
        ...

    @property
    def limit(self) -> float:
        """Seconds that it takes, roughly."""
        ...

    def perform(self, case: Any) -> dict[str, Any]:
        """Its result, in plain values; one of them is `status`."""
        ...


@dataclass(frozen=True)
class Workers:
    """Who runs the jobs.

    Attributes:
        count: processes of a local cluster, as many as cores by default; 0 for this very process.
        scheduler: address of an existing Dask scheduler, in place of a local cluster.
    """

    count: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 0:
            raise ProblemError(f"--workers {self.count} is negative: give 0 for this process, or 1, 2, ...")


@dataclass(frozen=True)
class Report:
    """How far a study is.

    Attributes:
        finished: runs that have a row.
        total: of all.
        left: seconds that the rest will take, roughly.
        row: the last one.
        kept: rows that were there before.
    """

    finished: int
    total: int
    left: float
    row: Row | None
    kept: int


Listener = Callable[[Report], None]


def key(job: Job, cases: Mapping[str, Case]) -> str:
    """The name of a job's row."""
    return key_of(job.kind, job.values, cases[job.case].digest if job.case else "")


def execute(
    jobs: Sequence[Job], cases: Mapping[str, Case], book: Book, workers: Workers, listen: Listener | None = None
) -> list[Row]:
    """Runs what has no row yet and returns the rows of all jobs, in their order.

    Args:
        jobs: what to run.
        cases: by name.
        book: where rows are kept.
        workers: who runs them.
        listen: told after each run.

    Raises:
        StoreError: a row could not be written; those before it are kept.
        ProblemError: the scheduler does not answer.
    """
    named = {key(job, cases): job for job in jobs}
    open_jobs = {name: job for name, job in named.items() if not book.has(name)}
    progress = _Progress(named, open_jobs, 1, listen)
    progress.tell(None)
    if open_jobs:
        with _results(open_jobs, cases, workers, progress) as results:
            for name, result in results:
                row = _row(name, named[name], result)
                book.add(row)
                progress.done(name, row)
    return book.chosen(named)


@dataclass(eq=False)
class _Progress:
    """Counts, and guesses what is left from the limits of the runs and how they compare with what runs took."""

    all: Mapping[str, Job]
    left: Mapping[str, Job]
    hands: int
    listen: Listener | None

    def __post_init__(self) -> None:
        self.kept, self.waiting = len(self.all) - len(self.left), dict(self.left)
        self.begun, self.expected = time.perf_counter(), 0.0

    def done(self, name: str, row: Row) -> None:
        """One more."""
        self.expected += self.waiting.pop(name).limit
        self.tell(row)

    def tell(self, row: Row | None) -> None:
        """Says how far it is."""
        if self.listen is not None:
            rest = sum(job.limit for job in self.waiting.values())
            spent = time.perf_counter() - self.begun
            pace = spent / self.expected if self.expected else 1.0 / max(self.hands, 1)
            self.listen(Report(len(self.all) - len(self.waiting), len(self.all), rest * pace, row, self.kept))


def _row(name: str, job: Job, result: Mapping[str, Any]) -> Row:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return {"key": name, "kind": job.kind, **job.values, **result, "date": when}


def performed(job: Job, case: Case | None) -> dict[str, Any]:
    """A job's result; whatever goes wrong is a result, too: refused is final, failed is tried again on resuming."""
    try:
        with one_thread():
            return job.perform(case)
    except KanpdeError as error:
        return {"status": f"refused: {' '.join(str(error).split())}"}
    except Exception as error:
        return {"status": f"failed: {type(error).__name__}: {' '.join(str(error).split())}"}


@contextmanager
def _results(
    jobs: Mapping[str, Job], cases: Mapping[str, Case], workers: Workers, progress: _Progress
) -> Iterator[Iterator[tuple[str, Mapping[str, Any]]]]:
    """Results by name, as they come."""
    if workers.count == 0 and workers.scheduler is None:
        yield ((name, performed(job, cases.get(job.case))) for name, job in jobs.items())
        return
    with _client(workers, len(jobs)) as client:
        progress.hands = max(1, sum(client.nthreads().values()))
        yield _gathered(client, jobs, cases)


def _gathered(client: Any, jobs: Mapping[str, Job], cases: Mapping[str, Case]) -> Iterator[tuple[str, Any]]:
    """Results as they come. Workers get one job at a time: one that dies takes no other with it."""
    distributed = importlib.import_module("distributed")
    shared = {name: client.scatter(case, broadcast=True) for name, case in cases.items()}
    waiting = iter(jobs.items())

    def submitted(count: int) -> dict[Any, str]:
        some = itertools.islice(waiting, count)
        return {client.submit(performed, job, shared.get(job.case), key=_unique(n), pure=False): n for n, job in some}

    names = submitted(sum(client.nthreads().values()))
    done = distributed.as_completed(names)
    for future in done:
        yield names.pop(future), _outcome(future)
        following = submitted(1)
        names |= following
        done.update(following)


def _unique(name: str) -> str:
    """A name on the cluster, where an earlier client may have left results of the same run."""
    return f"kanpde-{name}-{uuid.uuid4().hex[:8]}"


def _outcome(future: Any) -> Mapping[str, Any]:
    """What a worker returned; nothing, where it died."""
    if future.status == "finished":
        return dict(future.result())
    error = future.exception()
    died = type(error).__name__ == "KilledWorker"
    reason = "its worker died, perhaps for want of memory" if died else f"{type(error).__name__}: {error}"
    return {"status": f"failed: {' '.join(reason.split())}"}


@contextmanager
def _client(workers: Workers, jobs: int) -> Iterator[Any]:
    """A client of the cluster; what stands outside this block never sees Dask, and Ctrl-C stays what it is."""
    dask, distributed = importlib.import_module("dask"), importlib.import_module("distributed")
    with dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.admin.tick.limit": "1h"}):
        try:
            with _cluster(distributed, workers, jobs) as address, _found(distributed, address) as client:
                yield client
        except Exception as error:
            if _interrupted(error):  # while processes start or end, Dask answers Ctrl-C with errors of its own
                raise KeyboardInterrupt from None
            raise


@contextmanager
def _cluster(distributed: Any, workers: Workers, jobs: int) -> Iterator[Any]:
    """The scheduler: its address, or a local cluster for as long as the block lasts."""
    if workers.scheduler is not None:
        yield workers.scheduler
        return
    count = min(workers.count or os.cpu_count() or 1, jobs)
    environment = {name: "1" for name in THREADS}
    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": ":0", "env": environment}
    quiet = {"silence_logs": logging.CRITICAL, "memory_limit": 0}
    with distributed.LocalCluster(n_workers=count, **options, **quiet) as cluster:
        yield cluster


def _interrupted(error: BaseException | None) -> bool:
    """Whether an error was raised on the way out of Ctrl-C."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _found(distributed: Any, address: Any) -> Any:
    """A client of a scheduler, given by its address or as a local cluster.

    Raises:
        ProblemError: it does not answer, or has no workers.
    """
    try:
        client = distributed.Client(address, timeout=ANSWER)
    except (OSError, ValueError, TimeoutError) as error:
        raise ProblemError(
            f"no Dask scheduler answers at {address}: start one with `dask scheduler`, or leave --scheduler out."
        ) from error
    if not client.nthreads():
        client.close()
        raise ProblemError(f"the scheduler at {address} has no workers: start some with `dask worker {address}`.")
    return client
