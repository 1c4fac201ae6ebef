"""bundle.bench: real engines, of which some are known to be heavier or wrong, must be told apart."""

import gc

import numpy as np
import pytest

from foveal.bundle import bench as benches
from foveal.bundle.bench import Wish, bench
from foveal.bundle.footprint import footprint
from foveal.bundle.ways import Way
from foveal.core.errors import BundleError, NotFoundError

REFERENCE = Way("onnxruntime", "fp32", 1)
HEAVY = "return [self.inner.run(images) for _ in range(50)][-1]"
# Right for one picture a call, as when it is opened; wrong for more.
WRONG = "return tuple(x[:, ::-1] if len(images) > 1 else x for x in self.inner.run(images))"
NEVER = "raise MissingExtraError('the engine', 'never')"


def wish(*names: str, batches=(1,), threads=(1,), seconds=0.4) -> Wish:
    return Wish(("onnxruntime", *names), threads, batches, seconds)


def test_an_engine_that_does_the_work_fifty_times_is_really_slower(plug_in, bundle, images):
    found = bench(bundle, wish(plug_in("heavy", HEAVY)), images)

    light, heavy = found.rows
    assert heavy.times.p50().value > 10 * light.times.p50().value
    [choice] = found.choices
    assert (choice.row, choice.next, choice.equal) == (light, heavy, ())
    assert choice.margin.real
    assert choice.margin.ratio.low > np.log(10)
    assert heavy.version == "heavy 1"
    assert light.why_not is None
    assert heavy.why_not is None


def test_an_engine_that_decides_otherwise_is_not_chosen_however_fast(plug_in, bundle, images):
    found = bench(bundle, wish(plug_in("wrong", WRONG), batches=(1, 4)), images)

    flips = {(row.candidate.way.engine, row.candidate.batch): row.flips.share.value for row in found.rows}
    assert flips["onnxruntime", 1] == flips["onnxruntime", 4] == flips["wrong", 1] == 0
    assert flips["wrong", 4] > 0.3
    wrong = next(row for row in found.rows if row.candidate.batch == 4 and row.flips.share.value)
    assert "it decides otherwise for" in wrong.why_not
    chosen = {choice.batch: choice for choice in found.choices}
    assert chosen[4].row.candidate.way.engine == "onnxruntime"
    assert wrong not in chosen[4].equal


def test_engines_that_cannot_run_the_bundle_are_said_and_the_others_measured(plug_in, bundle, images):
    bad = plug_in("bad", "p, z = self.inner.run(images); return p[:, ::-1], z")

    found = bench(bundle, wish(plug_in("never", NEVER), bad), images)

    assert {one.engine: one.error.code for one in found.skipped} == {
        "never": "missing_extra",
        "bad": "golden_mismatch",
    }
    assert [row.candidate.way.engine for row in found.rows] == ["onnxruntime"]


def test_every_candidate_runs_as_often_as_the_others_and_its_twins_are_alike(bundle, images):
    found = bench(bundle, wish(threads=(1, 2), batches=(1, 3)), images)

    assert [(r.candidate.way.threads, r.candidate.batch) for r in found.rows] == [
        (1, 1),
        (1, 3),
        (2, 1),
        (2, 3),
    ]
    assert {len(row.times.first) for row in found.rows} == {found.rounds}
    assert found.rounds >= 6
    for row in found.rows:
        noise = row.times.noise()
        assert (noise.low or 0) <= noise.value <= (noise.high or 0)
        assert row.flips.share.n == 20
        assert row.footprint.peak_bytes > 20_000_000
    assert 0 < found.processor_share <= 1


def test_what_needs_more_memory_than_there_is_is_not_chosen(bundle, images):
    found = bench(bundle, wish(seconds=0.05), images, available_bytes=1_000_000)

    assert found.rows[0].why_not == "it needs more memory than is available"
    assert found.choices == ()


def test_the_collector_is_on_again_also_after_an_interrupt(bundle, images):
    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "timing":
            assert not gc.isenabled()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench(bundle, wish(seconds=0.05), images, progress=stop)

    assert gc.isenabled()


def test_batches_larger_than_the_pictures_repeat_them(images):
    [one] = benches._inputs(images[:3], 8)

    assert one.shape == (8, 16, 16, 3)
    assert np.array_equal(one[3:6], images[:3])
    assert len(benches._inputs(images, 6)) == 4


def test_a_bundle_that_is_not_there_or_not_to_be_trusted_is_refused(bundle, images, tmp_path):
    with pytest.raises(NotFoundError):
        bench(tmp_path / "none.foveal", wish(), images)
    broken = tmp_path / "broken.foveal"
    broken.write_bytes(bundle.read_bytes()[:-7] + b"1234567")
    with pytest.raises(BundleError):
        bench(broken, wish(), images)


def test_memory_is_that_of_the_child_and_not_of_us(bundle):
    ours = np.ones(400_000_000, np.uint8)  # resident here; ru_maxrss of a child would count it

    found = footprint(bundle, REFERENCE, batch=1)

    assert ours.sum() == 400_000_000
    assert 20_000_000 < found.peak_bytes < 300_000_000


def test_a_larger_batch_needs_more_memory(make_bundle, bundle):
    small = footprint(bundle, REFERENCE, batch=1)
    large = footprint(bundle, REFERENCE, batch=4096)

    assert large.peak_bytes > small.peak_bytes + 4096 * 16 * 16 * 3 * 4 * 0.9, "the float copy alone"


def test_a_process_that_cannot_open_the_bundle_says_why(tmp_path):
    found = footprint(tmp_path / "none.foveal", REFERENCE, batch=1)

    assert found.peak_bytes is None
    assert found.error.code == "not_found"
