"""Whole searches on traps: integers that ruin, gains that are noise, one file or one seed twice."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from foveal.bundle import archive
from foveal.bundle.manifest import Data, Images
from foveal.bundle.timing import Times
from foveal.bundle.ways import REFERENCE, Way
from foveal.core.random import stream
from foveal.export.sealing import Origin
from foveal.export.sealing import bundle as seal
from foveal.flows.optimize import _final_comparison
from foveal.optimize import search as searching
from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Start
from foveal.optimize.decision import Field, decide
from foveal.optimize.families.narrow import narrow
from foveal.optimize.families.pruned import pruned
from foveal.optimize.labels import Pictures
from foveal.optimize.lessons import Learning
from foveal.optimize.measuring import Timed, really_faster, speed, timed
from foveal.optimize.search import search
from foveal.optimize.steps import distill as distilling
from foveal.optimize.variant import Variant
from foveal.optimize.workshop import Roles, Workshop
from foveal.train.examples import Examples

MILLISECONDS = {None: 1.0, "distill": 0.8, "mixed_precision": 0.6, "quantize": 0.5}
WAY = Way(REFERENCE, "fp32", 1)
ORIGIN = Origin(
    Data(fingerprint="f" * 64, split_seed=0, images=Images(fit=1024, calib=600, test=0)), source="somebody"
)


@pytest.fixture(scope="module")
def workshop(test_set, tmp_path_factory):
    """Make a workshop for a network: one half of 600 pictures chooses, the other calibrates."""
    images, labels = test_set
    choosing, calibrating = np.arange(300), np.arange(300, 600)

    def make(network, budget, *, learns=False) -> Workshop:
        folder = tmp_path_factory.mktemp("trap")
        calib = Examples(images, labels, calibrating)
        assert seal(network, folder / "original.foveal", calib=calib, origin=ORIGIN).bundle is not None
        roles = Roles(
            chosen_on=images[choosing],
            pictures=Pictures.of(labels[choosing], labelled=True),
            calibrating=calib,
            learning=Examples(images, labels, calibrating) if learns else None,
            showing=images[calibrating],
        )
        return Workshop(folder, folder / "original.foveal", roles, budget, ways=[WAY])

    return make


def beside(center, *, spread, seed, rounds=30, calls=8):
    """Return the times of a file whose calls scatter around a center."""
    rng = stream(seed, "times", round(center * 1e9))
    return Times(*(center * rng.lognormal(0, spread, (rounds, calls)) for _ in range(2)))


def fixed(files, images, *, seconds, progress=None):
    """Stand in for the clock: a file's last step says how long it takes, whatever else runs."""
    return [
        [Timed(way, beside(MILLISECONDS[last_step(path)] / 1e3, spread=0.05, seed=0)) for way in ways]
        for path, ways in files
    ]


def last_step(path):
    steps = archive.read(path).manifest.model.steps
    return steps[-1] if steps else None


def test_integers_that_ruin_a_network_are_caught_and_mixed_ones_take_their_place(
    workshop, outlier, monkeypatch
):
    monkeypatch.setattr("foveal.optimize.workshop.timed", fixed)
    monkeypatch.setattr("foveal.flows.optimize.timed", fixed)
    shop = workshop(outlier, Budget(drop=0.05, seconds=30.0))

    field, steps = _final_comparison(shop, search(shop, None))

    outcome = decide(field, shop.budget)
    rows = {row.variant.name: row for row in outcome.rows}
    assert list(rows) == ["original", "original-int8", "original-mixed"]
    ruined, mixed = rows["original-int8"], rows["original-mixed"]
    assert ruined.drop.low > 0.1
    assert (ruined.broken, ruined.code) == (("drop",), "outside")
    assert ruined.variant.speed.ratio < mixed.variant.speed.ratio < 1, "it would be the fastest"
    assert mixed.broken == ()
    assert mixed.drop.value < 0.05
    assert outcome.recommended == "original-mixed"
    assert {one.name: one.before for one in steps} == dict.fromkeys(list(rows)[1:], "original")


@pytest.mark.parametrize(("factor", "expected"), [(0.99, "original"), (1.0, "original"), (0.7, "second")])
def test_only_what_is_faster_beyond_the_noise_is_recommended(factor, expected):
    answers = np.zeros(300, dtype=np.int64)
    pictures = Pictures.of(answers, labelled=True)

    def recommended(seed):
        times = [
            beside(1e-3 * share, spread=0.3, seed=seed + place) for place, share in enumerate((1, factor))
        ]
        rows = [Timed(WAY, one) for one in times]
        variants = [
            Variant(name, (), name, 10, 100, 1000, answers, speed(row, rows[0]))
            for name, row in zip(("original", "second"), rows, strict=True)
        ]
        return decide(Field(variants, pictures, really_faster(rows)), Budget()).recommended

    found = [recommended(2 * seed) for seed in range(40)]

    assert found.count(expected) >= 39, "one in 40 may be an accident"


@pytest.mark.slow
def test_the_same_file_twice_is_never_told_as_different(workshop, nano, tmp_path):
    shop = workshop(nano, Budget(seconds=30.0))
    images = shop.roles.chosen_on
    twin = shutil.copy(shop.original, tmp_path / "twin.foveal")
    names = []
    for _ in range(20):
        rows = [row for [row] in timed([(shop.original, [WAY]), (twin, [WAY])], {16: images}, seconds=2.0)]
        speeds = [speed(row, rows[0]) for row in rows]
        answers = np.zeros(len(images), dtype=np.int64)
        variants = [
            Variant(name, (), name, 10, 100, 1000, answers, one)
            for name, one in zip(("original", "twin"), speeds, strict=True)
        ]
        outcome = decide(Field(variants, shop.roles.pictures, really_faster(rows)), Budget(drop=1.0))
        names.append((outcome.recommended, outcome.rows[1].code, speeds[1].real))

    assert names == [("original", "no_real_gain", False)] * 20


def test_the_same_seed_and_the_same_times_give_the_same_files_and_the_same_choice(
    workshop, nano, monkeypatch
):
    monkeypatch.setattr("foveal.optimize.workshop.timed", fixed)
    monkeypatch.setattr("foveal.flows.optimize.timed", fixed)
    monkeypatch.setattr(distilling, "warm_up", lambda *_, **__: SimpleNamespace(step_seconds=0.1))
    monkeypatch.setattr(Workshop, "_spent", lambda _: 0.0)
    monkeypatch.setattr(searching, "_LEAST_LESSON", 0.1)
    every = searching.screened
    monkeypatch.setattr(searching, "screened", lambda *args, **more: every(*args, **more)[-1:])

    arguments = {"channels": 3, "classes": len(nano.classes), "size": 16, "widths": [8, 16, 16]}
    teacher = replace(nano, arguments=arguments)  # a network that can be written down

    def found():
        shop = workshop(teacher, Budget(drop=0.3, seconds=5.0), learns=True)
        learning = Learning(teacher, {"flip": 0.5}, batch_size=64, precision="fp32", seed=3)
        field, _ = _final_comparison(shop, search(shop, learning))
        outcome = decide(field, shop.budget)
        told = [replace(row.variant, answers=(), seconds=0.0, peak_bytes=None) for row in outcome.rows]
        digests = [shop.digest(shop.path(row.variant)) for row in outcome.rows]
        return outcome.recommended, told, digests, [row.variant.answers.tolist() for row in outcome.rows]

    first, second = found(), found()

    assert len(first[1]) == 6, "the original, the student after either lesson, and all in integers"
    assert first == second


def test_only_what_begins_with_weights_of_the_original_says_where_those_came_from(
    workshop, nano, pictures, tmp_path
):
    start = Start(nano, pictures, macs=10**6)
    assert {one.inherits for one in narrow(start)} == {False}
    assert {one.inherits for one in pruned(start)} == {True}
    shop = workshop(nano, Budget())

    for inherits, source in ((True, "somebody"), (False, "scratch")):
        path = tmp_path / f"{source}.foveal"
        assert shop.sealed(nano, ("a step",), path, inherits=inherits)
        assert archive.read(path).manifest.model.source == source
