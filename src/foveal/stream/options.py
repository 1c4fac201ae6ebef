"""How a source is read, and what all sinks are told."""

from dataclasses import dataclass

from foveal.core.errors import UsageError
from foveal.stream.address import is_loopback


@dataclass(frozen=True)
class SourceOptions:
    """Which source is wanted, and how.

    Attributes:
        place: The file, folder, device or address.
        live: Play a film at its own speed, as if it were a camera.
        loop: Begin a film anew at its end.
        existing: Of a folder, take also the pictures that are there already.
        once: Of a folder, end when all pictures that are there were taken.
        timeout_s: For how long a live source may say nothing before it is taken for lost, in seconds.
        give_up_s: For how long a source that is away is asked again, in seconds; None: see `reconnected`.
    """

    place: str
    live: bool = False
    loop: bool = False
    existing: bool = False
    once: bool = False
    timeout_s: float = 10.0
    give_up_s: float | None = None


@dataclass(frozen=True)
class SinkOptions:
    """How sinks are wanted.

    Attributes:
        force: Replace a file that is there.
        allow_remote: Send to other machines, too.
        most_rejects: Pictures in the folder of `rejects` beyond which a stream adds none. What is there at
            its start counts; what other streams add later does not.
        reject_below: Answers below this confidence are kept as well; 0: only those that decline.
        digest: Of the bundle that answers.
        classes: Its names in label order.
        durable: Wait for the disk after each line of a file.
    """

    force: bool = False
    allow_remote: bool = False
    most_rejects: int = 1000
    reject_below: float = 0.0
    digest: str = ""
    classes: tuple[str, ...] = ()
    durable: bool = False

    def check_host(self, host: str) -> None:
        """Refuse another machine unless that is allowed.

        Raises:
            UsageError: `remote_sink`.
        """
        if not self.allow_remote and not is_loopback(host):
            raise UsageError(
                f"{host} is another machine",
                code="remote_sink",
                hint="--allow-remote-sinks sends what is seen there",
            )
