"""A taught bundle as a backbone: what counts is the network that it was taught on, not what it was taught."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.export.embedding import embedder_in
from foveal.export.ir import with_ir
from foveal.fewshot.sealing import opened
from foveal.flows.fewshot_teach import Wanted, teach
from foveal.flows.search_index import Backbone, index
from foveal.search.file import IndexFile

Paint = Callable[..., list[Path]]


@pytest.fixture
def taught_one(few: Path, bundle: Path, tmp_path: Path) -> Path:
    """A bundle whose head normalizes twice: its last product reads other numbers than the network's."""
    return Path(teach(str(bundle), few, wanted=Wanted(head="cosine"), out=tmp_path / "t.foveal")["bundle"])


def test_a_taught_bundle_is_taught_anew_with_the_bits_of_its_own_backbone(
    bundle: Path, taught_one: Path, paint: Paint, tmp_path: Path
) -> None:
    for name in ("red", "violet"):
        paint(tmp_path / "other" / name, name, 4, seed=3)
    wanted = Wanted(head="ridge")
    again, first = (
        teach(str(backbone), tmp_path / "other", wanted=wanted, out=tmp_path / f"{name}.foveal")
        for name, backbone in (("again", taught_one), ("first", bundle))
    )
    assert again["head_losses"] == first["head_losses"]
    made = [archive.read(tmp_path / f"{name}.foveal") for name in ("again", "first")]
    assert made[0].taught == made[1].taught
    assert made[0].manifest.decision == made[1].manifest.decision
    picture = paint(tmp_path / "asked", "violet", 1, seed=8)[0]
    assert Predictor.open(tmp_path / "again.foveal").predict([picture])[0].label == "violet"
    assert teach(str(tmp_path / "again.foveal"), tmp_path / "other", out=tmp_path / "third.foveal")["ok"]


@pytest.mark.parametrize("kept", ["all", "no pictures", "OpenVINO's form"])
def test_its_features_are_those_of_the_backbone_that_it_was_taught_from(
    bundle: Path, taught_one: Path, tmp_path: Path, kept: str
) -> None:
    path = taught_one
    if kept == "no pictures":
        members, path = archive.read(taught_one), tmp_path / "bare.foveal"
        archive.seal(path, members.manifest.draft(), model=members.model, golden=members.golden)
    elif kept == "OpenVINO's form":
        path = tmp_path / "ir.foveal"
        with_ir(archive.read(taught_one), path)
    images = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), dtype=np.uint8)
    found, network = (embedder_in(archive.read(one), source="x") for one in (path, bundle))
    assert found.dimensions == network.dimensions
    assert found.preprocess == network.preprocess
    np.testing.assert_array_equal(found.features(images), network.features(images))
    np.testing.assert_array_equal(opened(taught_one).embedder.features(images), network.features(images))


def test_an_index_by_it_holds_the_vectors_of_an_index_by_its_backbone(
    few: Path, bundle: Path, taught_one: Path, tmp_path: Path
) -> None:
    vectors = []
    for name, backbone in (("by", taught_one), ("of", bundle)):
        index([few], tmp_path / f"{name}.index", backbone=Backbone(str(backbone)))
        with IndexFile.open(tmp_path / f"{name}.index") as held:
            vectors.append(held.gallery().vectors)
    np.testing.assert_array_equal(*vectors)
