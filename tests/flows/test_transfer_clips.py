"""Transfer to clips: what looks at the frames is from elsewhere, what reads them is learned."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor

import films
from foveal import models
from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.bundle.rolling import Rolling
from foveal.core.errors import FovealError, RecipeError, UsageError
from foveal.core.progress import Progress, silent
from foveal.core.steps import file_hash
from foveal.data import opening
from foveal.data.preprocess import Preprocess
from foveal.flows._features import View
from foveal.flows._origin import origin_of, with_model
from foveal.flows._prepare import Wishes, prepare
from foveal.flows._transfer import preprocess_for
from foveal.flows._transfer_clips import _Seen, plan_reading
from foveal.flows.evaluate import evaluate
from foveal.flows.train import TrainResult, resume, train
from foveal.models.cnn import Reading
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.objective import Batch
from foveal.train.objectives.frozen import Frozen
from foveal.train.plan import Plan
from foveal.train.planning import check_recipe
from foveal.train.recipe import Recipe

pytest.importorskip("av")

SIDE, FRAMES, BACKBONE = 32, 3, "resnet20"
MEAN, STD = (0.41, 0.42, 0.43), (0.21, 0.22, 0.23)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty films of a color each: 5 of each class to test, others to learn from."""
    folder = tmp_path_factory.mktemp("films") / "colors"
    for number in range(40):
        label, part = ("warm", "cold")[number % 2], "test" if number < 10 else "train"
        frames = np.random.default_rng(number).integers(0, 90, (6, SIDE, SIDE, 3), dtype=np.uint8)
        frames[..., 0 if label == "warm" else 2] += 120
        films.write(folder / part / label / f"film{'abcd'[number % 4]}{number:02}x.mkv", frames, rate=6)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learned pictures, with batch norms that have seen some; 32 pixels, a normalization."""
    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": 5, "size": SIDE}
    network = models.architecture(BACKBONE).build(**arguments)
    network(torch.randn(16, 3, SIDE, SIDE))  # in training mode: the norms see something
    preprocess = Preprocess(size=SIDE, channels=3, mean=MEAN, std=STD)
    run = tmp_path_factory.mktemp("source") / "run"
    names = tuple("abcde")
    recognizers.save(Recognizer(network.eval(), BACKBONE, arguments, preprocess, names), run / "model")
    return run


@pytest.fixture(scope="module")
def recipe(source: Path) -> Recipe:
    # Nobody names a model, nor what looks at the frames: cnn_gru, and the network of the weights.
    return Recipe(task="video", weights=str(source), frames=FRAMES, threads=1, scratch=False, seed=3)


@pytest.fixture(scope="module")
def frozen(clips: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train(clips, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "frozen")


def states(source: Path, run: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the state of the source and, under its names, that of the backbone."""
    before = recognizers.load(source / "model").network.state_dict()
    after = recognizers.load(run / "model").network.state_dict()
    mine = {name.removeprefix("backbone."): t for name, t in after.items() if name.startswith("backbone.")}
    return before, mine


def test_a_frozen_backbone_ships_bit_for_bit(frozen: TrainResult, source: Path) -> None:
    before, after = states(source, frozen.run)

    assert any(name.endswith("running_var") for name in after)
    assert set(before) - set(after) == {"fc.weight", "fc.bias"}
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())


def test_the_exported_file_computes_with_them(frozen: TrainResult, source: Path) -> None:
    whole = archive.read(frozen.bundle)
    initializers = onnx.load_from_string(whole.model).graph.initializer
    shipped = {one.name: numpy_helper.to_array(one) for one in initializers}
    layers = dict(recognizers.load(source / "model").network.named_modules())
    convolutions = [name for name in layers if name.rpartition(".")[2].startswith("conv")]

    assert file_hash(frozen.run / "model" / "weights.safetensors") == whole.manifest.weights_sha256
    assert len(convolutions) > 15
    for name in convolutions:  # the exporter multiplies the norm that follows into each
        norm = layers[name.replace("conv", "bn")]
        factor = norm.weight / (norm.running_var + norm.eps).sqrt()
        folded = (layers[name].weight * factor[:, None, None, None]).detach().numpy()
        np.testing.assert_allclose(shipped[f"network.backbone.{name}.weight"], folded, rtol=1e-4, atol=1e-6)


def test_the_frames_are_made_as_the_weights_want_them(frozen: TrainResult) -> None:
    predictor = Predictor.open(frozen.bundle, engine="onnxruntime", threads=1)
    preprocess = predictor.preprocess

    assert (preprocess.mean, preprocess.std) == (MEAN, STD)
    assert (preprocess.size, preprocess.clip.frames) == (SIDE, FRAMES)
    assert preprocess.clip.spacing_s == pytest.approx(1 / FRAMES, abs=0.01)
    assert preprocess.decoder.startswith("pyav")


def test_what_is_kept_and_said_of_the_start(frozen: TrainResult, source: Path) -> None:
    document, plan = frozen.document, json.loads((frozen.run / "plan.json").read_text())
    start = document["start"]

    assert (start["frozen"], start["sha256"]) == (True, plan["starts_from"])
    assert (plan["model"], plan["arguments"]["backbone"]) == ("cnn_gru", BACKBONE)
    assert plan["arguments"]["start"] == "frozen"
    assert {"weights", "normalization", "frozen"} <= set(plan["reasons"])
    assert "only what reads them was learned here" in frozen.report.read_text()
    kept = {path.suffix for path in (frozen.run / "pretrained").iterdir()}
    assert kept == {".safetensors", ".json"}
    assert document["parity"]["clear_flips"] == 0
    assert document["metrics"]["test"]["accuracy"]["value"] >= 0.8


def test_a_stream_answers_what_an_evaluation_does(frozen: TrainResult, clips: Path) -> None:
    predictor = Predictor.open(frozen.bundle, engine="onnxruntime", threads=1)
    shown = [
        np.random.default_rng(seed).integers(0, 256, (FRAMES, SIDE, SIDE, 3), np.uint8) for seed in (1, 2)
    ]

    for clip, whole in zip(shown, predictor.predict(shown), strict=True):
        rolling = Rolling(predictor)
        last = [rolling.see(frame)[0] for frame in clip][-1]
        np.testing.assert_allclose(list(last.scores.values()), list(whole.scores.values()), atol=1e-5)
    metrics = evaluate(frozen.run, clips).report.metrics
    assert metrics.accuracy.value == frozen.document["metrics"]["test"]["accuracy"]["value"]


@pytest.fixture(scope="module")
def planned(
    clips: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Recipe], Plan]:
    """Return what plans a frozen transfer to the films by a recipe."""
    folder, recipe = tmp_path_factory.mktemp("planned"), with_model(recipe)
    weights, dataset = origin_of(recipe), opening.open(clips)
    like = preprocess_for(dataset, recipe, weights)
    prepared = prepare(dataset, folder, Wishes(None, 3, False, 1, like=like, frames=FRAMES), progress=silent)

    def plan(wanted: Recipe) -> Plan:
        return plan_reading(folder, with_model(wanted), weights, prepared, threads=1, progress=silent)

    return plan


@pytest.mark.parametrize(
    ("wishes", "views", "augmentation", "precision"),
    [
        ({}, 4, {"crop": 0.75, "color": 0.4}, "fp32"),
        ({"augment": "none"}, 1, {}, "fp32"),
        ({"augment": {"flip": 1.0, "color": 0.0}, "precision": "bf16"}, 4, {"flip": 1.0}, "bf16"),
        ({"augment": {"color": 0.0}}, 1, {}, "fp32"),
        ({"augment": "robust"}, 4, {"crop": 0.75, "color": 0.4, "corruption": 1.0, "noise": 0.2}, "fp32"),
    ],
)
def test_views_and_precision_are_those_that_were_asked_for(
    wishes: dict[str, object],
    views: int,
    augmentation: dict[str, float],
    precision: str,
    recipe: Recipe,
    planned: Callable[[Recipe], Plan],
) -> None:
    plan = planned(recipe.changed(**wishes))

    assert (plan.views, plan.augmentation, plan.precision) == (views, augmentation, precision)
    assert plan.objective == "frozen"


@pytest.mark.parametrize("place", [0, 1, 5])
def test_a_clip_is_mirrored_in_every_second_changed_view(place: int) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (1, 2, 8, 8, 3), dtype=np.uint8)
    preprocess = Preprocess(size=8, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)

    seen = [View(number, 0, {"flip": 1.0}).of(clip, place, preprocess) for number in (1, 2)]

    mirrored = [np.array_equal(view, clip[:, :, :, ::-1]) for view in seen]
    assert sorted(mirrored) == [False, True]
    assert np.array_equal(seen[mirrored.index(False)], clip)


@pytest.mark.slow
@pytest.mark.parametrize("length", [None, 4.0])
def test_what_was_stopped_ends_in_the_same_bits(
    length: float | None, clips: Path, recipe: Recipe, tmp_path: Path, stopped_at: Callable[..., Progress]
) -> None:
    recipe = recipe.changed(epochs=length, precision="fp32")
    whole = train(clips, recipe=recipe, out=tmp_path / "whole")
    with pytest.raises((KeyboardInterrupt, FovealError)):
        train(clips, recipe=recipe, out=tmp_path / "cut", progress=stopped_at("train", 0.5))
    # Whatever they were read from may be gone by now.
    cut = (tmp_path / "cut" / "recipe.toml").read_text()
    (tmp_path / "cut" / "recipe.toml").write_text(cut.replace(str(recipe.weights), str(tmp_path / "gone")))

    again = resume(tmp_path / "cut", clips, threads=1)

    ours, theirs = (recognizers.load(run / "model").network.state_dict() for run in (whole.run, again.run))
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert again.document["resumed_from"] > 0
    assert whole.document["start"]["frozen"] == (length is None)
    before, after = states(Path(str(recipe.weights)), whole.run)
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items()) == (length is None)


@pytest.mark.slow
def test_beside_a_transfer_the_same_model_learns_from_scratch(
    clips: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foveal.flows import _scratch

    monkeypatch.setattr(_scratch, "LEAST_SECONDS", 15.0)  # finding out that bf16 is emulated takes some
    result = train(clips, recipe=recipe.changed(scratch=True), out=tmp_path / "run")

    scratch = result.document["baseline"]["scratch"]
    assert (scratch["name"], scratch["backbone"], scratch["accuracy"]["n"]) == ("cnn-gru", "nano", 10)
    assert scratch["transfer"] == {"name": "cnn-gru", "backbone": BACKBONE, "size": SIDE}
    page = result.report.read_text()
    assert "From scratch, cnn-gru with nano at 32 pixels" in page
    assert "The transfer, of cnn-gru with resnet20 at 32 pixels, brought" in page


def test_what_learned_from_standardized_features_reads_them_as_they_come() -> None:
    generator = torch.Generator().manual_seed(0)
    network = models.architecture("cnn_gru").build(
        channels=3, classes=4, size=SIDE, backbone=BACKBONE, start="frozen"
    )
    features = 3 * torch.rand(5, 2, FRAMES, network.project.in_features, generator=generator) + 1
    mean, std = features.mean((0, 1, 2)), features.std((0, 1, 2))
    empty = np.zeros(0, np.int64)
    seen = _Seen(Examples(features.numpy(), empty, empty), mean, std, 0.0)
    clip, reading = features[:, 0], Reading(network)
    learned = reading((clip - mean) / std)

    reading.load_state_dict(seen.unscaled(reading.state_dict()))

    torch.testing.assert_close(reading(clip), learned, atol=1e-5, rtol=1e-4)


def test_each_pass_shows_another_view_of_a_clip() -> None:
    features = torch.arange(4 * 3).reshape(4, 3, 1, 1).float()  # the number of clip and view
    rows = torch.arange(4)
    objective = Frozen(
        torch.nn.Linear(1, 1),
        classes=2,
        preprocess=Preprocess(size=16, channels=1, mean=(0.5,), std=(0.5,)),
        augmentation={},
        label_smoothing=0.0,
    )

    shown = []
    for number in range(3):
        batch = Batch(features, rows % 2, rows, torch.full_like(rows, number), 0.0, torch.Generator())
        images, targets = objective.views(batch)
        assert torch.equal(targets.argmax(1), rows % 2)
        shown.append(images[:, 0, 0])

    seen = torch.stack(shown).sort(dim=0).values
    assert torch.equal(seen, features[:, :, 0, 0].T)


def test_of_clips_the_network_of_the_weights_looks_at_the_frames(source: Path) -> None:
    for named in (Recipe(weights=str(source), model="cnn_pool"), Recipe(weights=str(source), task="video")):
        found = with_model(named)
        assert (found.backbone, found.for_task("video").architecture.task) == (BACKBONE, "video")
    later = with_model(Recipe(weights=str(source)).for_task("video"), task="video")
    assert (later.model, later.backbone) == ("cnn_gru", BACKBONE)
    assert with_model(Recipe(model="cnn_gru", transfer=True)).backbone == "efficientnet_lite0"


@pytest.mark.parametrize("wishes", [{}, {"transfer": True}, {"task": "classify"}])
def test_who_names_a_backbone_means_clips(
    wishes: dict[str, object], colors: Path, source: Path, tmp_path: Path
) -> None:
    recipe = Recipe(**{"backbone": BACKBONE, **wishes})
    recipe = recipe.changed(weights=str(source) if recipe.transfer else None)
    check_recipe(with_model(recipe))

    with pytest.raises(UsageError, match="cnn-gru learns from clips, and these are pictures") as caught:
        train(colors, recipe=recipe, out=tmp_path / "run")
    assert "without --backbone" in str(caught.value.hint)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "wishes", [{}, {"task": "video"}, {"model": "cnn_gru", "backbone": BACKBONE}, {"model": BACKBONE}]
)
def test_a_run_that_learned_clips_is_no_start_and_is_called_by_its_name(
    wishes: dict[str, object], frozen: TrainResult, clips: Path, tmp_path: Path
) -> None:
    recipe = Recipe(weights=str(frozen.run), **wishes)

    with pytest.raises(UsageError, match="learned clips, with cnn-gru") as caught:
        train(clips, recipe=recipe, out=tmp_path / "run")
    assert caught.value.code == "weights_of_clips"
    assert str(frozen.run) in caught.value.message
    assert "learned pictures" in str(caught.value.hint)


def test_published_weights_want_a_package_that_has_them() -> None:
    with pytest.raises(UsageError, match="no package holds weights of resnet18") as caught:
        origin_of(with_model(Recipe(model="cnn_gru", transfer=True, backbone="resnet18")))
    assert "efficientnet-lite0" in str(caught.value.hint)


def test_frames_too_small_for_a_backbone_are_refused_at_their_own_size_before_a_film_is_decoded(
    clips: Path, tmp_path: Path
) -> None:
    pytest.importorskip("timm")
    recipe = Recipe(backbone="timm:inception_v3", frames=FRAMES, threads=1)
    check_recipe(with_model(recipe))  # nobody knows the size yet
    told: list[str] = []

    def note(stage: str, done: int, total: int, note: str = "") -> None:
        told.append(stage)

    with pytest.raises(UsageError, match=f"takes no pictures of {SIDE}") as caught:
        train(clips, recipe=recipe, out=tmp_path / "run", progress=note)
    assert caught.value.code == "wrong_size"
    assert not told
    assert not (tmp_path / "run").exists()


def test_blended_clips_are_refused_where_each_is_seen_by_itself(source: Path) -> None:
    recipe = with_model(Recipe(task="video", weights=str(source), augment={"mixup": 0.2}))

    with pytest.raises(RecipeError, match="without mixup") as caught:
        check_recipe(recipe)
    assert caught.value.code == "no_view"
    check_recipe(recipe.changed(epochs=1.0))
    check_recipe(recipe.changed(augment={"mixup": 0.0}))


@pytest.mark.parametrize(
    ("wishes", "code", "message"),
    [
        ({"transfer": True, "head": "svm"}, "other_head", "a head of kind svm is fitted to pictures"),
        ({"transfer": True, "model": "nano"}, "other_task", "nano learns from pictures"),
        ({"transfer": True, "backbone": "nano"}, "no_transfer", "a form of its own"),
        ({"transfer": True, "backbone": "cnn_gru"}, "bad_backbone", "no network that looks at a frame"),
        ({"objective": "trades"}, "other_objective", "trades is for pictures"),
        ({"model": "nano", "backbone": "resnet18"}, "no_backbone", "nano has no backbone"),
    ],
)
def test_what_no_transfer_to_clips_can_do_is_refused_with_a_hint(
    wishes: dict[str, object], code: str, message: str
) -> None:
    recipe = Recipe(**{"model": "cnn_gru", **wishes})

    with pytest.raises(UsageError, match=message) as caught:
        check_recipe(with_model(recipe).for_task("video"))
    assert caught.value.hint
    assert (caught.value.code, caught.value.exit_code) == (code, 2)
