"""What helps a recognizer when conditions change: adapting, few labels, learning without labels, all labels.

    python benchmarks/adapt.py quick TREE WORK [--seeds 0 1 2]
    python benchmarks/adapt.py learned TREE WORK [--seeds 0] [--domains fog contrast gaussian_noise]

TREE is an image folder with train/ and test/ (benchmarks/lay_out.py makes one of CIFAR-10). A network learns
from 800 clean pictures a class (`foveal train`), and meets pictures as one corruption leaves them: 150 others
a class without labels, of which a few may have some, and 200 a class of test/ that only measure. All that a
method is shown of the new domain is from the 150. `quick` asks what takes seconds: adapting, and prototypes
of few labels. `learned` trains: on few labels from the source, after SimCLR on the unlabelled pictures, with
FixMatch beside them; and on all labels for reference. WORK keeps what was trained, and is gone on with.
"""

import argparse
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from foveal.core import catalog
from foveal.core.random import stream
from foveal.data import opening
from foveal.flows._backbone import embedder_of
from foveal.flows.pretrain import pretrain
from foveal.flows.train import train
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.metrics.mcnemar import mcnemar
from foveal.metrics.paired_difference import paired_difference
from foveal.perturb import corruptions
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train import adapting
from foveal.train.examples import Examples
from foveal.train.pretext_recipe import PretextRecipe
from foveal.train.recipe import Recipe

DOMAINS = {
    "clean": 0, "gaussian_noise": 4, "motion_blur": 4, "fog": 4, "snow": 4, "frost": 4, "contrast": 4,
    "underexposure": 4,
}  # fmt: skip
SOURCE, POOL, TEST, ASIDE = 800, 150, 200, 3  # pictures a class
SHOTS = (1, 5, 10)
EPOCHS, FEW_EPOCHS, PRETEXT_EPOCHS, ALL_EPOCHS = 16, 40, 8, 12
Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


class World:
    """Source run and pictures of one seed."""

    def __init__(self, tree: Path, work: Path, seed: int) -> None:
        self.work, self.seed = work, seed
        self.classes = sorted(path.name for path in (tree / "train").iterdir())
        self.run, source = work / f"run{seed}", work / f"source{seed}"
        drawn = {name: sorted((tree / "train" / name).iterdir()) for name in self.classes}
        for name, paths in drawn.items():
            random.Random(f"{seed}{name}").shuffle(paths)
        if not source.is_dir():
            for name, paths in drawn.items():
                (source / name).mkdir(parents=True)
                for path in paths[:SOURCE]:
                    shutil.copy(path, source / name)
        if not (self.run / "metrics.json").is_file():
            recipe = Recipe(epochs=EPOCHS, seed=seed, threads=1, baseline=False)
            train(source, recipe=recipe, out=self.run, force=True)
        self.recognizer = recognizers.load(self.run / "model")
        self.embed = embedder_of(str(self.run), opening.open(source)).features
        self.pool = read({name: paths[SOURCE : SOURCE + POOL] for name, paths in drawn.items()})
        self.test = read({name: sorted((tree / "test" / name).iterdir())[:TEST] for name in self.classes})
        self.aside = read(
            {name: paths[SOURCE + POOL : SOURCE + POOL + 2 * ASIDE] for name, paths in drawn.items()}
        )

    def shifted(self, domain: str, part: str) -> tuple[Pixels, Labels]:
        """Return pictures of a part as a domain shows them, and their labels."""
        images, labels = getattr(self, part)
        if domain == "clean":
            return images, labels
        rng = stream(self.seed, "domain", domain, part)
        changed = catalog.find(corruptions, domain)(images, severity=DOMAINS[domain], rng=rng)
        return changed, labels


def read(found: dict[str, list[Path]]) -> tuple[Pixels, Labels]:
    images = [np.asarray(Image.open(path).convert("RGB")) for paths in found.values() for path in paths]
    labels = np.repeat(np.arange(len(found)), [len(paths) for paths in found.values()])
    return np.stack(images), labels


def few(labels: Labels, shots: int) -> Labels:
    """Return the places of the first so many of each class: fewer are part of more."""
    return np.concatenate([np.flatnonzero(labels == k)[:shots] for k in range(labels.max() + 1)])


def nearest(known: NDArray[Any], labels: Labels, asked: NDArray[Any]) -> Labels:
    """Answer with the class whose mean direction is nearest by the cosine."""
    known, asked = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (known, asked))
    means = np.stack([known[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return (asked @ means.T).argmax(axis=1)


def adapted(recognizer: Recognizer, images: Pixels, method: str, seed: int, **given: float) -> Recognizer:
    every = Examples(images, np.zeros(len(images), np.int64), np.arange(len(images)))
    settings = adapting.settings_of(method, given)
    found = adapting.method(method)(
        recognizer, every, settings, seed=seed, threads=1, progress=lambda *_: None
    )
    return found.recognizer


def quick(world: World, domain: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield what takes seconds: the name of each method, and which test pictures it names rightly."""
    new, labels = world.shifted(domain, "pool")
    test, truth = world.shifted(domain, "test")
    source, seed = world.recognizer, world.seed

    def right(one: Recognizer) -> NDArray[np.bool_]:
        return one.logits(test).argmax(axis=1) == truth

    yield "source", right(source)
    yield "statistics", right(adapted(source, new, "statistics", seed))
    drawn = stream(seed, "some").permutation(len(new))
    yield "statistics, 32 pictures", right(adapted(source, new[drawn[:32]], "statistics", seed))
    two = np.flatnonzero(labels < 2)
    yield "statistics, 2 of 10 classes", right(adapted(source, new[two], "statistics", seed))
    yield "entropy", right(adapted(source, new, "entropy", seed))
    yield "entropy, 2 of 10 classes", right(adapted(source, new[two], "entropy", seed))
    features, asked = world.embed(new), world.embed(test)
    for shots in SHOTS:
        rows = few(labels, shots)
        yield f"prototypes, {shots} a class", nearest(features[rows], labels[rows], asked) == truth


def learned(world: World, domain: str) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield what is trained."""
    new, labels = world.shifted(domain, "pool")
    test, truth = world.shifted(domain, "test")
    place = world.work / f"{domain}-{world.seed}"

    def right(run: Path) -> NDArray[np.bool_]:
        return recognizers.load(run / "model").logits(test).argmax(axis=1) == truth

    def trained(name: str, rows: Labels, epochs: float, **given: object) -> NDArray[np.bool_]:
        data, run = place / f"{name}-data", place / name
        if not (run / "metrics.json").is_file():
            lay_out(world, domain, data, new[rows], labels[rows])
            recipe = Recipe(weights=str(world.run), epochs=epochs, seed=world.seed, threads=1)
            recipe = recipe.changed(scratch=False, baseline=False, **given)
            train(data, recipe=recipe, out=run, force=True)
        return right(run)

    yield "source", world.recognizer.logits(test).argmax(axis=1) == truth
    for shots in SHOTS:
        yield f"fine-tuned, {shots} a class", trained(f"few{shots}", few(labels, shots), FEW_EPOCHS)
    yield "all labels (reference)", trained("all", np.arange(len(labels)), ALL_EPOCHS)
    write(place / "unlabelled", new, [""] * len(new))
    if not (place / "simclr" / "metrics.json").is_file():
        recipe = PretextRecipe(
            weights=str(world.run), epochs=PRETEXT_EPOCHS, seed=world.seed, threads=1, probes=1
        )
        pretrain(place / "unlabelled", recipe=recipe, out=place / "simclr", force=True)
    for shots in SHOTS:
        told = {"weights": str(place / "simclr")}
        name = f"SimCLR on the unlabelled, then {shots} a class"
        yield name, trained(f"simclr{shots}", few(labels, shots), FEW_EPOCHS, **told)
    told = {"objective": "fixmatch", "unlabelled": str(place / "unlabelled")}
    for shots in SHOTS[-1:]:
        name = f"FixMatch, {shots} a class"
        yield name, trained(f"fixmatch{shots}", few(labels, shots), FEW_EPOCHS, **told)


def lay_out(world: World, domain: str, folder: Path, images: Pixels, labels: Labels) -> None:
    """Write labelled pictures, and a few others for what the command calibrates and measures itself."""
    write(folder / "train", images, [world.classes[k] for k in labels])
    others, truth = world.shifted(domain, "aside")
    for part, offset in (("val", 0), ("test", 1)):
        write(folder / part, others[offset::2], [world.classes[k] for k in truth[offset::2]])


def write(folder: Path, images: Pixels, names: list[str]) -> None:
    for number, (pixels, name) in enumerate(zip(images, names, strict=True)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name / f"{number:05}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("quick", "learned"))
    parser.add_argument("tree", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--domains", nargs="+", default=list(DOMAINS))
    given = parser.parse_args()
    methods = {"quick": quick, "learned": learned}[given.what]
    for seed in given.seeds:
        world = World(given.tree, given.work, seed)
        for domain in given.domains:
            before = None
            for name, right in methods(world, domain):
                before = right if before is None else before
                share = clopper_pearson(int(right.sum()), len(right))
                test = mcnemar(right, before)
                gain = paired_difference(test.only_a, test.only_b, test.n)
                row = {"seed": seed, "domain": domain, "method": name, "accuracy": share.as_json()}
                row["gain"] = {"value": gain.value, "low": gain.low, "high": gain.high}
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
