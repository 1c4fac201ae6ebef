"""What a server counts, in memory that all its workers share; Prometheus' text is made where it is asked for.

`prometheus_client` can count over several processes through files in a folder of their own, which must be
writable, grows with every worker that is started again, and costs more than an answer's JSON. Here each
worker has its own numbers on the board, and a number is written by one thread only: the event loop, or the
lane. Names and units are those of the ecosystem.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from foveal.serve.problems import GONE, PICTURES, STATUS

NO_MODEL = "-"
_TIMES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
OUTCOMES = ("ok", GONE, *STATUS)


@dataclass(frozen=True)
class Family:
    """Numbers of one name.

    Attributes:
        name: In Prometheus, without `_total`.
        help: What it is.
        labels: Their names.
        buckets: Upper ends of a histogram, without infinity; empty: a counter.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ("model",)
    buckets: tuple[float, ...] = ()


FAMILIES = {
    "requests": Family("foveal_requests", "Requests by how they ended.", ("model", "outcome")),
    "request_duration": Family(
        "foveal_request_duration_seconds", "From the head of a request to the end of its answer.", (), _TIMES
    ),
    "queue_wait": Family("foveal_queue_wait_seconds", "Before a request is taken up.", buckets=_TIMES),
    "batch_size": Family("foveal_batch_size", "Pictures in one run of the network.", buckets=_SIZES),
    "inference_duration": Family(
        "foveal_inference_duration_seconds", "One run of the network.", buckets=_TIMES
    ),
    "decode_errors": Family("foveal_decode_errors", "Pictures that could not be used.", ("reason",)),
    "confidence": Family("foveal_confidence", "Of the answers, or of the objects.", buckets=_SHARES),
    "objects": Family("foveal_objects", "Objects that were found."),
    "abstained": Family("foveal_abstained", "Pictures that the recognizer declined to answer for."),
    "output_invalid": Family("foveal_model_output_invalid", "Runs whose answer made no sense: an alarm."),
    "notes_dropped": Family("foveal_monitor_notes_dropped", "Pictures that the drift monitor missed.", ()),
}


class Metrics:
    """The numbers of one worker."""

    def __init__(self, plan: "Plan", numbers: "memoryview[float]") -> None:
        self._plan, self._numbers = plan, numbers

    def count(self, family: str, *labels: str) -> None:
        """Add one to a counter."""
        self._numbers[self._plan.places[family][labels]] += 1.0

    def observe(self, family: str, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        at = self._plan.places[family][labels]
        self._numbers[at] += value
        self._numbers[at + 1 + bisect_left(FAMILIES[family].buckets, value)] += 1.0


class Plan:
    """Where each number is among those of a worker."""

    def __init__(self, models: Sequence[str]) -> None:
        values: Mapping[str, Sequence[str]] = {
            "model": models,
            "reason": tuple(PICTURES),
            "outcome": OUTCOMES,
        }
        self.places: dict[str, dict[tuple[str, ...], int]] = {}
        self.length = 0
        for key, family in FAMILIES.items():
            self.places[key] = {}
            for labels in _products([values[name] for name in family.labels]):
                self._add(key, labels, family)
        for outcome in OUTCOMES:
            self._add("requests", (NO_MODEL, outcome), FAMILIES["requests"])

    def _add(self, key: str, labels: tuple[str, ...], family: Family) -> None:
        self.places[key][labels] = self.length
        # A histogram: the sum, one number for each bucket, and one for all above.
        self.length += 1 if not family.buckets else 2 + len(family.buckets)


def _products(values: list[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    if not values:
        yield ()
        return
    for first in values[0]:
        for rest in _products(values[1:]):
            yield (first, *rest)
