"""The default detector beside Ultralytics' nano detector: as long trained, measured alike, timed in turns.

    python benchmarks/detection_peer.py BCCD --yolo PEER/bin/yolo --minutes 30 --out bccd-peer
    python benchmarks/detection_peer.py BCCD --yolo PEER/bin/yolo --out bccd-peer --also small.foveal

BCCD is a set with boxes and the splits train and val. The peer lives in an environment of its own (pip
install ultralytics onnx onnxslim onnxruntime) and is only ever called by its command line. Both are trained
from scratch for the same wall-clock time, one after the other, with as many threads; what is in --out already
is not trained again. The peer learns from all of train and keeps its best epoch by val, which is in its
favour: the default detector puts 15 % of train aside and keeps its last weights.

Then both answer the pictures of val, and the metrics of this project measure both: all answers with a score
of 0.001 or more, at most 300 a picture. What the peer's own `val` says is printed beside it. Speeds are taken
in turns: `network`, the exported file alone in ONNX Runtime on one picture at model size, and `picture`, from
file to boxes. Of the peer's command line that is the time that each picture more takes, so that its start
counts for nothing; of the default detector a loop in Python.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from foveal import data
from foveal.bundle import archive
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.calibrate.objects import truth_of
from foveal.core.extras import onnxruntime
from foveal.data.dataset import Dataset
from foveal.metrics._found import Found, Truth
from foveal.metrics.map_interval import map_interval
from foveal.metrics.match import match
from foveal.metrics.mean_average_precision import mean_average_precision
from foveal.tasks.detect.decode import original

FLOOR, MOST = 0.001, 300
ASKED = 40  # networks are timed on so many answers, after as many that are not


def run(command: list[object], **more: Any) -> str:
    """Return what a command prints; say what failed and end where it fails."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def foveal(*arguments: object) -> dict[str, Any]:
    return json.loads(run([sys.executable, "-m", "foveal", *arguments, "--json"]))


class Peer:
    """Ultralytics' command line, its files and settings below one folder."""

    def __init__(self, given: argparse.Namespace, size: tuple[int, int]) -> None:
        self.given, self.folder = given, given.out / "peer"
        self.sides = ",".join(map(str, size))  # height, width
        self.environment = {
            **os.environ,
            "OMP_NUM_THREADS": str(given.threads),
            "YOLO_CONFIG_DIR": str(given.out / "peer-settings"),
            "YOLO_OFFLINE": "True",
        }

    def __call__(self, *words: object) -> str:
        """Return what its command prints."""
        return run([self.given.yolo, *words, "device=cpu"], env=self.environment)

    @property
    def weights(self) -> Path:
        """Of its best epoch on val."""
        return self.folder / "weights" / "best.pt"

    def train(self, yaml: Path) -> float:
        """Train from scratch; return the seconds that it took."""
        started = time.monotonic()
        self(
            "detect", "train", f"model={self.given.model}", "pretrained=False", f"data={yaml}",
            f"time={self.given.minutes / 60}", f"imgsz={self.given.size}", "batch=16", "plots=False",
            f"workers={self.given.threads}", "seed=0", f"project={self.given.out}", "name=peer",
            "exist_ok=True",
        )  # fmt: skip
        return time.monotonic() - started

    def validated(self, yaml: Path) -> dict[str, float]:
        """Return what it says of itself on val."""
        said = self("detect", "val", f"model={self.weights}", f"data={yaml}", f"imgsz={self.given.size}",
                    "plots=False", f"project={self.given.out}", "name=peer-val", "exist_ok=True")  # fmt: skip
        numbers = re.search(r"^\s*all\s+(.*)$", re.sub(r"\x1b\[[0-9;]*m", "", said), re.MULTILINE)
        assert numbers is not None, said
        return dict(zip(("map50", "map"), map(float, numbers[1].split()[-2:]), strict=True))

    def exported(self) -> Path:
        """Return its graph for one picture of the shape that is asked."""
        self("export", f"model={self.weights}", "format=onnx", f"imgsz={self.sides}")
        return self.weights.with_suffix(".onnx")

    def found(self, graph: Path, pictures: Path, names: list[str], dataset: Dataset) -> list[Found]:
        """Return what it finds on each picture of a folder, in pixels."""
        self("predict", f"model={graph}", f"source={pictures}", f"imgsz={self.sides}", f"conf={FLOOR}",
             f"max_det={MOST}", "save=False", "save_txt=True", "save_conf=True",
             f"project={self.given.out}", "name=peer-found", "exist_ok=True")  # fmt: skip
        texts = {path.stem: path.read_text() for path in (self.given.out / "peer-found/labels").iterdir()}
        rows = []
        for name, index in zip(names, of_val(dataset), strict=True):
            header = dataset.read(index).header()
            rows.append(boxes_in(texts.get(name, ""), header.width, header.height))
        return rows

    def seconds(self, graph: Path, source: Path) -> float:
        """Return how long it takes for what is in a folder, or for a file."""
        started = time.perf_counter()
        self("predict", f"model={graph}", f"source={source}", f"imgsz={self.sides}", "save=False",
             "verbose=False", f"project={self.given.out}", "name=peer-timed", "exist_ok=True")  # fmt: skip
        return time.perf_counter() - started


def boxes_in(text: str, width: int, height: int) -> Found:
    """Return the objects of lines `class x y w h score`, in shares of a picture's sides."""
    rows = np.array([line.split() for line in text.splitlines()], np.float32).reshape(-1, 6)
    middle, sides = rows[:, 1:3], rows[:, 3:5]
    shares = np.concatenate([middle - sides / 2, middle + sides / 2], axis=1)
    pixels = (shares * np.array([width, height] * 2)).astype(np.float32)
    return Found(pixels, rows[:, 5], rows[:, 0].astype(np.int64))


def of_val(dataset: Dataset) -> list[int]:
    return [i for i, split in enumerate(dataset.splits) if split == "val"]


def truths_of(dataset: Dataset) -> list[Truth]:
    objects = [dataset.scenes.objects(i) for i in of_val(dataset)]
    return [truth_of(one.only(one.sound)) for one in objects]


def found_by(bundle: Path, dataset: Dataset) -> list[Found]:
    """Return what a sealed file finds on each picture, in pixels."""
    predictor = Predictor.open(bundle, engine="onnxruntime", precision="fp32", threads=1)
    rows = []
    for i in of_val(dataset):
        pixels = dataset.read(i).decode(predictor.preprocess.channels)
        answers = predictor.look(predictor.preprocess(pixels)[None]).at(0)
        boxes = original(answers.boxes, pixels.shape[:2], predictor.preprocess)
        kept = np.flatnonzero(answers.scores >= FLOOR)[:MOST]
        rows.append(Found(boxes[kept], answers.scores[kept], answers.labels[kept]))
    return rows


def measured(found: list[Found], truths: list[Truth], classes: tuple[str, ...]) -> dict[str, Any]:
    matches = match(found, truths, classes=len(classes), most=MOST)
    half = matches.at(0.5)
    each = mean_average_precision(half).per_class[0].tolist()
    return {
        "map50": map_interval(half).as_json(),
        "map": mean_average_precision(matches).mean,
        "classes": dict(zip(classes, each, strict=True)),
    }


def one_after_the_other(session: Any, feeds: dict[str, Any]) -> float:
    """Return the median milliseconds of an answer."""
    times = []
    for _ in range(2 * ASKED):
        started = time.perf_counter()
        session.run(None, feeds)
        times.append(time.perf_counter() - started)
    return statistics.median(times[ASKED:]) * 1e3


def network_of(graph: bytes | str, threads: int) -> Callable[[], float]:
    """Return what times a graph on one random picture of its own size."""
    runtime = onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    rng, feeds = np.random.default_rng(0), {}
    for one in session.get_inputs():
        shape = [side if isinstance(side, int) else 1 for side in one.shape]
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        feeds[one.name] = pixels if "uint8" in one.type else (pixels / 255).astype(np.float32)
    return lambda: one_after_the_other(session, feeds)


def pictures_of(bundle: Path, threads: int) -> Callable[[list[Path]], float]:
    """Return what times a sealed file from picture files to boxes, one at a time, in milliseconds."""
    predictor = Predictor.open(bundle, engine="onnxruntime", precision="fp32", threads=threads)

    def each(paths: list[Path]) -> float:
        started = time.perf_counter()
        for _ in predictor.see_each(paths, workers=1, batch=1):
            pass
        return (time.perf_counter() - started) / len(paths) * 1e3

    return each


def speeds(
    bundles: dict[str, Path], peer: Peer, graph: Path, pictures: Path, given: argparse.Namespace
) -> dict[str, dict[str, list[float]]]:
    """Return milliseconds of each round, in turns."""
    paths = sorted(pictures.iterdir())
    networks = {name: network_of(archive.read(path).model, given.threads) for name, path in bundles.items()}
    networks["peer"] = network_of(str(graph), given.threads)
    ours = {name: pictures_of(path, given.threads) for name, path in bundles.items()}
    found: dict[str, dict[str, list[float]]] = {name: {"network": [], "picture": []} for name in networks}
    for each in ours.values():
        each(paths[:5])
    for _ in range(given.rounds):
        for name, network in networks.items():
            found[name]["network"].append(round(network(), 2))
        for name, each in ours.items():
            found[name]["picture"].append(round(each(paths), 2))
        more = peer.seconds(graph, pictures) - peer.seconds(graph, paths[0])
        found["peer"]["picture"].append(round(more / (len(paths) - 1) * 1e3, 2))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--yolo", type=Path, required=True, help="the peer's command, bin/yolo")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--model", default="yolo11n.yaml")
    parser.add_argument("--size", type=int, default=416, help="longer side of the peer's pictures")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="other sealed files to measure")
    given = parser.parse_args()
    given.out = given.out.absolute()
    given.out.mkdir(parents=True, exist_ok=True)
    dataset, yolo, run_folder = data.open(given.data), given.out / "yolo", given.out / "ours"
    told: dict[str, Any] = {"minutes": given.minutes, "model": given.model, "threads": given.threads}
    if not yolo.exists():
        foveal("data", "convert", given.data, yolo, "--to", "yolo")
    if not run_folder.exists():
        trained = foveal("train", given.data, "--time", f"{given.minutes}m", "--threads", given.threads,
                         "--out", run_folder)  # fmt: skip
        told["seconds"] = {"ours": trained["seconds"]}
    bundles = {"ours": locate(run_folder)} | {path.stem: path for path in given.also}
    preprocess = archive.read(bundles["ours"]).manifest.preprocess
    height, width = preprocess.shape[:2]
    peer = Peer(given, (round(height * given.size / width / 32) * 32, given.size))
    if not peer.weights.exists():
        told.setdefault("seconds", {})["peer"] = round(peer.train(yolo / "data.yaml"), 1)
    graph, pictures = peer.exported(), yolo / "images" / "val"
    names = [Path(dataset.sources[i]).stem for i in of_val(dataset)]
    truths = truths_of(dataset)
    told["peer_says"] = peer.validated(yolo / "data.yaml")
    told["peer"] = measured(peer.found(graph, pictures, names, dataset), truths, dataset.classes)
    for name, path in bundles.items():
        told[name] = measured(found_by(path, dataset), truths, dataset.classes)
        told[name]["size_bytes"] = path.stat().st_size
    told["peer"]["size_bytes"] = graph.stat().st_size
    told["sides"] = {"ours": f"{width} × {height}", "peer": peer.sides}
    told["ms"] = speeds(bundles, peer, graph, pictures, given)
    told["images_per_second"] = {
        name: {kind: round(1e3 / statistics.median(values), 1) for kind, values in some.items()}
        for name, some in told["ms"].items()
    }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
