"""flows.model_cost: the least time on a machine whose limits are known."""

import json

import pytest

from foveal.bundle.bandwidth import Level
from foveal.bundle.roofline import Peak, Roofline
from foveal.flows import model_cost as flows
from foveal.flows.model_cost import bounds, model_cost
from foveal.models._cost import cost

RATE = 1e9  # multiply-adds a second


def machine(bytes_per_second, *, rate=RATE, precision="fp32"):
    levels = (Level("L1", 1, 1 << 20, bytes_per_second, 0.0), Level("memory", 1, None, bytes_per_second, 0.0))
    return Roofline((Peak(precision, 1, "an engine", rate, 0.0, 9),), levels)


@pytest.fixture(scope="module")
def found():
    return cost("resnet18", size=64)


def test_where_moving_is_free_both_bounds_are_the_multiply_adds(found):
    [row] = bounds(found, machine(1e30))

    assert row["bound_ms"] == pytest.approx(found.macs / RATE * 1e3)
    assert row["layers_ms"] == pytest.approx(row["bound_ms"])
    assert row["limit"] == "compute"


def test_where_arithmetic_is_free_the_bounds_are_the_bytes(found):
    [row] = bounds(found, machine(1e9, rate=1e30))

    ends = 64 * 64 * 3 + 8 * 10
    assert row["bound_ms"] == pytest.approx((found.weight_bytes + ends) / 1e9 * 1e3)
    assert row["layers_ms"] == pytest.approx((found.weight_bytes + found.activation_bytes) / 1e9 * 1e3)
    assert row["limit"] == "memory"


@pytest.mark.parametrize(("precision", "part"), [("bf16", 2), ("int8", 4)])
def test_smaller_values_have_smaller_bytes(found, precision, part):
    [row] = bounds(found, machine(1e9, rate=1e30, precision=precision))

    moved = (found.weight_bytes + found.activation_bytes) / part
    assert row["layers_ms"] == pytest.approx(moved / 1e9 * 1e3)
    assert row["moved_bytes"] == pytest.approx(found.weight_bytes / part + 64 * 64 * 3 + 80, abs=1)


def test_layer_by_layer_is_never_faster_than_the_whole(found):
    for speed in (1e7, 1e8, 1e9, 1e10):
        [row] = bounds(found, machine(speed))
        assert row["layers_ms"] >= row["bound_ms"]


def test_maps_that_fit_a_cache_come_from_there(found):
    slow = machine(1e8, rate=1e30)
    fast_cache = Roofline(slow.peaks, (Level("L1", 1, 1 << 20, 1e30, 0.0), slow.levels[1]))

    [row] = bounds(found, fast_cache)

    assert row["layers_ms"] == pytest.approx(found.weight_bytes / 1e8 * 1e3), "the weights do not fit it"


def test_the_document_is_that_of_the_contract(monkeypatch):
    monkeypatch.setattr(flows, "roofline", lambda: machine(1e9))

    document = model_cost("mobilenet-v2", size=96, classes=7)

    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert (document["schema"], document["ok"]) == ("foveal.models/1", True)
    assert document["cost"].keys() == {
        *("name", "size", "channels", "classes", "parameters", "macs", "weight_bytes", "activation_bytes"),
        *("peak_activation_bytes", "layers"),
    }
    assert document["cost"]["name"] == "mobilenet-v2"
    assert {"kind", "macs", "weight_bytes", "activation_bytes"} == document["cost"]["layers"][0].keys()
    assert {"peaks", "bandwidth", "sweep", "skipped", "error", "bounds"} == document["roofline"].keys()


def test_a_machine_that_was_not_measured_has_no_bounds(found):
    assert bounds(found, Roofline((), (), error="killed")) == []
