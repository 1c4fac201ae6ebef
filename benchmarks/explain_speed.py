"""How long does a map take, and is it better than a random one?

    python benchmarks/explain_speed.py runs/last DATA [--pictures 20] [--size 224]

On the bundle of a run, for pictures of the test part: seconds per map, the mean areas under the deletion
(lower is better) and insertion curves (higher is better), and how many maps hold, for each method and for
noise. With `--size`, only the seconds of a new nano of that size, on noise: they do not depend on what was
learned.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import foveal
from foveal.bundle.answering import Runs
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.locate import locate
from foveal.bundle.session import Outputs
from foveal.core.machine import usable_cpus
from foveal.core.progress import silent
from foveal.core.random import stream
from foveal.data.inventory import content_hashes
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import evenly_spaced
from foveal.explain.black_box.occlusion import occlusion, occlusion_maps
from foveal.explain.black_box.rise import rise
from foveal.explain.explanation import Asked, Explanation, explain
from foveal.explain.scores import Map, UInt8
from foveal.explain.sign_test import sign_test
from foveal.explain.white_box.grad_cam import grad_cam
from foveal.export.graph import graph
from foveal.flows._held_out import choose
from foveal.flows._sealed import Sealed
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer, build


class Session:
    """A new network in its engine, as a bundle would run it."""

    def __init__(self, size: int, threads: int) -> None:
        arguments = {"channels": 3, "classes": 10, "size": size}
        names = tuple(map(str, range(10)))
        unit = Preprocess(size=size, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)
        network = build("nano", arguments).eval()
        self.session = onnxruntime(
            graph(Recognizer(network, "nano", arguments, unit, names)), threads=threads
        )

    def run(self, images: UInt8, /) -> Outputs:
        """Return what the graph answers."""
        return Outputs(*self.session.run(images))


def methods(runs: Runs) -> dict[str, Map]:
    return {
        "occlusion": lambda image, index: occlusion(runs, image, index),
        "occlusion, coarse": lambda image, index: occlusion_maps(runs, image, [index], fine=False)[0],
        "rise": lambda image, index: rise(runs, image, index),
    }


def seconds(draw: Map, images: Sequence[UInt8], indices: Sequence[int]) -> float:
    times = []
    for image, index in zip(images, indices, strict=True):
        started = time.perf_counter()
        draw(image, index)
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def judged(name: str, found: Sequence[Explanation]) -> str:
    deletion = np.mean([one.faith.deletion_auc for one in found])
    insertion = np.mean([one.faith.insertion_auc for one in found])
    held, together = sum(one.holds for one in found), sign_test(name, found)
    better = f"better than most for {together.better.value:.2f}, p={together.p_value:.2g}"
    return f"deletion {deletion:.3f}  insertion {insertion:.3f}  {held} hold, {better}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--size", type=int)
    parser.add_argument("--threads", type=int, default=usable_cpus())
    given = parser.parse_args()
    if given.size is not None:
        rng = stream(0, "noise")
        images = list(rng.integers(0, 256, (given.pictures, given.size, given.size, 3), dtype=np.uint8))
        for name, draw in methods(Session(given.size, given.threads)).items():
            print(f"{name:<20} {seconds(draw, images, [0] * len(images)):.3f} s  n={len(images)}")
        return
    predictor = foveal.load(given.run, threads=given.threads)
    dataset = foveal.data.open(given.data)
    hashes = content_hashes(dataset)
    sealed = Sealed.at(locate(given.run), predictor.manifest)
    held_out = choose(dataset, hashes, sealed, split=None, progress=silent).held_out
    images = [held_out.read(place) for place in evenly_spaced(len(held_out), at_most=given.pictures)]
    indices = predictor.run(np.stack(images)).probabilities.argmax(axis=1).tolist()
    network = recognizers.load(given.run / "model")
    rng = stream(0, "random maps")
    drawn = methods(predictor) | {
        "grad_cam": lambda image, index: grad_cam(network, image, index),
        "random": lambda image, index: rng.random((5, 5), np.float32),
    }
    classes = predictor.classes
    for name, draw in drawn.items():
        took = seconds(draw, images, indices)
        found = [
            one
            for place, image in enumerate(images)
            for one in explain(predictor, Asked(str(place), image), draw, classes=classes)
        ]
        print(f"{name:<20} {took:.3f} s  {judged(name, found)}  n={len(images)}")


if __name__ == "__main__":
    main()
