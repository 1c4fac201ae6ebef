"""Pictures of one or two groups of shapes, with a caption each; for benchmarks/image_text.py and its test.

    python benchmarks/scenes.py OUT [--pictures 18000]

Writes 48-pixel PNGs and two tables to learn from, `train.csv` and `dealt.csv` (the same captions dealt out
at random), and those to measure on: `scenes.csv` (500 pictures of two groups with as many captions, none of
them learned from), `mixed.csv` (the same with combinations that were never learned from), `unseen.csv` and
`seen.csv` (one group each, of combinations that were never learned from and of others) and `order.csv` (a
second caption says the same words with the groups exchanged).
"""

import argparse
import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE, FINER = 48, 4
COLOURS = {
    "red": (220, 40, 40), "green": (40, 170, 60), "blue": (50, 80, 220),
    "yellow": (235, 210, 50), "purple": (150, 60, 180),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle")
SIZES = {"small": 3.4, "large": 6.5}
COUNTS = {"one": 1, "two": 2}
# Each colour and each shape is learned, these together never are.
HELD_OUT = (("red", "triangle"), ("blue", "circle"), ("yellow", "square"))
RELATIONS = ("left of", "right of", "above", "below")


@dataclass(frozen=True)
class Group:
    """Equal shapes side by side."""

    count: str
    size: str
    colour: str
    shape: str

    @property
    def kept(self) -> bool:
        """Whether its combination may be learned from."""
        return (self.colour, self.shape) not in HELD_OUT

    def __str__(self) -> str:
        return f"{self.count} {self.size} {self.colour} {self.shape}{'s' if self.count == 'two' else ''}"


@dataclass(frozen=True)
class Scene:
    """One group, or two of which the first is somewhere beside the second."""

    first: Group
    relation: str = ""
    second: Group | None = None

    @property
    def groups(self) -> tuple[Group, ...]:
        """All that is in it."""
        return (self.first,) if self.second is None else (self.first, self.second)

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.first, self.relation, self.second) if part)

    @property
    def turned(self) -> "Scene":
        """The same words in another order: what is first comes second."""
        assert self.second is not None
        return Scene(self.second, self.relation, self.first)


def group(rng: np.random.Generator, *, held_out: bool | None) -> Group:
    """Return a group whose combination is held out, is not, or may be either (None)."""
    while True:
        one = Group(*(str(rng.choice(list(some))) for some in (COUNTS, SIZES, COLOURS, SHAPES)))
        if held_out is None or one.kept != held_out:
            return one


def scene(rng: np.random.Generator, *, kind: str, held_out: bool | None) -> Scene:
    """Return a scene of one group (`single`), of two (`double`), or of two large things (`plain`)."""
    first = group(rng, held_out=held_out)
    if kind == "single":
        return Scene(first)
    second = group(rng, held_out=held_out)
    while (second.colour, second.shape) == (first.colour, first.shape):
        second = group(rng, held_out=held_out)
    if kind == "plain":
        first, second = (replace(one, count="one", size="large") for one in (first, second))
    return Scene(first, str(rng.choice(RELATIONS)), second)


def draw(one: Scene, rng: np.random.Generator) -> Image.Image:
    ground = tuple(int(v) for v in np.full(3, rng.integers(200, 256)) + rng.integers(-8, 9, 3))
    image = Image.new("RGB", (SIDE * FINER, SIDE * FINER), tuple(np.clip(ground, 0, 255)))
    pen = ImageDraw.Draw(image)
    for place, some in enumerate(one.groups):
        x, y = rng.uniform(14, 34, 2)
        if one.second is not None:
            towards = -1 if (one.relation in ("left of", "above")) == (place == 0) else 1
            near, far = 24 + towards * rng.uniform(10, 12.5), rng.uniform(17, 31)
            x, y = (near, far) if one.relation.endswith("of") else (far, near)
        _group(pen, some, float(x), float(y), rng)
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.int16)
    return Image.fromarray(np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8))


def _group(pen: ImageDraw.ImageDraw, some: Group, x: float, y: float, rng: np.random.Generator) -> None:
    radius = SIZES[some.size]
    colour = tuple(int(v) for v in np.clip(np.array(COLOURS[some.colour]) + rng.integers(-20, 21, 3), 0, 255))
    upright = rng.random() < 0.5
    for number in range(COUNTS[some.count]):
        aside = 0.0 if some.count == "one" else (2 * number - 1) * (radius + 0.8)
        cx, cy = (x, y + aside) if upright else (x + aside, y)
        r = radius * rng.uniform(0.92, 1.08)
        box = [(cx - r) * FINER, (cy - r) * FINER, (cx + r) * FINER, (cy + r) * FINER]
        if some.shape == "circle":
            pen.ellipse(box, fill=colour)
        elif some.shape == "square":
            pen.rectangle(box, fill=colour)
        else:
            pen.polygon([(box[0], box[3]), (box[2], box[3]), (cx * FINER, box[1])], fill=colour)


def different(
    rng: np.random.Generator, count: int, *, without: Iterable[str], held_out: bool | None
) -> list[Scene]:
    """Return scenes whose captions differ from each other and from some others."""
    known, found = set(without), []
    while len(found) < count:
        one = scene(rng, kind="double", held_out=held_out)
        if str(one) not in known:
            known.add(str(one))
            found.append(one)
    return found


def write(out: Path, name: str, scenes: list[Scene], rng: np.random.Generator) -> list[list[str]]:
    """Draw scenes and write `<name>.csv`; return its rows without the head."""
    (out / name).mkdir(parents=True, exist_ok=True)
    rows = []
    for number, one in enumerate(scenes):
        path = f"{name}/{number:05d}.png"
        draw(one, rng).save(out / path)
        rows.append([path, str(one)])
    table(out / f"{name}.csv", ["path", "text"], rows)
    return rows


def table(path: Path, head: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])


def lay_out(out: Path, *, pictures: int, seed: int = 0) -> None:
    """Write everything; a third of the learned pictures shows one group, a third two large things."""
    rng = np.random.default_rng(seed)
    learned = [scene(rng, kind=("single", "double", "plain")[i % 3], held_out=False) for i in range(pictures)]
    captions = {str(one) for one in learned}
    rows = write(out, "train", learned, rng)
    table(out / "train.csv", ["path", "text", "split"], [[*row, "train"] for row in rows])
    dealt = rng.permutation([row[1] for row in rows])
    table(
        out / "dealt.csv",
        ["path", "text", "split"],
        [[row[0], str(text), "train"] for row, text in zip(rows, dealt, strict=True)],
    )
    write(out, "scenes", different(rng, 500, without=captions, held_out=False), rng)
    write(out, "mixed", different(rng, 500, without=captions, held_out=None), rng)
    write(out, "unseen", [scene(rng, kind="single", held_out=True) for _ in range(500)], rng)
    write(out, "seen", [scene(rng, kind="single", held_out=False) for _ in range(500)], rng)
    asked = different(rng, 500, without=captions, held_out=False)
    rows = write(out, "order", asked, rng)
    turned = [[*row, str(one.turned)] for row, one in zip(rows, asked, strict=True)]
    table(out / "order.csv", ["path", "text", "turned"], turned)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=18000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    lay_out(given.out, pictures=given.pictures, seed=given.seed)
