"""A token bucket for each client, shared by all workers.

The generic cell rate algorithm (ITU-T I.371): a bucket is one number, the time at which it is empty again.
"""

import fcntl
import mmap
import os
import time

from foveal.serve.problems import HttpError

_BUCKETS = 256
_WORD = 8


class Rate:
    """Buckets in shared memory; the lock is the kernel's, so a worker that is killed holds none."""

    def __init__(self, per_second: float) -> None:
        """Make the memory, before the first fork.

        Args:
            per_second: Requests; a second's worth may come at once.
        """
        self._step = round(1e9 / per_second)
        self._burst = max(self._step, 10**9)
        self._file = os.memfd_create("foveal-rate", os.MFD_CLOEXEC)
        self._times = memoryview(mmap.mmap(-1, _BUCKETS * _WORD)).cast("q")

    def take(self, client: int) -> None:
        """Count one request of a client.

        Raises:
            HttpError: `rate_limit`.
        """
        bucket = client % _BUCKETS
        fcntl.lockf(self._file, fcntl.LOCK_EX, _WORD, bucket * _WORD)
        try:
            now = time.monotonic_ns()
            empty = max(now, self._times[bucket])
            wait = empty + self._step - self._burst - now
            if wait <= 0:
                self._times[bucket] = empty + self._step
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, _WORD, bucket * _WORD)
        if wait > 0:
            raise HttpError("rate_limit", "more requests than this token may make", retry_after=wait / 1e9)
