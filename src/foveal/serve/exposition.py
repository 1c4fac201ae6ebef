"""What all workers counted together, as Prometheus reads it."""

import json
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from foveal.serve.board import State
from foveal.serve.metrics import FAMILIES, Family
from foveal.serve.service import Service

MEDIA_TYPE = CONTENT_TYPE_LATEST


class _Everything:
    """All numbers of the board at one moment."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        yield from self._counted()
        yield from self._now()
        yield from self._models()

    def _counted(self) -> Iterator[Metric]:
        for key, family in FAMILIES.items():
            places = self._service.plan.places[key]
            if family.buckets:
                yield self._histogram(family, places)
            else:
                counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
                for labels, place in places.items():
                    value = self._sum(place)
                    if value:  # a name has many ways to end, and few of them ever happen
                        counter.add_metric(labels, value)
                yield counter

    def _histogram(self, family: Family, places: dict[tuple[str, ...], int]) -> Metric:
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, place in places.items():
            below, buckets = 0.0, []
            for index, end in enumerate((*family.buckets, float("inf"))):
                below += self._sum(place + 1 + index)
                buckets.append(("+Inf" if end == float("inf") else str(float(end)), below))
            histogram.add_metric(labels, buckets, self._sum(place))
        return histogram

    def _now(self) -> Iterator[Metric]:
        board = self._service.board
        ready = sum(seat.get("state") == State.READY for seat in board.seats)
        for name, help_, value in (
            ("foveal_queue_depth", "Pictures that wait or are worked on.", board.total("queued")),
            ("foveal_in_flight", "Requests that are not answered yet.", board.total("in_flight")),
            ("foveal_connections", "Open connections.", board.total("connections")),
            ("foveal_workers_ready", "Workers that answer.", ready),
        ):
            yield GaugeMetricFamily(name, help_, value=value)
        restarts = board.total("restarts")
        yield CounterMetricFamily("foveal_worker_restarts", "Workers that died.", value=restarts)

    def _models(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "foveal_model_info", "Models that are served.", labels=("model", "digest", "engine", "precision")
        )
        alarm = GaugeMetricFamily(
            "foveal_drift_alarm", "1 after a sign that pictures have changed.", labels=("model", "kind")
        )
        for model in self._service.models.values():
            predictor = model.predictor
            info.add_metric((model.name, predictor.digest, predictor.session.engine, predictor.precision), 1)
            text = self._service.board.read_text(model.index)
            kinds = {found["kind"] for found in json.loads(text)["alarms"]} if text else set()
            for kind in ("scores", "rejected", "quality") if text else ():
                alarm.add_metric((model.name, kind), float(kind in kinds))
        yield info
        yield alarm

    def _sum(self, place: int) -> float:
        return sum(seat.numbers[place] for seat in self._service.board.seats)


def exposition(service: Service) -> bytes:
    """Return all numbers in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Everything(service))
    return generate_latest(registry)
