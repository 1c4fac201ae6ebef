"""Where work runs that one process could do alone: a backend by its name, and how many workers it may use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass

from foveal import backends
from foveal.core import catalog
from foveal.core.errors import UsageError
from foveal.core.extras import EXTRAS, need
from foveal.core.work import Backend


@dataclass(frozen=True)
class Where:
    """Which backend, and how much of it.

    Attributes:
        backend: A file in `backends/`.
        workers: How many at most; None: one for each processor that the backend has.
        address: `HOST:PORT` of the head of a Ray cluster; None: what RAY_ADDRESS says, or one of our own.
    """

    backend: str = "local"
    workers: int | None = None
    address: str | None = None

    def check(self) -> None:
        """Refuse what could not be opened, before there is any work; nothing is started for that.

        Raises:
            UnknownNameError: No such backend.
            MissingExtraError: Its extra is not installed.
            UsageError: An address is given for a backend that has none.
        """
        catalog.find(backends, self.backend)
        if self.address is not None and self.backend != "ray":
            raise UsageError(f"the backend {self.backend} has no address", hint="--backend ray")
        if self.backend in EXTRAS:
            need(self.backend, what=f"the backend {self.backend}")

    @contextmanager
    def opened(self) -> Iterator[tuple[Backend, int]]:
        """Yield the backend, which is closed afterwards, and how many workers to use.

        Raises:
            FovealError: As `check`, or what the backend raises.
        """
        self.check()
        made = catalog.find(backends, self.backend)
        with redirect_stdout(sys.stderr):  # an engine may talk, and stdout is for the one document
            backend: Backend = made() if self.address is None else made(self.address)
            try:
                yield backend, self.workers or max(1, int(sum(node.cpus for node in backend.describe())))
            finally:
                backend.close()
