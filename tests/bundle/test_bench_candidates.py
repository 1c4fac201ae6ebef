"""bundle.bench: engine, precision, threads and batch make a candidate; one that crashes is alone."""

import dataclasses

from foveal.bundle import bench as benches
from foveal.bundle.bench import Wish, bench
from foveal.bundle.ways import Way


def wish(*names: str, batches=(1,), threads=(1,), seconds=0.4) -> Wish:
    return Wish(("onnxruntime", *names), threads, batches, seconds)


def test_an_engine_that_kills_its_process_on_the_bundle_does_not_kill_ours(plug_in, bundle, images):
    crash = plug_in("crash", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")

    found = bench(bundle, wish(crash, seconds=0.05), images)

    [skipped] = found.skipped
    assert (skipped.candidate.way, skipped.error.code) == (Way("crash", "fp32", 1), "engine_died")
    assert "killed by signal 11" in skipped.error.message
    assert {row.candidate.way.engine for row in found.rows} == {"onnxruntime"}


def test_every_precision_is_a_candidate_and_has_to_decide_alike(plug_in, bundle, images):
    wrong = "x = self.inner.run(images)\n        "
    wrong += "return x if len(images) == 1 or self.precision == 'fp32' else tuple(y[:, ::-1] for y in x)"
    name = plug_in("both", wrong, precisions=("fp32", "bf16"))

    found = bench(bundle, wish(name, batches=(4,)), images)

    rows = {(row.candidate.way.engine, row.precision): row for row in found.rows}
    assert set(rows) == {("onnxruntime", "fp32"), ("both", "fp32"), ("both", "bf16")}
    assert rows["both", "fp32"].why_not is None
    assert "it decides otherwise" in rows["both", "bf16"].why_not


def test_precision_of_the_graph_is_part_of_the_name(plug_in, make_bundle, images, tmp_path):
    model = {"name": "colors", "parameters": 220, "source": "scratch", "precision": "int8"}
    small = make_bundle(tmp_path / "int8.foveal", model=model)
    name = plug_in("both", "return self.inner.run(images)", precisions=("fp32", "bf16"))

    found = bench(small, wish(name, seconds=0.05), images)

    assert [row.precision for row in found.rows] == ["int8", "int8", "int8+bf16"]


def test_fastest_are_those_of_each_number_of_threads_for_one_picture_a_call(bundle, images):
    found = bench(bundle, wish(threads=(1, 2), batches=(4, 1), seconds=0.05), images)

    first, other = benches.fastest(found)
    [choice] = [choice for choice in found.choices if choice.batch == 1]
    assert first == choice.row.candidate.way
    assert {first.threads, other.threads} == {1, 2}
    without = [choice for choice in found.choices if choice.batch == 4]
    assert benches.fastest(dataclasses.replace(found, choices=tuple(without))) == ()
