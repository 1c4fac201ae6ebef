"""Clips that no single frame decides: textures that move left, right, up or down.

Writes a data set of short lossless films with PyAV: patches of fractal noise of a texture of their own each
slide over the frame at 1 or 2 pixels a frame. Every texture is shown moving in all four directions, so
nothing but the movement tells the class, and textures of train, val and test are other ones. Then it trains
`cnn-gru`, and `cnn-frame` and `cnn-pool` to compare with, and measures each bundle on the test films: as they
are, with their frames shuffled, and reversed.

    python benchmarks/video_motion.py OUT [--epochs 60] [--sources 100] [--models cnn-gru,cnn-frame]
"""

import argparse
import json
from pathlib import Path

import av
import numpy as np

from foveal.bundle.predictor import Predictor
from foveal.core.random import stream
from foveal.data import opening
from foveal.data.clips import showing
from foveal.flows.train import train
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.train.recipe import Recipe

DIRECTIONS = {"down": (1, 0), "left": (0, -1), "right": (0, 1), "up": (-1, 0)}
OPPOSITE = {"down": "up", "up": "down", "left": "right", "right": "left"}
SIDE, FRAMES = 32, 16
SPLITS = {"train": 0.7, "val": 0.15, "test": 0.15}


def texture(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return smooth random colours that repeat at the borders, uint8 (side, side, 3)."""
    noise = rng.normal(size=(side, side, 3))
    down, right = (np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    fall = 1 / np.maximum(np.hypot(down, right), 2 / side) ** rng.uniform(1.5, 2.0)
    smooth = np.fft.ifft2(np.fft.fft2(noise, axes=(0, 1)) * fall[:, :, None], axes=(0, 1)).real
    smooth = (smooth - smooth.mean()) / smooth.std()
    return (128 + 55 * smooth).clip(0, 255).astype(np.uint8)


def film(picture: np.ndarray, direction: tuple[int, int], speed: int, start: int) -> np.ndarray:
    """Return a window on a texture that slides by, uint8 (FRAMES, SIDE, SIDE, 3)."""
    frames = []
    for place in range(FRAMES):
        moved = np.roll(picture, [start + one * speed * place for one in direction], axis=(0, 1))
        frames.append(moved[:SIDE, :SIDE])
    return np.stack(frames)


def write(path: Path, frames: np.ndarray) -> None:
    """Write frames as a film without loss."""
    with av.open(str(path), "w") as container:
        made = container.add_stream("ffv1", rate=16)
        made.width, made.height, made.pix_fmt = SIDE, SIDE, "bgr0"
        for one in frames:
            container.mux(
                made.encode(av.VideoFrame.from_ndarray(one, format="rgb24").reformat(format="bgr0"))
            )
        container.mux(made.encode())


def make(folder: Path, sources: int, seed: int) -> None:
    """Write the data set: `sources` textures, each moving in all directions."""
    ends = np.round(np.cumsum(list(SPLITS.values())) * sources).astype(int)
    for number in range(sources):
        split = list(SPLITS)[int(np.searchsorted(ends, number, side="right"))]
        rng = stream(seed, "motion", number)
        picture, speed = texture(rng, 64), int(rng.integers(1, 3))
        for name, direction in DIRECTIONS.items():
            place = folder / split / name
            place.mkdir(parents=True, exist_ok=True)
            frames = film(picture, direction, speed, int(rng.integers(64)))
            write(place / f"texture{number:04d}_{name}.mkv", frames)


def measured(bundle: Path, data: Path, seed: int) -> dict[str, dict]:
    """Return the accuracy on test films as they are, shuffled, and reversed (then the opposite is right)."""
    predictor = Predictor.open(bundle, engine="onnxruntime", threads=1)
    dataset = showing(opening.open(data), predictor.preprocess.clip)
    rows = [i for i, split in enumerate(dataset.splits) if split == "test"]
    clips = np.stack([predictor.preprocess(dataset.read(i).decode(3)) for i in rows])
    truth = np.array([predictor.classes.index(dataset.classes[dataset.labels[i]]) for i in rows])
    opposite = np.array([predictor.classes.index(OPPOSITE[predictor.classes[k]]) for k in truth])
    rng = stream(seed, "motion shuffled")
    shuffled = np.stack([one[rng.permutation(len(one))] for one in clips])
    views = {"as_they_are": (clips, truth), "shuffled": (shuffled, truth)}
    views["reversed_is_opposite"] = (clips[:, ::-1], opposite)
    found = {}
    for name, (images, labels) in views.items():
        answers = np.concatenate(
            [
                predictor.run(np.ascontiguousarray(images[k : k + 32])).probabilities
                for k in range(0, len(images), 32)
            ]
        )
        found[name] = clopper_pearson(int((answers.argmax(1) == labels).sum()), len(labels)).as_json()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sources", type=int, default=240)
    parser.add_argument("--epochs", type=float, default=40)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--models", default="cnn-gru,cnn-pool,cnn-frame")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()
    data = arguments.out / "data"
    if not data.is_dir():
        make(data, arguments.sources, seed=arguments.seed)
    for model in arguments.models.split(","):
        recipe = Recipe(
            model=model,
            augment="none",  # textures cost nothing: there are as many as are wanted
            epochs=arguments.epochs,
            frames=arguments.frames,
            seed=arguments.seed,
            threads=arguments.threads,
        )
        result = train(data, recipe=recipe, out=arguments.out / model, force=True)
        assert result.bundle is not None, result.document["gates"]
        row = {"model": model, "seed": arguments.seed, "train_seconds": result.document["train_seconds"]}
        print(json.dumps({**row, **measured(result.bundle, data, arguments.seed)}), flush=True)


if __name__ == "__main__":
    main()
