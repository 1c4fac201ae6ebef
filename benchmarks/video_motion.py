"""Clips that no single frame decides: a textured disk that moves left, right, up or down.

Writes a data set of short lossless films with PyAV. In each a disk with a texture of its own moves over a
still background with another, at 1 or 2 pixels a frame; it begins anywhere and comes back at the other side:
where it is says nothing of where it goes. Every source, a disk and a background, is there moving in all four
directions, and the sources of train, val and test are other ones. Then `cnn-gru` is trained, and `cnn-pool`
and `cnn-frame` to compare with, and each bundle is measured on the test films: as they are, with their frames
shuffled, reversed, where the opposite is right, and with their first frame alone, shown all the time.

Whoever sees the frames without their order still sees along which axis the disk moves: 50 % is then what can
be had, by the mean of all frames' answers, too; and 25 % from one frame.

    python benchmarks/video_motion.py OUT [--sources 240] [--epochs 15] [--models cnn-gru,cnn-frame]
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
SPLITS = {"train": 0.4, "val": 0.1, "test": 0.5}  # many to test: chance has to be told from a little more


def texture(rng: np.random.Generator, level: float, contrast: float) -> np.ndarray:
    """Return smooth random colours that repeat at the borders, float (SIDE, SIDE, 3)."""
    noise = rng.normal(size=(SIDE, SIDE, 3))
    down, right = (np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
    fall = 1 / np.maximum(np.hypot(down, right), 1 / SIDE) ** rng.uniform(0.5, 1.5)
    smooth = np.fft.ifft2(np.fft.fft2(noise, axes=(0, 1)) * fall[:, :, None], axes=(0, 1)).real
    return level + contrast * (smooth - smooth.mean()) / smooth.std()


def film(rng: np.random.Generator, direction: tuple[int, int], number: int) -> np.ndarray:
    """Return a film of one source, uint8 (FRAMES, SIDE, SIDE, 3)."""
    look = stream(number, "motion source")
    back, front = texture(look, 90, 25), texture(look, 170, 40)
    radius, speed = look.uniform(4, 7), int(look.integers(1, 3))
    far = np.hypot(*np.mgrid[-SIDE // 2 : SIDE // 2, -SIDE // 2 : SIDE // 2])
    disk = (far < radius)[:, :, None]
    start = rng.integers(SIDE, size=2)
    frames = []
    for place in range(FRAMES):
        moved = tuple(int(one) for one in start + speed * place * np.array(direction))
        shown = np.where(np.roll(disk, moved, axis=(0, 1)), np.roll(front, moved, axis=(0, 1)), back)
        frames.append(shown.clip(0, 255).astype(np.uint8))
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
    """Write the data set: each source moves in all directions."""
    ends = np.round(np.cumsum(list(SPLITS.values())) * sources).astype(int)
    for number in range(sources):
        split = list(SPLITS)[int(np.searchsorted(ends, number, side="right"))]
        rng = stream(seed, "motion", number)
        for name, direction in DIRECTIONS.items():
            place = folder / split / name
            place.mkdir(parents=True, exist_ok=True)
            write(place / f"source{number:04d}_{name}.mkv", film(rng, direction, number))


def measured(bundle: Path, data: Path, seed: int) -> dict[str, dict]:
    """Return the accuracy on test films as they are and changed."""
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
    views["one_frame"] = (np.repeat(clips[:, :1], clips.shape[1], axis=1), truth)
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
    parser.add_argument("--epochs", type=float, default=15)
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
