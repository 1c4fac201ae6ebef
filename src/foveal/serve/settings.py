"""What a server allows; one place for every limit."""

from dataclasses import dataclass

from foveal.core.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """Limits of a server; times in seconds.

    Attributes:
        workers: Processes that answer.
        max_body_bytes: Of one request.
        body_memory: Bytes of the bodies of all requests that one worker has not answered yet.
        max_pictures: In one request.
        max_pixels: Of all picture files of one request together, before they are made smaller.
        max_batch: Pictures of several requests that one run of the network takes; None: measured.
        max_latency: For how long the first picture of a batch may be in the server; None: eight times what
            one picture takes, and 10 ms at least.
        queue: Pictures that may wait in one worker.
        max_wait: For how long a new picture may have to wait by estimate, else it is refused at once.
        head_timeout: For a request's head to arrive.
        body_timeout: For its body.
        timeout: From the body's arrival to the answer.
        keep_alive: For which an idle connection stays open.
        connections: That one worker holds at once; above it the longest idle one is closed.
        rate: Predictions a second for each token; None: as many as come.
        drain: For which requests are still answered after SIGTERM.
        golden_every: Between two comparisons of each worker's answers with the golden vectors.
        hosts: Names that a request's Host header may have; None: any.
        log: Whether a line of JSON is written on stderr for each request.
    """

    workers: int = 1
    max_body_bytes: int = 16_000_000
    body_memory: int = 256_000_000
    max_pictures: int = 32
    max_pixels: int = 400_000_000
    max_batch: int | None = None
    max_latency: float | None = None
    queue: int = 64
    max_wait: float = 0.5
    head_timeout: float = 10.0
    body_timeout: float = 20.0
    timeout: float = 10.0
    keep_alive: float = 15.0
    connections: int = 1000
    rate: float | None = None
    drain: float = 10.0
    golden_every: float = 30.0
    hosts: frozenset[str] | None = None
    log: bool = False

    def __post_init__(self) -> None:
        """Refuse what no server can work with.

        Raises:
            UsageError: A limit that is not above zero.
        """
        for name, value in vars(self).items():
            if isinstance(value, int | float) and not isinstance(value, bool) and not value > 0:
                raise UsageError(f"{name} must be above 0; got {value}")
