"""RT-DETR answers and learns as transformers' own does; of folders nothing is executed."""

import json
import shutil
import socket
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.ops import box_convert

import rt_detr_folder
from foveal import models
from foveal.core.errors import DataError, MissingExtraError, UsageError
from foveal.models import _transformers
from foveal.models._listing import listing
from foveal.models.detectors.rt_detr import READS, rt_detr

SIDES = (64, 96)
OF_CLASSES = {
    "model.denoising_class_embed.weight",
    "model.enc_score_head.weight",
    "model.enc_score_head.bias",
} | {f"model.decoder.class_embed.{layer}.{part}" for layer in (0, 1) for part in ("weight", "bias")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rt_detr_folder.write(tmp_path_factory.mktemp("rt-detr") / "folder", classes=5)


@pytest.fixture
def changed(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "changed")


def built(folder: Path, *, classes: int = 5, channels: int = 3):
    weights = READS(folder)
    network = rt_detr(channels=channels, classes=classes, size=list(SIDES), **weights.arguments)
    network.take(weights.tensors)
    return network.eval()


def pictures(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, *SIDES, generator=torch.Generator().manual_seed(0))


def truth():
    boxes = [torch.tensor([[4.0, 6.0, 30.0, 40.0], [50.0, 10.0, 90.0, 60.0]]), torch.zeros(0, 4)]
    return boxes, [torch.tensor([0, 4]), torch.zeros(0, dtype=torch.int64)]


def edited(folder: Path, name: str, **changes) -> None:
    found = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
    (folder / name).write_text(json.dumps({**found, **changes}))


def test_it_finds_what_transformers_finds(folder: Path) -> None:
    made = built(folder)

    with torch.no_grad():
        theirs = made.detector(pixel_values=pictures())
        boxes, logits = made.candidates(pictures())

    picture = torch.tensor([SIDES[1], SIDES[0]] * 2)
    torch.testing.assert_close(boxes, box_convert(theirs.pred_boxes, "cxcywh", "xyxy") * picture)
    torch.testing.assert_close(logits, theirs.logits)
    assert float(logits.std()) > 0.01
    assert float(boxes.std()) > 1


def test_it_learns_by_the_loss_of_transformers(folder: Path) -> None:
    made, (boxes, labels) = built(folder).train(), truth()
    picture = torch.tensor([SIDES[1], SIDES[0]] * 2)
    told = [
        {"class_labels": names, "boxes": box_convert(some, "xyxy", "cxcywh") / picture}
        for some, names in zip(boxes, labels, strict=True)
    ]
    losses = []
    for ask in (
        lambda: made.loss(pictures(2), boxes, labels),
        lambda: made.detector(pixel_values=pictures(2), labels=told).loss,
    ):
        torch.manual_seed(3)  # queries made from the truth are moved a little
        losses.append(ask())

    torch.testing.assert_close(losses[0], losses[1])
    losses[0].backward()
    assert [name for name, weight in made.named_parameters() if weight.grad is None] == []
    nothing = made.loss(pictures(2), [boxes[1]] * 2, [labels[1]] * 2)
    assert bool(nothing.isfinite())
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(3)
        coarse = made.loss(pictures(2), boxes, labels)
    assert coarse.dtype == torch.float32
    assert float(coarse.detach()) == pytest.approx(float(losses[0].detach()), rel=0.05)


def test_a_small_picture_has_as_many_queries_as_places(folder: Path) -> None:
    made = built(folder)

    with torch.no_grad():
        boxes, _ = made.candidates(pictures()[..., :32, :32])

    assert boxes.shape[1] == 16 + 4 + 1 < rt_detr_folder.TINY["num_queries"]


def test_as_many_places_are_looked_at_as_are_asked_for(folder: Path) -> None:
    weights = READS(folder)
    for wanted, places in ((7, 40), (55, 55)):
        asked = rt_detr(channels=3, classes=5, size=list(SIDES), queries=wanted, **weights.arguments)
        asked.take(weights.tensors)

        with torch.no_grad():
            boxes, logits = asked.eval().candidates(pictures())

        assert boxes.shape[1] == logits.shape[1] == places
        assert logits.isfinite().all()


def test_a_network_that_is_no_number_any_more_has_a_loss_that_is_none(folder: Path) -> None:
    made, (boxes, labels) = built(folder).train(), truth()
    with torch.no_grad():
        made.detector.model.enc_bbox_head.layers[-1].bias.fill_(torch.nan)

    assert bool(made.loss(pictures(2), boxes, labels).isnan())


def test_all_weights_are_taken_over_but_those_of_other_classes(folder: Path) -> None:
    kept = rt_detr_folder.network(classes=5).state_dict()
    for classes, anew in ((5, set()), (2, OF_CLASSES)):
        own = built(folder, classes=classes).detector.state_dict()
        assert own.keys() == kept.keys()
        assert {name for name in own if not own[name].equal(kept[name])} == anew
    assert READS(folder).arguments == json.loads(json.dumps(READS(folder).arguments))


def test_weights_for_other_channels_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"another shape.*embedder"):
        built(folder, channels=5)


def test_layers_may_have_the_names_of_today_or_of_earlier_versions(changed: Path) -> None:
    today = rt_detr_folder.network(classes=5).state_dict()
    names = (("encoder.aifi", "encoder.encoder"), ("o_proj", "out_proj"), ("mlp.fc", "fc"))
    before = {name: name for name in today}
    for now, then in names:
        assert any(now in name for name in today)
        before = {name: older.replace(now, then) for name, older in before.items()}

    for written in ({name: name for name in today}, before):
        save_file({written[name]: tensor for name, tensor in today.items()}, changed / "model.safetensors")
        found = READS(changed).tensors

        assert found.keys() == today.keys()
        assert all(found[name].equal(today[name]) for name in today)


@pytest.mark.parametrize(
    ("said", "mean", "std", "assumed"),
    [
        (None, 0.0, 1.0, True),
        ({"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": False}, 0.0, 1.0, False),
        ({"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}, 0.5, 0.25, False),
        ({"do_rescale": False}, 0.0, 1 / 255, False),
    ],
)
def test_pictures_become_the_numbers_that_the_folder_says(changed: Path, said, mean, std, assumed) -> None:
    if said is not None:
        edited(changed, "preprocessor_config.json", **said)

    weights = READS(changed)

    assert (weights.mean, weights.std) == (pytest.approx((mean,) * 3), pytest.approx((std,) * 3))
    assert weights.assumed is assumed


def _only_bin(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _without(name: str):
    return lambda folder: (folder / name).unlink()


def _said(**changes):
    return lambda folder: edited(folder, "config.json", **changes)


def _tensors(change):
    def apply(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return apply


NAME = "model.enc_output.0.weight"
OTHER_SHAPE = {NAME: torch.zeros(3, 3)}
# What is done to a folder, and a part of what is said of it then.
UNREADABLE = {
    "no config": (_without("config.json"), "no config.json"),
    "no weights": (_without("model.safetensors"), "no model.safetensors"),
    "only .bin": (_only_bin, "programs"),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{"), "cannot be read"),
    "a list": (lambda folder: (folder / "config.json").write_text("[]"), "no JSON object"),
    "another network": (_said(model_type="detr"), "holds detr"),
    "another backbone": (_said(backbone_config=None, backbone="resnet50"), "backbone from elsewhere"),
    "learned queries": (_said(learn_initial_query=True), "starts queries"),
    "words for numbers": (_said(d_model="wide"), "cannot be built"),
    "numbers that do not divide": (_said(d_model=30), "cannot be built"),
    "an unknown function": (_said(activation_function="none"), "cannot be built"),
    "damaged": (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 50), "no weights can be"),
    "no numbers": (_tensors(lambda tensors: tensors[NAME].fill_(torch.nan)), "not finite"),
}
MISMATCHED = {
    "a layer less": (_tensors(lambda tensors: tensors.pop(NAME)), f"without {NAME}"),
    "a layer more": (_tensors(lambda tensors: tensors.update(more=torch.zeros(2))), "too many: more"),
    "another shape": (_tensors(lambda tensors: tensors.update(OTHER_SHAPE)), "of another shape"),
    "other classes": (_said(id2label={"0": "a"}, label2id={"a": 0}), "of another shape"),
}


@pytest.mark.parametrize("why", [*UNREADABLE, *MISMATCHED])
def test_folders_that_hold_something_else_are_refused(changed: Path, why: str) -> None:
    spoil, message = (UNREADABLE | MISMATCHED)[why]
    spoil(changed)

    with pytest.raises(DataError, match=message) as caught:
        READS(changed)

    assert caught.value.code == ("bad_weights" if why in UNREADABLE else "weights_mismatch")
    assert caught.value.hint


def test_no_connection_is_tried_and_no_code_of_the_folder_runs(
    changed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(*given, **more):
        raise AssertionError("the network")

    edited(changed, "config.json", auto_map={"AutoConfig": "own.Own"}, _name_or_path="somebody/elsewhere")
    (changed / "own.py").write_text("raise AssertionError('code of the folder')")
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, tried)
    monkeypatch.setattr(socket, "getaddrinfo", tried)

    assert built(changed).candidates(pictures())


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(MissingExtraError, match=r'pip install "foveal\[transformers\]"'):
        READS(tmp_path)
    with pytest.raises(MissingExtraError):
        _transformers.detector({"backbone_config": {}}, channels=3, classes=2)


def test_what_it_is_made_of_its_weights_say() -> None:
    with pytest.raises(UsageError, match="its weights say") as caught:
        models.architecture("rt-detr").build(channels=3, classes=2, size=[64, 64])

    assert caught.value.code == "no_weights"
    [row] = [row for row in listing() if row["name"] == "rt-detr"]
    assert row["parameters"] is None
