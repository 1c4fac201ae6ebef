"""A token bucket for each client, shared by all workers.

The generic cell rate algorithm (ITU-T I.371): a bucket is one number, the time at which it is empty again.
An empty one is like none: its place may go to another client. So places follow the clients that ask, and no
worker needs to know the token file as another one sees it.
"""

import fcntl
import mmap
import os
import time

from foveal.serve.problems import HttpError

_BUCKETS = 256  # four times as many as there may be tokens: those of a moment ago have not emptied yet
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
        words = memoryview(mmap.mmap(-1, 2 * _BUCKETS * _WORD))
        self._times = words[: _BUCKETS * _WORD].cast("q")
        self._clients = words[_BUCKETS * _WORD :].cast("Q")

    def take(self, client: int) -> None:
        """Count one request of a client.

        Args:
            client: Its number, 0 to 2⁶⁴ - 1.

        Raises:
            HttpError: `rate_limit`.
        """
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            now = time.monotonic_ns()
            bucket = self._bucket(client, now)
            empty = max(now, self._times[bucket])
            wait = empty + self._step - self._burst - now
            if wait <= 0:
                self._times[bucket] = empty + self._step
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
        if wait > 0:
            raise HttpError(
                "rate_limit",
                "more requests than one client may make",
                hint="ask again after the seconds of Retry-After; the server's --rate sets the limit",
                retry_after=wait / 1e9,
            )

    def _bucket(self, client: int, now: int) -> int:
        """Return the place of a client's bucket, or give it that of one that is empty."""
        clients = self._clients.tolist()
        if client in clients:
            return clients.index(client)
        times = self._times.tolist()
        place = times.index(min(times))
        if times[place] > now:
            raise HttpError("rate_limit", "too many tokens were used at once", retry_after=1)
        self._clients[place] = client  # its time is past: a full allowance, whoever is killed here
        return place
