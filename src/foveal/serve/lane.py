"""The one thread of a worker that decodes and computes, and the bounded queue in front of it.

The event loop never waits for a picture, and a picture is never waited for by health or metrics. What
comes in is refused at once where the queue is full, or where it would by estimate have to wait too long:
so whoever is let in is answered in time, however many stand outside.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from foveal.bundle.inputs import UInt8
from foveal.bundle.session import Answers, joined
from foveal.serve.metrics import Metrics
from foveal.serve.problems import GONE, HttpError
from foveal.serve.served import Served
from foveal.serve.settings import Settings

_LEAST_LATENCY = 0.01
_PICTURES_OF_LATENCY = 8
_LAST = 1.0  # seconds that the end waits for what is being computed, which nobody waits for any more
_FORGET = 0.1  # weight of the newest picture in the mean


class Work(Protocol):
    """What a request wants of the lane; its methods are called in the lane's thread, one after the other."""

    def read(self, check: Callable[[], None]) -> list[UInt8]:
        """Return pictures at model size, each uint8 (H, W, C), or raise `HttpError`.

        Args:
            check: To be called between two pictures, or frames of a film, so that none is decoded that nobody
                waits for, and others need not wait for all; what it raises ends the work.
        """
        ...

    def write(self, answers: Answers | None) -> bytes:
        """Return the body of the answer from what the graph said for the pictures; None where there are none.

        Raises:
            HttpError: There is no answer.
        """
        ...

    def after(self) -> None:
        """Do what can wait until the answer is on its way."""
        ...


@dataclass(eq=False)
class Job:
    """Work that waits.

    Attributes:
        model: That it is for.
        work: What to do.
        pictures: How many, by the number that are in the request.
        gone: Whether the client has left.
        came: When, in monotonic seconds.
        answer: The body of the answer, or a `HttpError`.
        began: When the lane took it up, in monotonic seconds; 0: not yet.
        told: Whether it has its answer, and counts no more.
    """

    model: Served
    work: Work
    pictures: int
    gone: Callable[[], bool]
    came: float
    answer: asyncio.Future[bytes]
    began: float = 0.0
    told: bool = False
    images: list[UInt8] = field(default_factory=list)

    def check(self) -> None:
        """Look, in the lane's thread, whether somebody waits for the answer.

        Raises:
            HttpError: Its time is up, or the client has left.
        """
        if self.answer.done():  # `_expire` was there
            raise _late()
        if self.gone():
            raise HttpError(GONE, "the client has left")


class Lane:
    """A worker's queue and thread; `start` and `stop` are called from the event loop."""

    def __init__(self, settings: Settings, metrics: Metrics, *, verify: Callable[[], None]) -> None:
        """Make an empty queue.

        Args:
            settings: Limits.
            metrics: Of this worker.
            verify: Called now and then in the lane's thread, to look whether the models are still sound.
        """
        self._settings, self._metrics, self._verify = settings, metrics, verify
        self._verified = time.monotonic()
        self._single: deque[Job] = deque()  # those with one picture that wait, and those with more
        self._large: deque[Job] = deque()
        self._wake = threading.Condition()
        self._stopped = False
        self._pictures = 0  # that wait or are worked on
        self._mean = 0.0  # seconds of a picture, all in
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy_since = 0.0
        self._aside = 0.0  # seconds that went to others within what is being done

    def start(self) -> None:
        """Begin to take work."""
        self._loop, self._stopped = asyncio.get_running_loop(), False
        self._thread = threading.Thread(target=self._work, name="foveal-lane", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more work; what waits is no longer done."""
        with self._wake:
            self._stopped = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(_LAST)

    @property
    def pictures(self) -> int:
        """How many wait or are worked on."""
        return self._pictures

    @property
    def busy_seconds(self) -> float:
        """For how long it has been at the same piece of work."""
        since = self._busy_since
        return time.monotonic() - since if since else 0.0

    def admit(self, pictures: int) -> None:
        """Refuse pictures that could not be answered in time; whoever comes to an empty lane is let in.

        Raises:
            HttpError: `overloaded`.
        """
        waiting, wait = self._pictures, self._pictures * self._mean
        if waiting and (waiting + pictures > self._settings.queue or wait > self._settings.max_wait):
            raise HttpError("overloaded", "more pictures wait than can be answered in time", retry_after=wait)

    async def do(self, model: Served, work: Work, *, pictures: int, gone: Callable[[], bool]) -> bytes:
        """Return the body of the answer.

        Raises:
            HttpError: `overloaded`, `timed_out`; or what the work raised.
        """
        self.admit(pictures)
        loop = asyncio.get_running_loop()
        job = Job(model, work, pictures, gone, time.monotonic(), loop.create_future())
        limit = loop.call_later(self._settings.timeout, self._expire, job)
        with self._wake:
            self._pictures += pictures
            self._queue(job).append(job)
            self._wake.notify()
        try:
            return await job.answer
        finally:
            limit.cancel()
            if job.began:
                self._metrics.observe("queue_wait", job.began - job.came, model.name)
            del job  # an error that is raised here would hold it, and it the error: its bytes would stay

    def _queue(self, job: Job) -> deque[Job]:
        return self._single if job.pictures == 1 else self._large

    def _expire(self, job: Job) -> None:
        """Answer that the time is up; what still waits leaves the queue at once, and its bytes the memory."""
        if job.answer.done():
            return
        job.answer.set_exception(_late())
        with self._wake, contextlib.suppress(ValueError):  # it is in work
            self._queue(job).remove(job)
            self._pictures -= job.pictures

    def _work(self) -> None:
        while not self._stopped:
            jobs = self._take()
            self._busy_since = time.monotonic()
            if jobs:
                self._do(jobs, self._busy_since)
            if time.monotonic() - self._verified > self._settings.golden_every:
                self._verify()
                self._verified = time.monotonic()
            self._busy_since = 0.0

    def _take(self) -> list[Job]:
        """Wait for work; return jobs of one model to do together, no more than the first has time for."""
        with self._wake:
            if not (self._single or self._large or self._stopped):
                self._wake.wait(self._settings.golden_every)
            if self._large and not (self._single and self._single[0].came < self._large[0].came):
                return [self._large.popleft()]
            return self._together()

    def _together(self) -> list[Job]:
        """Take the first jobs of one picture that can be done together, so that none waits long."""
        if not self._single:
            return []
        first = self._single.popleft()
        jobs, limit = [first], self._limit(first)
        while len(jobs) < limit and self._single and self._single[0].model is first.model:
            jobs.append(self._single.popleft())
        return jobs

    def _between(self, job: Job) -> None:
        """Answer single pictures, whatever waits before them, and look whether to go on with a job."""
        if job.pictures > 1:
            with self._wake:
                jobs = self._together()
            start = time.monotonic()
            if jobs:
                self._do(jobs, start)
            self._aside += time.monotonic() - start
        self._busy_since = time.monotonic()  # one thing is done: a sign of life
        job.check()

    def _do(self, jobs: list[Job], start: float) -> None:
        for job in jobs:
            job.began = start
        count = sum(job.pictures for job in jobs)
        aside = self._aside
        worked = self._answer(jobs, start)
        if worked:
            mean = (time.monotonic() - start - (self._aside - aside)) / count
            self._mean += (mean - self._mean) * (_FORGET if self._mean else 1.0)

    def _limit(self, first: Job) -> int:
        """Return how many pictures may be run together such that the first one still meets its latency."""
        model = first.model
        if model.batch == 1:
            return 1
        left = self._latency(model) - (time.monotonic() - first.came)
        return max(1, min(model.batch, int(left / max(self._mean, model.seconds))))

    def _latency(self, model: Served) -> float:
        return self._settings.max_latency or max(_LEAST_LATENCY, _PICTURES_OF_LATENCY * model.seconds)

    def _answer(self, jobs: list[Job], start: float) -> bool:
        """Answer; return whether that took any work."""
        ready: list[Job] = []
        worked = False
        for job in jobs:
            if ready and time.monotonic() - start > self._latency(job.model):
                # One was large: those that were read do not wait for the rest.
                self._finish(ready)
                ready, worked = [], True
            try:
                job.check()
                job.images = job.work.read(partial(self._between, job))
                ready.append(job)
            except Exception as error:  # of this request, not of its neighbours
                self._tell(job, error)
        if ready:
            self._finish(ready)
        return worked or bool(ready)

    def _finish(self, ready: list[Job]) -> None:
        """Compute and answer what was read."""
        try:
            answers = self._run(ready)
        except Exception as error:  # the engine failed, or said what is no probability
            for job in ready:
                self._tell(job, error)
            return
        at = 0
        for job in ready:
            own = _rows(answers, at, at + len(job.images))
            at += len(job.images)
            try:
                self._tell(job, job.work.write(own))
                job.work.after()
            except Exception as error:  # of this request
                self._tell(job, error)

    def _run(self, jobs: list[Job]) -> Answers | None:
        """Return what the graph says, from runs of at most as many pictures as the model is fastest with."""
        import numpy as np

        model, images = jobs[0].model, [image for job in jobs for image in job.images]
        parts = []
        for at in range(0, len(images), model.batch):
            if len(jobs) == 1:
                self._between(jobs[0])
            batch = images[at : at + model.batch]
            start = time.perf_counter()
            parts.append(model.predictor.ask(batch[0][None] if len(batch) == 1 else np.stack(batch)))
            self._metrics.observe("inference_duration", time.perf_counter() - start, model.name)
            self._metrics.observe("batch_size", len(batch), model.name)
        return joined(parts) if parts else None

    def _tell(self, job: Job, answer: bytes | Exception) -> None:
        assert self._loop is not None
        with self._wake:  # before the answer is seen: whoever asks again then finds the place free
            self._pictures -= 0 if job.told else job.pictures
            job.told = True
        self._loop.call_soon_threadsafe(_settle, job.answer, answer)


def _settle(future: asyncio.Future[bytes], answer: bytes | Exception) -> None:
    if future.done():  # its time was up, or the client left
        return
    if isinstance(answer, bytes):
        future.set_result(answer)
    else:
        future.set_exception(answer)


def _late() -> HttpError:
    return HttpError("timed_out", "the time for this request is up", retry_after=1)


def _rows(answers: Answers | None, start: int, end: int) -> Answers | None:
    if answers is None or start == end:
        return None
    return {name: values[start:end] for name, values in answers.items()}
