"""What every test shares; fixtures of one folder live in that folder's own conftest.py."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from foveal.bundle.manifest import Draft

# A first call into torch takes a second; Hypothesis would call that a failure.
settings.register_profile("foveal", deadline=None, derandomize=True)
settings.load_profile("foveal")

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root folder."""
    return PROJECT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real image sets beside the project; absent on a user's machine."""
    folder = PROJECT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the image sets in ../shared/data, which are not part of the project")
    return folder


@pytest.fixture(autouse=True, scope="session")
def heard_signals() -> None:
    """Take Ctrl-C as usual even where whoever started the tests had it ignored (nohup, a background job)."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the colour settings of the shell that runs the tests out of what commands print."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep what foveal remembers of earlier runs out of the test, and the test out of that."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def unlistable(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of the folders that this test may not list; a mode of 000 would not hold root back."""
    name, listed = "locked", os.scandir

    def scandir(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return name


@pytest.fixture(scope="session")
def classifier() -> Callable[..., bytes]:
    """Make a small real ONNX classifier that names the strongest colour: red, green or blue.

    `classifier(size=16, channels=3, classes=3, temperature=1.5)` returns the serialized graph. Its
    convolution is seeded noise beside one filter that passes each channel through.
    """
    from onnx import TensorProto, helper, numpy_helper

    def make(size: int = 16, channels: int = 3, classes: int = 3, temperature: float = 1.5) -> bytes:
        rng = np.random.default_rng(0)
        filters = rng.normal(0, 0.1, (channels + 4, channels, 3, 3))
        filters[:channels] = 0
        filters[range(channels), range(channels), 1, 1] = 1
        weights = rng.normal(0, 0.2, (channels + 4, classes))
        weights[range(min(channels, classes)), range(min(channels, classes))] += 8
        arrays = {
            "filters": filters,
            "weights": weights,
            "bias": np.zeros(classes),
            "scale": np.array(1 / 255),
            "temperature": np.array(temperature),
        }
        nodes = [
            helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["float", "scale"], ["unit"]),
            helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["planes", "filters"], ["maps"], strides=[2, 2]),
            helper.make_node("Relu", ["maps"], ["positive"]),
            helper.make_node("GlobalAveragePool", ["positive"], ["means"]),
            helper.make_node("Flatten", ["means"], ["features"]),
            helper.make_node("Gemm", ["features", "weights", "bias"], ["logits"]),
            helper.make_node("Div", ["logits", "temperature"], ["scaled"]),
            helper.make_node("Softmax", ["scaled"], ["probabilities"], axis=1),
        ]
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", classes])
            for name in ("probabilities", "logits")
        ]
        images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", size, size, channels])
        tensors = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in arrays.items()]
        graph = helper.make_graph(nodes, "colors", [images], outputs, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        data: bytes = model.SerializeToString(deterministic=True)
        return data

    return make


@pytest.fixture(scope="session")
def draft() -> "Callable[..., Draft]":
    """Make what a bundle's maker states; keyword arguments replace entries."""
    from foveal.bundle.manifest import Draft

    entries = {
        "foveal": "0.1.0",
        "classes": ["red", "green", "blue"],
        "preprocess": {"size": 16, "channels": 3, "mean": [0, 0, 0], "std": [1, 1, 1]},
        "decision": {
            "abstain": {"threshold": 0.6, "risk": 0.01, "delta": 0.05, "n": 500},
            "conformal": {"alpha": 0.1, "quantile": 0.7, "n": 500},
        },
        "temperature": 1.5,
        "model": {"name": "colors", "parameters": 220, "source": "scratch"},
        "weights_sha256": "0" * 64,
        "data": {"fingerprint": "f" * 64, "split_seed": 0, "images": {"fit": 9, "calib": 500, "test": 50}},
        "licenses": {"code": "Apache-2.0", "weights": "Apache-2.0", "data": None},
    }
    return lambda **changes: Draft.model_validate({**entries, **changes})


@pytest.fixture(scope="session")
def make_bundle(classifier: Callable[..., bytes], draft: "Callable[..., Draft]") -> Callable[[Path], Path]:
    """Seal the colour classifier at a path and return the path."""
    from foveal.bundle import archive, golden
    from foveal.bundle.engines.onnxruntime import onnxruntime

    def make(path: Path, **changes: object) -> Path:
        model, stated = classifier(), draft(**changes)
        vectors = golden.measure(onnxruntime(model, threads=1), stated.preprocess)
        archive.seal(path, stated, model=model, golden=vectors, force=True)
        return path

    return make


@pytest.fixture(scope="session")
def bundle(make_bundle: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed colour classifier, for reading only."""
    return make_bundle(tmp_path_factory.mktemp("bundle") / "colors.foveal")


@pytest.fixture(scope="session")
def finder(draft: "Callable[..., Draft]", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed detector of dark and light squares, for reading only; see `scene_graphs`."""
    from scene_graphs import seal_finder

    return seal_finder(tmp_path_factory.mktemp("finder") / "finder.foveal", draft)


@pytest.fixture(scope="session")
def outliner(draft: "Callable[..., Draft]", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an outline for each square."""
    from scene_graphs import seal_finder

    return seal_finder(tmp_path_factory.mktemp("outliner") / "outliner.foveal", draft, task="instance")


@pytest.fixture(scope="session")
def divider(draft: "Callable[..., Draft]", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the class of each pixel, too: panoptic."""
    from scene_graphs import seal_finder

    return seal_finder(tmp_path_factory.mktemp("divider") / "divider.foveal", draft, task="panoptic")


@pytest.fixture(scope="session")
def shader(draft: "Callable[..., Draft]", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed segmenter of dark and light pixels, for reading only; see `scene_graphs`."""
    from scene_graphs import seal_shader

    return seal_shader(tmp_path_factory.mktemp("shader") / "shader.foveal", draft)


@pytest.fixture(scope="session")
def suspecter(draft: "Callable[..., Draft]", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed recognizer of cells that are darker or lighter than they should be, for reading only."""
    from scene_graphs import seal_suspecter

    return seal_suspecter(tmp_path_factory.mktemp("suspecter") / "suspecter.foveal", draft)


@pytest.fixture(scope="session")
def seal_graph(draft: "Callable[..., Draft]") -> Callable[..., Path]:
    """Seal a graph of ONNX nodes, from `images` to `logits`, which a softmax follows; return its path."""
    from onnx import TensorProto, helper, numpy_helper

    from foveal.bundle import archive, golden
    from foveal.bundle.engines.onnxruntime import onnxruntime

    def seal(
        path: Path,
        nodes: list[tuple[str, list[str], dict[str, int]]],
        arrays: dict[str, np.ndarray],
        *,
        size: int = 16,
        classes: tuple[str, ...] = ("red", "green", "blue"),
    ) -> Path:
        names = ["float", *(f"step {number}" for number in range(1, len(nodes))), "logits"]
        chain = zip(nodes, names, names[1:], strict=False)
        steps = [
            helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
            *(
                helper.make_node(kind, [last, *more], [here], **has)
                for (kind, more, has), last, here in chain
            ),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ]
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", len(classes)])
            for name in ("probabilities", "logits")
        ]
        images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", size, size, 3])
        tensors = [numpy_helper.from_array(value, name) for name, value in arrays.items()]
        graph = helper.make_graph(steps, path.stem, [images], outputs, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        data = model.SerializeToString(deterministic=True)
        preprocess = {"size": size, "channels": 3, "mean": [0, 0, 0], "std": [1, 1, 1]}
        stated = draft(classes=list(classes), preprocess=preprocess, temperature=1.0)
        vectors = golden.measure(onnxruntime(data, threads=1), stated.preprocess)
        archive.seal(path, stated, model=data, golden=vectors, force=True)
        return path

    return seal


@pytest.fixture(scope="session")
def corner_bundle(seal_graph: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed recognizer that looks at the top left quarter alone: is it bright or dark there?

    It takes 32 pixels, RGB, and answers 50 % at a mean of 127.5.
    """
    arrays = {
        "starts": np.array([0, 0], np.int64),
        "ends": np.array([16, 16], np.int64),
        "axes": np.array([1, 2], np.int64),
        "weights": np.full((16 * 16 * 3, 2), [12, -12], np.float32) / (255 * 16 * 16 * 3),
        "bias": np.array([-6, 6], np.float32),
    }
    nodes = [
        ("Slice", ["starts", "ends", "axes"], {}),
        ("Flatten", [], {}),
        ("Gemm", ["weights", "bias"], {}),
    ]
    path = tmp_path_factory.mktemp("corner") / "corner.foveal"
    return seal_graph(path, nodes, arrays, size=32, classes=("bright", "dark"))


@pytest.fixture
def watched(make_bundle: Callable[..., Path], tmp_path: Path) -> Path:
    """Seal a bundle that keeps what its calibration pictures looked like: dark ones, never in doubt."""
    return make_bundle(
        tmp_path / "watched.foveal",
        decision={
            "abstain": {"threshold": 0.6, "risk": 0.01, "delta": 0.05, "n": 500},
            "conformal": {"alpha": 0.1, "quantile": 0.7, "n": 500},
            "monitor": {
                "doubt": [0.1] * 199,
                "rejected": {"count": 0, "n": 300},
                "quality": {"brightness": {"low": 20, "high": 60, "below": 3, "above": 3, "n": 200}},
            },
        },
    )


@pytest.fixture
def nonsense(seal_graph: Callable[..., Path], tmp_path: Path) -> Path:
    """A sealed recognizer whose answer is no number where the picture is black."""
    arrays = {
        "axes": np.array([1, 2, 3], np.int64),
        "shape": np.array([-1, 1], np.int64),
        "weights": np.array([[1, -1]], np.float32),
    }
    nodes = [
        ("ReduceMean", ["axes"], {"keepdims": 0}),
        ("Reshape", ["shape"], {}),
        ("Div", ["step 2"], {}),
        ("MatMul", ["weights"], {}),
    ]
    return seal_graph(tmp_path / "nonsense.foveal", nodes, arrays, classes=("yes", "no"))


@pytest.fixture(scope="session")
def clip_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed recognizer of clips, untrained: 4 frames of 16 pixels, 0.2 s apart; for reading only."""
    import torch

    from foveal import export, models
    from foveal.bundle.manifest import Data, Images
    from foveal.data.clip import Clip
    from foveal.data.preprocess import Preprocess
    from foveal.tasks.recognizer import Recognizer
    from foveal.train.examples import Examples

    torch.manual_seed(0)
    arguments = {"channels": 3, "classes": 3, "size": 16}
    network = models.architecture("cnn_gru").build(**arguments).eval()
    clip = Clip(frames=4, spacing_s=0.2)
    preprocess = Preprocess(size=16, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3, clip=clip)
    recognizer = Recognizer(network, "cnn_gru", arguments, preprocess, ("red", "green", "blue"), "video")
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 16, 16, 3), dtype=np.uint8)
    with torch.no_grad():  # answers that differ, and are sure
        logits = torch.from_numpy(recognizer.logits(images))
        network.head.last.bias -= logits.mean(0)
        network.head.last.weight /= logits.std()
        network.head.last.bias /= logits.std()
    calib = Examples(images, recognizer.logits(images).argmax(1), np.arange(30))
    origin = export.Origin(Data(fingerprint="f", split_seed=0, images=Images(fit=0, calib=30, test=0)))
    path = tmp_path_factory.mktemp("clips") / "clips.foveal"
    assert export.bundle(recognizer, path, calib=calib, origin=origin, threads=1).bundle == path
    return path
