"""flows.bench: what was measured, on what, and what would spoil it."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from foveal.bundle import engines, remembered
from foveal.bundle.engines.openvino import core
from foveal.bundle.ways import precisions
from foveal.core import catalog, extras
from foveal.core.errors import DataError, NotFoundError, UsageError
from foveal.flows import _machine
from foveal.flows._machine import Machine
from foveal.flows.bench import Terms, bench, usual_threads

QUICK = Terms(threads=(1,), seconds=0.2)
QUIET = Machine("A CPU", ("AVX2",), "x86_64", 4, 4, None, None, 0.3)


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("red", "green"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


def test_the_document_says_what_the_contract_promises(bundle):
    document = bench(bundle, terms=dataclasses.replace(QUICK, batches=(2, 1))).as_json()

    assert document["schema"] == "foveal.bench/1"
    assert document["ok"] is True
    rows = [(row["engine"], row["precision"], row["batch"]) for row in document["engines"]]
    assert rows[:2] == [("onnxruntime", "fp32", 2), ("onnxruntime", "fp32", 1)]
    there = [(name, precision) for name in catalog.names(engines) for precision in precisions(name)]
    assert rows == [(*way, batch) for way in there for batch in (2, 1)]
    for row in document["engines"]:
        assert row["threads"] == 1
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["images_per_second"] == pytest.approx(1000 * row["batch"] / row["p50_ms"])
        assert row["eligible"] is (row["decision_flips"]["value"] <= 0.005)
        assert row["decision_flips"]["value"] == 0 or row["precision"] != "fp32"
        assert row["rss_bytes"] > 20_000_000
    assert document["chosen"]["batch"] == 2, "that for the first batch which was asked for"
    assert [choice["batch"] for choice in document["choices"]] == [2, 1]
    assert document["noise"]["rounds"] >= 6
    assert document["machine"]["cores_usable"] >= 1
    assert document["images"] == {"kind": "synthetic", "path": None, "n": 48, "unreadable": 0}
    assert document["stages"] == []


def test_each_row_says_which_share_of_the_roof_it_reaches(make_bundle, tmp_path):
    model = {"name": "colors", "parameters": 300, "macs": 50_000, "source": "scratch"}

    document = bench(make_bundle(tmp_path / "counted.foveal", model=model), terms=QUICK).as_json()

    roof, rows = document["roofline"], document["engines"]
    assert {peak["precision"] for peak in roof["peaks"]} >= {"fp32", "int8"}, roof["error"]
    bounds = {(b["precision"], b["threads"], b["batch"]): b for b in roof["bounds"]}
    assert {bound["macs"] / bound["batch"] for bound in bounds.values()} == {50_000}
    for row in rows:
        least = bounds[row["precision"], row["threads"], row["batch"]]
        assert row["roofline_share"] == pytest.approx(least["bound_ms"] / row["p50_ms"])


def test_without_counted_multiply_adds_no_share_is_made_up(bundle):
    document = bench(bundle, terms=QUICK).as_json()

    assert document["roofline"]["bounds"] == []
    assert document["engines"][0]["roofline_share"] is None


def test_with_data_the_parts_of_the_way_are_measured_on_every_readable_picture(bundle, pictures):
    (pictures / "red" / "broken.png").write_bytes((pictures / "red" / "0.png").read_bytes()[:200])

    document = bench(bundle, data=pictures, terms=QUICK).as_json()

    assert document["images"] == {"kind": "data", "path": str(pictures), "n": 8, "unreadable": 1}
    assert [stage["name"] for stage in document["stages"]] == ["read", "decode", "resize", "run"]
    assert all(stage["value"] > 0 and stage["n"] == 8 for stage in document["stages"])
    assert document["engines"][0]["decision_flips"]["n"] == 8


def test_without_a_readable_picture_it_is_refused(bundle, tmp_path):
    (tmp_path / "data" / "red").mkdir(parents=True)
    (tmp_path / "data" / "red" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    with pytest.raises(DataError, match="no picture that can be used; the first: "):
        bench(bundle, data=tmp_path / "data", terms=QUICK)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (Terms(batches=(0,)), "batch are numbers from 1 to 4096, each once; got 0"),
        (Terms(batches=()), "got none"),
        (Terms(batches=(1, 1)), "got 1,1"),
        (Terms(threads=(257,)), "threads are numbers from 1 to 256"),
        (Terms(seconds=0), "above 0"),
    ],
)
def test_numbers_out_of_range_are_refused_before_any_work(terms, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        bench(tmp_path / "none.foveal", terms=terms)


@pytest.fixture
def reference_alone(monkeypatch):
    """Only ONNX Runtime is there."""
    monkeypatch.setattr(catalog, "names", lambda folder: ["onnxruntime"])


def test_what_is_fastest_is_kept_only_where_that_was_asked_for(bundle, reference_alone, own_cache):
    quiet = bench(bundle, terms=QUICK)
    assert quiet.as_json()["remembered"] is None
    assert list(own_cache.rglob("*.json")) == []

    found = bench(bundle, terms=dataclasses.replace(QUICK, remember=True))

    [kept] = own_cache.rglob("*.json")
    assert found.as_json()["remembered"] == str(kept) == str(remembered.path(found.digest))
    way = remembered.recall(found.digest)
    chosen = found.as_json()["chosen"]
    assert (way.engine, way.precision, way.threads) == (
        chosen["engine"],
        chosen["precision"],
        chosen["threads"],
    )


def test_a_cache_that_cannot_be_written_is_a_warning(bundle, reference_alone, own_cache):
    own_cache.joinpath("foveal").write_text("a file is in the way")

    document = bench(bundle, terms=dataclasses.replace(QUICK, remember=True)).as_json()

    assert document["remembered"] is None
    assert any("the fastest way was not remembered: cannot make" in said for said in document["warnings"])


def test_without_one_picture_a_call_nothing_is_kept_and_that_is_said(bundle, reference_alone, own_cache):
    document = bench(bundle, terms=dataclasses.replace(QUICK, remember=True, batches=(3,))).as_json()

    assert document["remembered"] is None
    assert any("nothing was remembered" in said for said in document["warnings"])
    assert list(own_cache.rglob("*.json")) == []


def test_an_engine_that_is_not_installed_is_skipped_with_the_command_that_installs_it(bundle, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    core.cache_clear()

    document = bench(bundle, terms=QUICK).as_json()

    [skipped] = document["skipped"]
    assert (skipped["engine"], skipped["precision"], skipped["threads"]) == ("openvino", None, None)
    assert skipped["error"]["code"] == "missing_extra"
    assert skipped["error"]["hint"] == 'pip install "foveal[openvino]"'
    assert {row["engine"] for row in document["engines"]} == {"onnxruntime"}


def test_a_missing_bundle_is_not_found(tmp_path):
    with pytest.raises(NotFoundError):
        bench(tmp_path / "none.foveal", terms=QUICK)


def test_usual_threads_are_powers_of_two_and_all(monkeypatch):
    for processors, expected in ((1, (1,)), (2, (1, 2)), (6, (1, 2, 4, 6)), (8, (1, 2, 4, 8))):
        monkeypatch.setattr("foveal.core.machine.usable_cpus", lambda n=processors: n)
        assert usual_threads() == expected


def test_a_quiet_whole_machine_gives_no_warning():
    assert _machine.busy(QUIET, ticks=((0, 0), (0, 1000)), processor_share=0.99) == []
    assert _machine.restricted(QUIET) == []


@pytest.mark.parametrize(
    ("changes", "share", "ticks", "said"),
    [
        ({"load": 3.0}, None, (None, None), "load 3 on 4 processors"),
        ({}, 0.6, (None, None), "one thread got 60% of a processor"),
        ({}, None, ((5, 100), (30, 600)), "the hypervisor took 5.0%"),
    ],
)
def test_other_work_is_said(changes, share, ticks, said):
    [sentence] = _machine.busy(dataclasses.replace(QUIET, **changes), ticks=ticks, processor_share=share)

    assert said in sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cores_usable": 2}, "2 of 4 processors"),
        ({"cores_quota": 1.5}, "grants the time of 1.5 processors"),
        ({"governor": "powersave"}, "'powersave'"),
    ],
)
def test_what_holds_the_process_back_is_said(changes, said):
    [sentence] = _machine.restricted(dataclasses.replace(QUIET, **changes))

    assert said in sentence


def test_stolen_time_that_nobody_counts_is_none():
    assert _machine.stolen_share(None, (1, 2)) is None
    assert _machine.stolen_share((1, 2), (1, 2)) is None


def test_what_finds_objects_is_measured_as_it_is_asked(finder, pictures):
    document = bench(finder, data=pictures, terms=QUICK).as_json()

    assert document["decisions"] == "objects"
    rows = [(row["engine"], row["precision"]) for row in document["engines"]]
    there = {(name, precision) for name in catalog.names(engines) for precision in precisions(name)}
    assert {*rows, *((one["engine"], one["precision"]) for one in document["skipped"])} == there
    assert all(
        row["decision_flips"]["value"] == 0 for row in document["engines"] if row["precision"] == "fp32"
    )
    spent = document["postprocess_ms"]
    assert 0 < spent["low"] <= spent["value"] <= spent["high"]
    assert spent["n"] == 8
    assert [stage["name"] for stage in document["stages"]] == ["read", "decode", "resize", "run"]


def test_that_nothing_was_found_is_said(finder, tmp_path):
    (tmp_path / "grey" / "empty").mkdir(parents=True)
    Image.new("RGB", (40, 30), (110, 110, 110)).save(tmp_path / "grey" / "empty" / "1.png")

    nothing = bench(finder, data=tmp_path / "grey", terms=QUICK).as_json()
    something = bench(finder, terms=QUICK).as_json()

    assert any("nothing was found on any of them" in one for one in nothing["warnings"])
    assert not any("nothing was found" in one for one in something["warnings"])
    assert any("48 synthetic pictures" in one for one in something["warnings"])


def test_of_pictures_with_a_class_nothing_is_left_to_do_after_the_run(bundle):
    document = bench(bundle, terms=QUICK).as_json()

    assert (document["decisions"], document["postprocess_ms"]) == ("pictures", None)
