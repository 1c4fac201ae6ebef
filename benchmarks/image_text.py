"""Which text belongs to which picture: what a small dual encoder learns, with controls.

    python benchmarks/image_text.py scenes OUT [--pictures 18000] [--passes 8]
    python benchmarks/image_text.py grocery OUT --data GROCERY_IMAGE_TEXT [--passes 20]
    python benchmarks/image_text.py cifar10 OUT --data CIFAR-10 [--passes 10]

`scenes`: pictures that benchmarks/scenes.py draws, with captions such as "two small red circles left of one
large blue square". Three of fifteen combinations of colour and shape are never learned from. Measured are
zero-shot answers on those alone, retrieval among 500 pictures whose captions were never learned from,
whether the order of words is heard, and the same after learning from captions that were dealt out at
random.

`grocery`: the 81 pairs of grocery_image_text with more captions made from names, far too few: it shows the
way.

`cifar10`: a folder with train and test (benchmarks/lay_out.py writes it) and template captions. Its classes
are learned, so this is classification with texts as labels; it is asked with templates that were not
learned from.

Writes `<name>.json` to OUT and prints the rows of docs/benchmarks.md.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import foveal.models.nano as nano
import scenes
from foveal.data.opening import open as open_data
from foveal.data.pairs import open_pairs
from foveal.data.texts.tokenizer import WordTokenizer
from foveal.flows._clip_pairs import prepare_pairs
from foveal.flows._clip_pictures import MODEL, encoded, open_model
from foveal.flows._clip_plan import form, objective, planned
from foveal.flows.clip_evaluate import clip_evaluate
from foveal.metrics.clopper_pearson import clopper_pearson
from foveal.tasks import image_text
from foveal.tasks.image_text import ImageText
from foveal.train.loop import fit
from foveal.train.recipe import Recipe

ABOUT = "about.json"
Rows = Iterator[tuple[str, Any, str]]
_PHRASES = [f"{count} {size}" for count in scenes.COUNTS for size in scenes.SIZES]
_LEARNED = ("a photo of a {}", "a small blurry picture of the {}", "this picture shows one {}", "one {}")
_ANEW = ("a picture of one {}", "this blurry photo shows the {}", "the small {}")
_ASKED = ("an image of some {}", "there is a {} here", "look, the {}")
_GROCERY = ("{name}", "a photo of {name}", "{coarse}: {name}", "{name}, a kind of {coarse}")


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    if stage == "train" and done % 100 == 0:
        print(f"{done}/{total} {note}", file=sys.stderr, flush=True)


def trained(table: Path, run: Path, given: argparse.Namespace, *, size: int) -> Path:
    """Return the run of a table; a finished one is not done again.

    Its length is counted in passes and the network is the smallest nano, so that nothing depends on how busy
    the machine is; all else is as `foveal clip train` does it.
    """
    if (run / MODEL / image_text.STRUCTURE).is_file():
        return run
    started = time.monotonic()
    prepared = prepare_pairs(open_pairs(table), run, size=size, seed=given.seed, threads=1, progress=silent)
    tokenizer = WordTokenizer.learned(prepared.texts(prepared.division.fit), most=8192)
    recipe = Recipe(epochs=given.passes, threads=1, precision="fp32", seed=given.seed, objective="clip")
    plan = planned(recipe, prepared, tokenizer, seconds_left=None, progress=silent)
    plan = plan.model_copy(update={"arguments": {**plan.arguments, **nano.SIZES[0]}})
    learning = objective(plan, prepared, tokenizer)
    fitted = fit(learning, prepared.examples, plan, checkpoints=run / "checkpoints", progress=silent)
    built = form(plan, prepared, tokenizer)
    model = ImageText(built.build(), built, tokenizer, prepared.preprocess).with_weights(fitted.weights)
    image_text.save(model, run / MODEL)
    about = {"seconds": round(time.monotonic() - started), "passes": round(plan.epochs, 1)}
    (run / ABOUT).write_text(json.dumps({**about, "scale": round(model.scale, 1)}), encoding="utf-8")
    return run


def share(right: np.ndarray) -> dict[str, Any]:
    return clopper_pearson(int(right.sum()), len(right)).as_json()


def vectors(model: ImageText, table: Path) -> tuple[np.ndarray, list[str]]:
    """Return a vector for each pair's picture, and the texts."""
    pairs = open_pairs(table)
    found = encoded(
        model, lambda i: pairs.read(i).content, len(pairs.sources), threads=1, progress=silent
    ).vectors
    return found[pairs.pictures], list(pairs.texts)


def zero_shot(model: ImageText, table: Path) -> Iterator[tuple[str, Any]]:
    """Yield how often colour, shape and both of a single group are right among all fifteen combinations."""
    seen, texts = vectors(model, table)
    kinds = [(colour, shape) for colour in scenes.COLOURS for shape in scenes.SHAPES]
    prompts = [
        f"{phrase} {colour} {shape}{'s' if phrase.startswith('two') else ''}"
        for colour, shape in kinds
        for phrase in _PHRASES
    ]
    classes = model.texts(prompts).reshape(len(kinds), len(_PHRASES), -1).mean(axis=1)
    classes /= np.linalg.norm(classes, axis=1, keepdims=True)
    found = [kinds[best] for best in (seen @ classes.T).argmax(axis=1)]
    right = np.array([[word in text for word in kind] for kind, text in zip(found, texts, strict=True)])
    yield "colour", share(right[:, 0])
    yield "shape", share(right[:, 1])
    yield "both", share(right.all(axis=1))


def order(model: ImageText, table: Path) -> dict[str, Any]:
    """Return how often the caption is nearer than the same words with the groups exchanged."""
    seen, texts = vectors(model, table)
    with table.open(encoding="utf-8") as file:
        turned = [row["turned"] for row in csv.DictReader(file)]
    right, wrong = ((seen * model.texts(some)).sum(axis=1) for some in (texts, turned))
    return share(right > wrong)


def of_scenes(given: argparse.Namespace) -> Rows:
    data = given.out / "data"
    if not (data / "order.csv").is_file():
        scenes.lay_out(data, pictures=given.pictures)
    for name, table in (("captions", "train"), ("captions dealt out at random", "dealt")):
        run = trained(data / f"{table}.csv", given.out / f"{table}-{given.seed}", given, size=scenes.SIDE)
        _, model = open_model(run)
        for part in ("unseen", "seen"):
            for what, value in zero_shot(model, data / f"{part}.csv"):
                yield name, value, f"zero-shot {what}, {part} combinations"
        for part in ("scenes", "mixed"):
            yield from retrieval(name, run, data / f"{part}.csv", f", {part}")
        yield name, order(model, data / "order.csv"), "the right order of words"
        yield name, about(run), "training"


def retrieval(name: str, run: Path, table: Path, where: str = "") -> Rows:
    metrics = clip_evaluate(run, table, threads=1)["metrics"]
    for way in ("image_to_text", "text_to_image"):
        for k in (1, 5):
            said = f"{way.replace('_', ' ')}, recall at {k} of {metrics['texts']}{where}"
            yield name, metrics[way][f"recall_at_{k}"], f"{said}; chance {metrics[way][f'chance_at_{k}']:.3f}"


def about(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / ABOUT).read_text(encoding="utf-8"))
    return found


def of_grocery(given: argparse.Namespace) -> Rows:
    """Learn from 65 products with captions made from their names; ask for 16 others, and for their kinds."""
    rows = json.loads((given.data / "pairs.json").read_text(encoding="utf-8"))
    (given.out / "data").mkdir(parents=True, exist_ok=True)
    link(given.out / "data" / "pictures", given.data)
    held = set(np.random.default_rng(given.seed).permutation(len(rows))[: len(rows) // 5].tolist())
    lines = []
    for place, row in enumerate(rows):
        named = {key: row[key].replace("-", " ") for key in ("coarse",)} | {
            "name": row["class_name"].replace("-", " ")
        }
        captions = {form.format(**named) for form in _GROCERY} | {row["text"]}
        split = "test" if place in held else "train"
        lines += [[f"pictures/{row['file']}", text, split] for text in sorted(captions)]
    scenes.table(given.out / "data" / "pairs.csv", ["path", "text", "split"], lines)
    table = given.out / "data" / "pairs.csv"
    run = trained(table, given.out / f"grocery-{given.seed}", given, size=64)
    yield from retrieval("81 products, 16 kept apart", run, table)
    yield "81 products, 16 kept apart", about(run), "training"


def of_cifar10(given: argparse.Namespace) -> Rows:
    folder = given.out / "data"
    folder.mkdir(parents=True, exist_ok=True)
    link(folder / "pictures", given.data)
    dataset = open_data(given.data)
    rng = np.random.default_rng(given.seed)
    train = [i for i, split in enumerate(dataset.splits) if split == "train"]
    chosen = rng.permutation(train)[: given.pictures]
    lines = [
        [
            f"pictures/{dataset.sources[i]}",
            str(rng.choice(_LEARNED)).format(dataset.classes[dataset.labels[i]]),
            "train",
        ]
        for i in chosen
    ]
    scenes.table(folder / "pairs.csv", ["path", "text", "split"], lines)
    run = trained(folder / "pairs.csv", given.out / f"cifar10-{given.seed}", given, size=32)
    for name, templates in (
        ("templates that were learned", _LEARNED),
        ("new templates of learned words", _ANEW),
        ("templates of new words", _ASKED),
    ):
        found = clip_evaluate(run, given.data, templates=templates, split="test", threads=1)
        yield "CIFAR-10", found["metrics"]["accuracy"], f"accuracy, {name}"
    yield "CIFAR-10", about(run), "training"


def link(place: Path, target: Path) -> None:
    if not place.exists():
        place.symlink_to(target.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("scenes", "grocery", "cifar10"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--pictures", type=int, default=18000)
    parser.add_argument("--passes", type=float, default=8)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    of: dict[str, Callable[[argparse.Namespace], Rows]] = {
        "scenes": of_scenes,
        "grocery": of_grocery,
        "cifar10": of_cifar10,
    }
    found = []
    for name, value, what in of[given.what](given):
        found.append({"of": name, "what": what, "value": value})
        told = value
        if "low" in value:
            told = f"{value['value']:.3f} ({value['low']:.3f}–{value['high']:.3f}, n={value['n']})"
        print(f"| {name} | {what} | {told} |", flush=True)
    (given.out / f"{given.what}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
