"""optimize.lookup: known differences are found; each entry is measured once and outlives the process."""

import json

import numpy as np
import pytest

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.core.errors import DataError, UsageError
from foveal.optimize import lookup, micro
from foveal.optimize.lookup import Table
from foveal.optimize.shapes import Shape

DENSE = Shape("convolution", 4, 8, kernel=(3, 3), padding=(1, 1, 1, 1), height=6, width=6)
HEAD = Shape("linear", 8, 3)
IMAGES = np.zeros((1, 6, 6, 4), np.uint8)


class Clock:
    """Goes on by what sessions say they take, so that other work on this machine changes nothing."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def perf_counter(self) -> float:
        return self.seconds


CLOCK = Clock()


@pytest.fixture(autouse=True)
def _clock(monkeypatch, request) -> None:
    if "real" not in request.node.name:
        monkeypatch.setattr("foveal.bundle.quick_turns.time", CLOCK)


class Takes:
    """A session that takes a known time."""

    engine, classes = "takes", 2

    def __init__(self, seconds: float) -> None:
        self.seconds, self.input_shape = seconds, (6, 6, 4)

    def run(self, images):
        CLOCK.seconds += max(self.seconds, 1e-6)
        answer = np.full((len(images), 2), 0.5, np.float32)
        return answer, answer


class Loader:
    """Opens graphs as sessions that take a while; longer with the layer. Notes what it opened."""

    def __init__(self, seconds: float = 0.002) -> None:
        self.seconds, self.opened = seconds, []

    def __call__(self, model: bytes) -> Takes:
        self.opened.append(model)
        with_layer = model == micro.micro(DENSE, "fp32", with_layer=True)
        return Takes(0.0005 + self.seconds * with_layer)


def test_the_difference_is_what_one_takes_longer() -> None:
    one, other = Takes(0.004), Takes(0.001)

    assert lookup.difference(one, other, IMAGES) == pytest.approx(0.003, rel=1e-6)
    assert lookup.difference(other, one, IMAGES) == pytest.approx(-0.003, rel=1e-6)


def test_a_layer_is_the_difference_and_measured_once() -> None:
    loader = Loader()
    table = Table(loader, "fp32")

    first = table.layer(DENSE)

    assert first == pytest.approx(0.002, rel=1e-6)
    assert table.layer(DENSE) == first
    assert sorted(loader.opened) == sorted(
        micro.micro(DENSE, "fp32", with_layer=there) for there in (True, False)
    )


def test_no_layer_takes_less_than_nothing() -> None:
    assert Table(lambda model: Takes(0.003 / len(model)), "fp32").layer(HEAD) >= 0
    assert Table(Loader(seconds=-0.0005), "fp32").layer(DENSE) == 0


def test_a_network_is_its_input_and_its_layers_each_as_often_as_it_runs() -> None:
    table = Table(Loader(), "fp32")

    parts = table.parts([DENSE, HEAD, DENSE], channels=4, size=6)

    assert parts.layers == pytest.approx(2 * table.layer(DENSE) + table.layer(HEAD))
    assert parts.input == table.input(channels=4, size=6) == pytest.approx(0.0005)


def test_what_was_measured_is_not_measured_again_after_it_was_stored() -> None:
    table = Table(Loader(), "fp32")
    parts = table.parts([DENSE, HEAD], channels=4, size=6)
    loader = Loader()

    again = lookup.from_json(json.loads(json.dumps(table.as_json())), loader)

    assert again.parts([DENSE, HEAD], channels=4, size=6) == parts
    assert loader.opened == []
    again.layer(Shape("linear", 8, 4))
    assert len(loader.opened) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other"},
        {"precision": "int9"},
        {"layers": [{"shape": {}, "seconds": 1}]},
        {"layers": [{"shape": HEAD.as_json(), "seconds": -1}]},
        {"inputs": [{"channels": 3, "size": 8, "seconds": "nan"}]},
        {"inputs": None},
    ],
)
def test_what_is_no_table_is_refused(change) -> None:
    with pytest.raises(DataError, match="no table"):
        lookup.from_json({**Table(Loader(), "fp32").as_json(), **change}, Loader())


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="fp32 or int8"):
        Table(Loader(), "bf16")


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_in_a_real_engine_sixteen_times_the_work_takes_longer(precision) -> None:
    table = Table(lambda model: onnxruntime(model, threads=1), precision)

    def layer(width: int) -> Shape:
        side = {"kernel": (3, 3), "padding": (1, 1, 1, 1), "height": 16, "width": 16}
        return Shape("convolution", width, width, **side)

    assert table.layer(layer(128)) > 2 * table.layer(layer(32)) > 0
