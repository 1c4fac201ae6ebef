"""How fast does `foveal predict` go through a folder of JPEG files, against the least code that can?

    python benchmarks/predict_speed.py
    python benchmarks/predict_speed.py --images FOLDER --bundle NAME.foveal --peer-python PYTHON

Every contestant is a fresh process that reads the same files, runs an fp32 ONNX network at 224 px on two
processors and writes one JSON line a picture; the clock runs from its start to its end. They take turns,
and medians are compared:

- `foveal predict FOLDER --jsonl`;
- a tight loop: Pillow and ONNX Runtime in two worker processes, without any check;
- with --peer-python (a Python that has ultralytics): its own `predict` with yolo11n-cls, torch and ONNX.

Without --images it draws 1,000 distinct pictures of about 350 px; without --bundle it exports torchvision's
mobilenet_v2, whose random weights cost what trained ones cost.
"""

import argparse
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from PIL import Image

from foveal.core.machine import cpu_name, usable_cpus

PEER = """
import json, sys, os
os.environ["YOLO_AUTOINSTALL"] = "false"
from ultralytics import YOLO
for result in YOLO(sys.argv[1], task="classify").predict(sys.argv[2], imgsz=224, stream=True, verbose=False):
    probs = result.probs
    print(json.dumps({"source": result.path, "label": probs.top1, "confidence": float(probs.top1conf)}))
"""
PEER_MODELS = """
import os, sys
os.environ["YOLO_AUTOINSTALL"] = "false"
os.chdir(sys.argv[1])
from ultralytics import YOLO
model = YOLO("yolo11n-cls.yaml")
model.save("yolo11n-cls.pt")
YOLO("yolo11n-cls.pt").export(format="onnx", imgsz=224)
"""


def draw(folder: Path, count: int, *, side: int = 350) -> None:
    """Write `count` distinct JPEG files: coloured clouds, edges and grain, as photographs have them.

    Args:
        folder: Where to.
        count: How many.
        side: About how many pixels, give or take a seventh.
    """
    rng = np.random.default_rng(0)
    for number in range(count):
        height, width = (int(pixels) for pixels in rng.integers(side * 6 // 7, side * 8 // 7 + 1, 2))
        pixels = np.zeros((height, width, 3))
        for cells in (3, 8, 24, 80):
            noise = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
            layer = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
            pixels += np.asarray(layer) * 0.25
        left, top = rng.integers(0, 200, 2)
        pixels[top : top + 90, left : left + 70] = rng.integers(0, 256, 3)
        pixels += rng.normal(0, 5, pixels.shape)
        picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        picture.save(folder / f"{number:04}.jpg", quality=85)


def make_bundle(path: Path) -> None:
    """Seal torchvision's mobilenet_v2 with random weights for ten classes at 224 px."""
    import torch
    import torchvision

    import foveal
    from foveal.bundle import archive, golden
    from foveal.bundle.engines.onnxruntime import onnxruntime
    from foveal.bundle.manifest import Draft

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = torchvision.models.mobilenet_v2(weights=None, num_classes=10)

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            logits = self.network((images.permute(0, 3, 1, 2).float() / 255 - 0.45) / 0.225)
            return torch.softmax(logits, -1), logits

    program = torch.onnx.export(
        Classifier().eval(),
        (torch.zeros(2, 224, 224, 3, dtype=torch.uint8),),
        dynamo=True,
        verbose=False,
        dynamic_shapes=({0: torch.export.Dim("N", min=1)},),
        input_names=["images"],
        output_names=["probabilities", "logits"],
    )
    model = program.model_proto.SerializeToString()
    draft = Draft.model_validate(
        {
            "foveal": foveal.__version__,
            "classes": [f"class {number}" for number in range(10)],
            "preprocess": {"size": 224, "channels": 3, "mean": [0.45] * 3, "std": [0.225] * 3},
            "decision": {
                "abstain": {"threshold": 0.5, "risk": 0.01, "delta": 0.05, "n": 1000},
                "conformal": {"alpha": 0.1, "quantile": 0.7, "n": 1000},
            },
            "temperature": 1.0,
            "model": {"name": "mobilenet_v2", "parameters": 2_236_682, "source": "random"},
            "weights_sha256": "0" * 64,
            "data": {"fingerprint": "none", "split_seed": 0, "images": {"fit": 0, "calib": 0, "test": 0}},
            "licenses": {"code": "Apache-2.0", "weights": None, "data": None},
        }
    )
    archive.seal(
        path, draft, model=model, golden=golden.measure(onnxruntime(model, threads=1), draft.preprocess)
    )


def tight_loop(model: Path, folder: Path) -> None:
    """The contestant: two processes, each with its own session, every second file."""
    import onnxruntime

    def work(files: list[Path], sending: Connection) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        for file in files:
            with Image.open(file) as image:
                side = min(image.size)
                left, top = (image.width - side) / 2, (image.height - side) / 2
                box = (left, top, left + side, top + side)
                rgb = image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR, box=box)
            [probabilities] = session.run(["probabilities"], {"images": np.asarray(rgb)[None]})
            sending.send(probabilities[0])

    files = sorted(folder.glob("*.jpg"))
    fork = multiprocessing.get_context("fork")
    pipes = [fork.Pipe(duplex=False) for _ in range(2)]
    for index, (_, sending) in enumerate(pipes):
        fork.Process(target=work, args=(files[index::2], sending), daemon=True).start()
    for index, file in enumerate(files):
        scores = pipes[index % 2][0].recv()
        best = int(scores.argmax())
        print(json.dumps({"source": str(file), "label": best, "confidence": float(scores[best])}))


def seconds(command: list[str], folder: Path) -> float:
    """Run a command on a folder and return its wall time; it must write one line for each picture."""
    start = time.perf_counter()
    result = subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False)
    spent = time.perf_counter() - start
    if result.returncode or result.stdout.count("\n") < len(list(folder.glob("*.jpg"))):
        raise SystemExit(f"{command} failed\n{result.stderr[-2000:]}")
    return spent


def contestants(peer_python: str | None, bundle: Path, work: Path) -> dict[str, list[str]]:
    """Return the command of each contestant by its name; the folder of pictures comes after it."""
    from foveal.bundle import archive

    model = work / "model.onnx"
    model.write_bytes(archive.read(bundle).model)
    foveal = [sys.executable, "-c", "from foveal.cli import main; main()"]
    found = {
        "foveal predict": [*foveal, "predict", "--jsonl", "-q", str(bundle)],
        "tight loop": [sys.executable, __file__, "--loop", str(model), "--images"],
    }
    if peer_python:
        subprocess.run([peer_python, "-c", PEER_MODELS, str(work)], check=True, capture_output=True)
        for kind, file in (("torch", "yolo11n-cls.pt"), ("onnx", "yolo11n-cls.onnx")):
            found[f"ultralytics {kind}"] = [peer_python, "-c", PEER, str(work / file)]
    return found


def compare(arguments: argparse.Namespace, work: Path) -> None:
    folder, bundle = arguments.images or work / "pictures", arguments.bundle or work / "mobilenet_v2.foveal"
    if arguments.images is None:
        folder.mkdir()
        draw(folder, arguments.count)
    if arguments.bundle is None:
        make_bundle(bundle)
    files = sorted(folder.glob("*.jpg"))
    few = work / "few"
    few.mkdir()
    for file in files[:2]:
        shutil.copy(file, few)
    commands = contestants(arguments.peer_python, bundle, work)
    walls: dict[str, list[float]] = {name: [] for name in commands}
    starts: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(arguments.repeats):
        for name, command in commands.items():
            starts[name].append(seconds(command, few))
            walls[name].append(seconds(command, folder))
    print(f"{cpu_name()}, {usable_cpus()} processors, {len(files)} pictures, {arguments.repeats} rounds")
    tell(walls, starts, len(files))


def tell(walls: dict[str, list[float]], starts: dict[str, list[float]], count: int) -> None:
    """Print the medians and what they say about foveal."""
    whole = {name: statistics.median(times) for name, times in walls.items()}
    start = {name: statistics.median(times) for name, times in starts.items()}
    steady = {name: (count - 2) / (whole[name] - start[name]) for name in whole}
    for name, wall in whole.items():
        print(
            f"{name:<18} {wall:6.2f} s ({min(walls[name]):.2f} to {max(walls[name]):.2f})  "
            f"{count / wall:5.1f} images/s; start {start[name]:.2f} s, then {steady[name]:5.1f} images/s"
        )
    for name in list(whole)[1:]:
        print(
            f"ratio: foveal predict is {whole[name] / whole['foveal predict']:.2f}x as fast as {name}, "
            f"{steady['foveal predict'] / steady[name]:.2f}x without the start"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=Path, help="folder of .jpg files; default: drawn for the occasion")
    parser.add_argument("--bundle", type=Path, help="a bundle with a 224 px input; default: mobilenet_v2")
    parser.add_argument("--peer-python", help="a Python that can import ultralytics")
    parser.add_argument("--count", type=int, default=1000, help="how many pictures to draw")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loop:
        tight_loop(arguments.loop, arguments.images)
        return
    with tempfile.TemporaryDirectory() as work:
        compare(arguments, Path(work))


if __name__ == "__main__":
    main()
