"""bundle.remembered: what was fastest here is taken again, and nothing else is believed."""

import json
from dataclasses import asdict

import pytest

from foveal.bundle import remembered, ways
from foveal.bundle.predictor import Predictor
from foveal.bundle.remembered import recall, remember
from foveal.bundle.ways import Way
from foveal.core import extras, machine
from foveal.core.errors import MissingExtraError, UnknownNameError, UsageError, WriteError

DIGEST = "d" * 64
FAST, ONE = Way("openvino", "fp32", 2), Way("onnxruntime", "fp32", 1)

needs_openvino = pytest.mark.skipif(extras.missing("openvino") != [], reason="needs the openvino extra")


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """Both engines are there and compute in fp32 alone."""
    monkeypatch.setattr(remembered, "precisions", lambda engine: ("fp32",))


def change(digest: str, change) -> None:
    """Let something happen to the file of a bundle."""
    file = remembered.path(digest)
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def test_nothing_is_known_of_a_bundle_that_was_never_measured():
    assert recall(DIGEST) is None
    assert recall(DIGEST, threads=1) is None


def test_the_first_way_is_taken_or_the_first_with_so_many_threads(own_cache):
    file = remember(DIGEST, [FAST, ONE])

    assert file.is_relative_to(own_cache)
    assert [recall(DIGEST), recall(DIGEST, threads=2), recall(DIGEST, threads=1)] == [FAST, FAST, ONE]
    assert recall(DIGEST, threads=3) is None
    assert recall("e" * 64) is None


def test_a_later_measurement_replaces_the_earlier_one():
    remember(DIGEST, [FAST])
    remember(DIGEST, [ONE])

    assert recall(DIGEST) == ONE
    assert len(json.loads(remembered.path(DIGEST).read_text())["machines"]) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("cpu_name", "Another"), ("cpu_features", ("AMX",)), ("usable_cpus", 77)],
)
def test_it_holds_on_the_machine_it_was_measured_on_and_both_are_kept(monkeypatch, name, value):
    remember(DIGEST, [FAST])
    with monkeypatch.context() as patch:
        patch.setattr(machine, name, lambda: value)
        assert recall(DIGEST) is None
        remember(DIGEST, [ONE])
        assert recall(DIGEST) == ONE

    assert recall(DIGEST) == FAST


def test_it_does_not_hold_for_other_versions_of_the_engines(monkeypatch):
    remember(DIGEST, [FAST])
    versions = machine.versions
    monkeypatch.setattr(machine, "versions", lambda *names: {**versions(*names), "openvino": "1999.1"})

    assert recall(DIGEST) is None


def test_the_folder_of_many_machines_does_not_grow_without_end(monkeypatch):
    for number in range(40):
        with monkeypatch.context() as patch:
            patch.setattr(machine, "cpu_name", lambda number=number: f"cpu {number}")
            remember(DIGEST, [FAST])

    names = [entry["machine"]["cpu"] for entry in json.loads(remembered.path(DIGEST).read_text())["machines"]]
    assert names == [f"cpu {number}" for number in range(24, 40)]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema": "other/1"}', b"[" * 50_000, b" " * 100_001],
)
def test_a_damaged_file_is_as_good_as_none_and_is_replaced(content):
    file = remember(DIGEST, [FAST])
    file.write_bytes(content)

    assert recall(DIGEST) is None
    remember(DIGEST, [ONE])
    assert recall(DIGEST) == ONE


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(machines=None),
        lambda d: d.update(machines=["x", None, 3]),
        lambda d: d["machines"][0].pop("ways"),
        lambda d: d["machines"][0].update(ways={"engine": "openvino"}),
        lambda d: d["machines"][0].update(more=1),
        lambda d: d["machines"][0]["ways"][0].update(engine="../../evil"),
        lambda d: d["machines"][0]["ways"][0].update(engine=["openvino"]),
        lambda d: d["machines"][0]["ways"][0].update(precision="fp64"),
        lambda d: d["machines"][0]["ways"][0].update(precision=["fp32"]),
        lambda d: d["machines"][0]["ways"][0].update(threads=0),
        lambda d: d["machines"][0]["ways"][0].update(threads=True),
        lambda d: d["machines"][0]["ways"][0].update(threads=10**9),
        lambda d: d["machines"][0]["ways"][0].update(threads=1.0),
        lambda d: d["machines"][0]["ways"][0].update(more=1),
        lambda d: d["machines"][0]["ways"][0].pop("threads"),
    ],
)
def test_what_makes_no_sense_is_passed_over(damage):
    remember(DIGEST, [FAST])
    change(DIGEST, damage)

    assert recall(DIGEST) is None


def test_a_way_that_makes_no_sense_does_not_hide_the_next():
    remember(DIGEST, [FAST, ONE])
    change(DIGEST, lambda d: d["machines"][0]["ways"][0].update(engine="warpdrive"))

    assert recall(DIGEST) == ONE


def test_an_engine_that_is_gone_is_not_taken(monkeypatch):
    remember(DIGEST, [FAST, ONE])

    def gone(engine: str):
        raise MissingExtraError("it", "openvino") if engine == "openvino" else AssertionError

    monkeypatch.setattr(
        remembered, "precisions", lambda name: ("fp32",) if name == "onnxruntime" else gone(name)
    )

    assert recall(DIGEST) == ONE


def test_a_cache_that_cannot_be_written_is_an_error_and_one_that_cannot_be_read_is_none(own_cache):
    own_cache.joinpath("foveal").write_text("a file is in the way")

    with pytest.raises(WriteError):
        remember(DIGEST, [FAST])
    assert recall(DIGEST) is None


def opened(bundle, **options) -> Way:
    predictor = Predictor.open(bundle, **options)
    return predictor.session.engine.partition(" ")[0], predictor.session.precision


@needs_openvino
def test_who_opens_a_bundle_gets_what_was_asked_for_else_what_is_remembered_else_onnx_runtime(bundle):
    digest = Predictor.open(bundle).digest
    assert opened(bundle) == ("onnxruntime", "fp32")

    remember(digest, [FAST])

    assert opened(bundle) == ("openvino", "fp32")
    assert opened(bundle, threads=2) == ("openvino", "fp32")
    assert opened(bundle, threads=1) == ("onnxruntime", "fp32"), "nothing was measured with one thread"
    assert opened(bundle, engine="onnxruntime") == ("onnxruntime", "fp32")
    assert opened(bundle, precision="fp32") == ("onnxruntime", "fp32")


@needs_openvino
def test_another_precision_is_computed_where_the_processor_can(bundle):
    if "bf16" not in ways.precisions("openvino"):
        pytest.skip("this processor has no bf16")
    assert Predictor.open(bundle, engine="openvino", precision="bf16").precision == "bf16"


def test_what_is_not_there_is_refused_and_not_replaced(bundle):
    with pytest.raises(UsageError, match="onnxruntime computes in fp32 on this processor, not in bf16"):
        Predictor.open(bundle, precision="bf16")
    with pytest.raises(UnknownNameError, match="warpdrive"):
        Predictor.open(bundle, engine="warpdrive")


def test_a_way_is_written_as_it_is_read():
    assert Way(**asdict(FAST)) == FAST
