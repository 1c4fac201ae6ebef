"""Searches on smaller pictures: pixels are the bundle's own, pairs stay pairs, files answer as measured."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from foveal.bundle import archive, ways
from foveal.bundle.predictor import Predictor
from foveal.bundle.timing import Times
from foveal.core.errors import DataError
from foveal.core.progress import silent
from foveal.core.random import stream
from foveal.data.decode import picture
from foveal.data.preprocess import Preprocess
from foveal.flows._optimize_run import OfRun
from foveal.flows.evaluate import evaluate
from foveal.flows.optimize import Terms, optimize
from foveal.flows.train import train
from foveal.optimize.budget import Budget
from foveal.optimize.families.smaller_pictures import smaller_pictures
from foveal.optimize.measuring import Timed
from foveal.train.recipe import Recipe

SMALL = 24


@pytest.fixture(scope="module")
def trained_at_32(colors, tmp_path_factory):
    recipe = Recipe(epochs=4, size=32, precision="fp32", threads=1)
    return train(colors, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "train32")


@pytest.fixture(scope="module")
def roles(trained_at_32, colors, tmp_path_factory):
    out = tmp_path_factory.mktemp("roles")
    return OfRun.find(trained_at_32.run, colors).setup(out, train=True, seed=0, progress=silent).roles


@pytest.fixture(scope="module")
def small(roles):
    return roles.resizing.roles([SMALL], silent)[SMALL]


def by_pixels(colors, size):
    """Return for the pixels of each file at a size its path: an oracle that no store is asked for."""
    of = Preprocess(size=size, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)
    return {of(picture_of(path)).tobytes(): path for path in colors.rglob("*.png")}


def picture_of(path):
    return np.asarray(picture(path.read_bytes(), 3)).copy()


class TestPictures:
    def test_they_are_bit_for_bit_what_the_preprocessing_makes_of_the_same_files(
        self, roles, small, colors
    ) -> None:
        large, smaller = by_pixels(colors, 32), by_pixels(colors, SMALL)
        pairs = [
            (roles.chosen_on, small.chosen_on),
            (roles.shown(50), small.shown(50)),
            *(
                (one.images[one.indices], other.images[other.indices])
                for one, other in (
                    (roles.calibrating, small.calibrating),
                    (roles.learning, small.learning),
                )
            ),
        ]

        for one, other in pairs:
            assert len(one) > 10
            assert other.shape[1:] == (SMALL, SMALL, 3)
            before = [large[pixels.tobytes()] for pixels in one]
            assert [smaller[pixels.tobytes()] for pixels in other] == before

    def test_labels_and_what_counts_are_the_same(self, roles, small) -> None:
        np.testing.assert_array_equal(roles.pictures.truth, small.pictures.truth)
        assert roles.pictures.independent == small.pictures.independent
        for one, other in ((roles.calibrating, small.calibrating), (roles.learning, small.learning)):
            np.testing.assert_array_equal(one.indices, other.indices)
            np.testing.assert_array_equal(one.labels, other.labels)
            np.testing.assert_array_equal(one.units, other.units)

    def test_they_are_read_once_and_all_that_is_missing_in_one_pass(self, roles, small) -> None:
        read, sizes = [], roles.resizing
        dataset = sizes.prepared.dataset

        def noted(index):
            read.append(index)
            return dataset.read(index)

        prepared = replace(sizes.prepared, dataset=replace(dataset, read=noted))
        again = replace(sizes, prepared=prepared, _made={})

        again.at([SMALL, 32], silent)
        assert read == [], "they lie there already"
        again.at([8, 16, SMALL], silent)
        first_pass = len(read)
        assert set(read) == set(range(len(dataset)))
        assert first_pass < 2 * len(dataset), "the others were made together"
        assert again.seconds([8, 16, SMALL, 32]) == 0
        assert len(read) == first_pass
        assert again.seconds([40]) > 0

    def test_data_that_changed_are_refused(self, trained_at_32, colors, tmp_path) -> None:
        data = shutil.copytree(colors, tmp_path / "colors")
        found = OfRun.find(trained_at_32.run, data).setup(tmp_path, train=True, seed=0, progress=silent)
        first = min(data.rglob("*.png"))
        first.write_bytes(max(data.rglob("*.png")).read_bytes())

        with pytest.raises(DataError) as caught:
            found.roles.resizing.roles([SMALL], silent)

        assert caught.value.code == "split_mismatch"
        assert not list((tmp_path / "store").glob(f"*{SMALL}*"))


def by_multiply_adds(files, images, *, seconds, progress=None):
    """Stand in for the clock: time is multiply-adds, halved in integers; each file has its own pictures."""
    rows = []
    for path, each in files:
        manifest = archive.read(path).manifest
        assert images[manifest.preprocess.size].shape[1] == manifest.preprocess.size
        factor = 1 if manifest.model.precision == "fp32" else 0.5
        center = manifest.model.macs * factor * 1e-10
        rng = stream(0, "times", round(center * 1e12))
        times = Times(*(center * rng.lognormal(0, 0.05, (30, 8)) for _ in range(2)))
        rows.append([Timed(way, times) for way in each])
    return rows


@pytest.fixture(scope="module")
def searched(trained_at_32, tmp_path_factory):
    """Return a whole search with this family alone, and its document."""
    out = tmp_path_factory.mktemp("searches") / "pixels"
    terms = Terms(Budget(drop=1.0, seconds=6.0), threads=1, engines=(ways.REFERENCE,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foveal.optimize.screening.found", lambda start: (smaller_pictures(start), {}))
        patch.setattr("foveal.optimize.screening.READING_SHARE", 1e9)
        patch.setattr("foveal.optimize.search._LEAST_LESSON", 0.1)
        patch.setattr("foveal.optimize.workshop.Workshop._spent", lambda _: 0.0)
        patch.setattr("foveal.optimize.workshop.timed", by_multiply_adds)
        patch.setattr("foveal.flows.optimize.timed", by_multiply_adds)
        return out, optimize(trained_at_32.run, terms=terms, out=out)


class TestSearch:
    def test_what_is_taught_is_sealed_and_rounded_at_its_size(self, searched) -> None:
        out, document = searched
        rows = {row["name"]: row for row in document["variants"]}

        listed = json.loads((out / "candidates" / "candidates.json").read_text())
        assert {one["name"] for one in listed} == {"pixels-24", "pixels-16"}
        assert {"pixels-16-short", "pixels-16-short-int8"} <= set(rows)
        assert document["failed"] == {}
        for name, row in rows.items():
            size = int(name.split("-")[1]) if name.startswith("pixels") else 32
            assert row["input_pixels"] == size
            for path in (out / "variants" / name).glob("*.foveal"):
                manifest = archive.read(path).manifest
                assert manifest.preprocess.size == size
                assert manifest.model.macs == row["macs"]
        assert rows["pixels-16-short"]["macs"] < 0.3 * rows["original"]["macs"]

    def test_measured_answers_are_those_for_the_files(self, searched, roles, colors) -> None:
        out, document = searched
        files = by_pixels(colors, 32)
        chosen = [files[pixels.tobytes()] for pixels in roles.chosen_on]

        for row in document["variants"]:
            if not row["name"].endswith("-short"):
                continue
            predictor = Predictor.open(
                out / "variants" / row["name"] / "fp32.foveal", engine=ways.REFERENCE, threads=1
            )
            answered = [predictor.classes.index(one.label) for one in predictor.predict(chosen)]
            told = json.loads((out / "variants" / row["name"] / "variant.json").read_text())["answers"]
            assert answered == told

    def test_what_is_delivered_takes_the_small_pictures_and_was_proven_on_them(
        self, searched, colors
    ) -> None:
        _, document = searched
        size = archive.read(document["bundle"]).manifest.preprocess.size

        assert document["recommended"].startswith(f"pixels-{size}")
        assert size < 32
        found = evaluate(document["bundle"], colors)
        assert found.report.metrics.accuracy.as_json() == document["test"]["accuracy"]

    def test_no_pixels_are_left_behind(self, searched) -> None:
        out, _ = searched

        assert not list(out.rglob("*.npy"))

    def test_where_reading_takes_too_long_there_are_none_and_it_is_said(
        self, trained_at_32, tmp_path, monkeypatch
    ) -> None:
        monkeypatch.setattr("foveal.optimize.screening.found", lambda start: (smaller_pictures(start), {}))
        monkeypatch.setattr("foveal.optimize.screening.READING_SHARE", 0.0)
        monkeypatch.setattr("foveal.optimize.workshop.Workshop._spent", lambda _: 0.0)
        monkeypatch.setattr("foveal.optimize.search._LEAST_LESSON", 0.01)
        terms = Terms(Budget(drop=1.0, seconds=0.5), threads=1, engines=(ways.REFERENCE,))
        told = []

        document = optimize(
            trained_at_32.run, terms=terms, out=tmp_path / "s", progress=lambda *a: told.append(str(a[-1]))
        )

        assert not any("pixels" in row["name"] for row in document["variants"])
        assert any("reading all of them again" in note for note in told)
