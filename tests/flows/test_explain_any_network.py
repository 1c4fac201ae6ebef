"""flows.explain and flows.export where the network is no file of models/, or none that convolves."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from foveal.bundle import archive
from foveal.core.errors import DataError, UsageError
from foveal.flows.explain import Explained, Question, explain
from foveal.flows.export import export
from foveal.flows.train import TrainResult, train
from foveal.train.recipe import Recipe

BASELINES = [("knn", "occlusion"), ("logistic", "rise"), ("svm_hog", "occlusion"), ("svm_pixels", "rise")]


class Attentive(nn.Module):
    """16 patches that look at each other once, and their mean."""

    def __init__(self, channels: int, classes: int, size: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, 16, size // 4, size // 4)
        self.places = nn.Parameter(torch.zeros(16, 16))
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K)."""
        tokens = self.patches(images).flatten(2).transpose(1, 2) + self.places
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return self.head(self.norm(tokens).mean(dim=1))


def transformer(*, channels: int, classes: int, size: int) -> nn.Module:
    return Attentive(channels, classes, size)


def flat(*, channels: int, classes: int, size: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, classes))


def trained_with(model, colors: Path, out: Path) -> TrainResult:
    recipe = Recipe(model=model, epochs=20, size=16, precision="fp32", threads=1, augment="none")
    return train(colors, recipe=recipe, out=out)


@pytest.fixture(scope="module")
def attentive(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return trained_with(transformer, colors, tmp_path_factory.mktemp("runs") / "attentive")


def skipped(found: Explained) -> dict[str, str]:
    return {one.what: one.why for one in found.skipped}


@pytest.mark.parametrize(("model", "method"), BASELINES)
def test_a_baseline_is_explained(model: str, method: str, colors: Path, tmp_path: Path) -> None:
    fitted = train(colors, recipe=Recipe(model=model, size=16, threads=1), out=tmp_path / "run")

    found = explain(fitted.run, data=colors, question=Question(method=method, most=3, threads=1))

    assert len({one.source for one in found.explanations}) == 3
    assert [one.method for one in found.inside.sanity] == [method]
    assert set(skipped(found)) <= {"neighbours"}  # no linear layer
    assert found.inside.probes[0].layer == "pixels"


def test_a_network_without_places_is_explained_by_its_answers(colors: Path, tmp_path: Path) -> None:
    run = trained_with(flat, colors, tmp_path / "run").run

    found = explain(run, data=colors, question=Question(most=3, threads=1), model=flat)

    assert skipped(found) == {}
    assert [one.method for one in found.inside.sanity] == ["occlusion"]
    with pytest.raises(UsageError, match="has no layer with height and width"):
        explain(run, data=colors, question=Question(method="grad_cam", threads=1), model=flat)


def test_a_transformer_of_ones_own_shows_its_attention(attentive: TrainResult, colors: Path) -> None:
    question = Question(method="attention", most=3, threads=1)

    found = explain(attentive.run, data=colors, question=question, model=transformer)

    assert all(one.heatmap.shape == (4, 4) for one in found.explanations)
    assert all(one.heatmap.sum() == pytest.approx(1, abs=1e-5) for one in found.explanations)
    assert (found.method.name, found.method.unit) == ("attention", "share")
    assert [one.method for one in found.inside.sanity] == ["attention"]
    assert [one.layer for one in found.inside.probes][:2] == ["pixels", "patches"]
    assert skipped(found) == {}


def test_without_its_builder_only_the_bundle_of_an_own_network_is_explained(
    attentive: TrainResult, colors: Path
) -> None:
    found = explain(attentive.run, data=colors, question=Question(method="rise", most=3, threads=1))

    assert len({one.source for one in found.explanations}) == 3
    why = skipped(found)["sanity, feature maps, probes and neighbours"]
    assert "only your program can build it" in why
    assert why.endswith("model=builder)")
    with pytest.raises(UsageError, match=r"attention looks into the network.*model=builder\)") as caught:
        explain(attentive.run, data=colors, question=Question(method="attention"))
    assert caught.value.code == "needs_run_folder"


def test_another_builder_is_refused(attentive: TrainResult, colors: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no readable model"):
        explain(attentive.run, data=colors, model=flat)
    with pytest.raises(DataError, match="holds no readable model"):
        export(attentive.run, tmp_path / "again.foveal", model=flat)


def test_an_own_network_is_exported_again_with_its_builder_and_not_without(
    attentive: TrainResult, tmp_path: Path
) -> None:
    exported = export(attentive.run, tmp_path / "again.foveal", model=transformer)

    assert exported.bundle is not None
    assert archive.read(exported.bundle).manifest.digest == attentive.document["digest"]
    with pytest.raises(UsageError, match="only your program can build it") as caught:
        export(attentive.run, tmp_path / "other.foveal")
    assert caught.value.code == "own_model"
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("model=builder)")
    assert not (tmp_path / "other.foveal").exists()
