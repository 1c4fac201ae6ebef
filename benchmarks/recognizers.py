"""Six kinds of recognizers on the same pictures: write a page of the documentation with its figures.

    python benchmarks/recognizers.py OUT fashion-mnist=/usr/share/datasets/fashion-mnist cifar-10=DATA
    python benchmarks/recognizers.py OUT digits=DIGITS --time 30s --docs OUT/docs

Each of `--models` is trained with all training pictures and, where it learns step by step, for the same
time; then `foveal compare` measures the sealed files on the same test pictures: accuracy with exact paired
tests, robustness, speed and size. Run again, it goes on where it was stopped.
"""

import argparse
from pathlib import Path
from typing import Any

from foveal.core import files, units, wording
from foveal.core.machine import usable_cpus
from foveal.flows.compare import Terms, compare, write_page
from foveal.flows.train import train_or_resume
from foveal.report import comparison_words, words
from foveal.train.fitting import is_baseline
from foveal.train.recipe import Recipe

PROJECT = Path(__file__).resolve().parent.parent
MODELS = ["nano", "v4-lif", "row-gru", "svm-hog", "svm-pixels", "knn"]
KINDS = {
    "nano": "CNN",
    "v4-lif": "CNN that spikes once, leaky integrate-and-fire output",
    "row-gru": "recurrent, reads rows",
    "svm-hog": "SVM on gradients (HOG)",
    "svm-pixels": "SVM on pixels",
    "knn": "nearest neighbours of pixels",
}


def trained(data: Path, model: str, time: str, run: Path) -> Path:
    """Train as far as that is not done yet, and return the run folder."""
    recipe = Recipe(model=model, baseline=False)
    if not is_baseline(str(recipe.model)):
        recipe = recipe.changed(time_seconds=units.seconds(time))
    return train_or_resume(data, recipe=recipe, out=run).run


def row(found: dict[str, Any]) -> str:
    model = found["model"].replace("_", "-")
    disturbed = {one["corruption"]: one["accuracy"]["value"] for one in found["robustness"]}
    cells = [
        f"`{model}`",
        KINDS.get(model, ""),
        words.measured(found["accuracy"]),
        f"{found['latency_ms']:.2f} ms",
        units.show_bytes(found["size_bytes"]),
        ", ".join(f"{name} {value:.3f}" for name, value in disturbed.items()),
    ]
    return f"| {' | '.join(cells)} |"


def draw(document: dict[str, Any], path: Path) -> None:
    """Draw accuracy against the time of an answer, both as measured on the sealed files."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 3.6))
    for found in document["models"]:
        test = found["accuracy"]
        ends = [[test["value"] - test["low"]], [test["high"] - test["value"]]]
        axis.errorbar(found["latency_ms"], test["value"], ends, fmt="o", capsize=3)
        name = found["model"].replace("_", "-")
        axis.annotate(
            name, (found["latency_ms"], test["value"]), (6, 4), textcoords="offset points", fontsize=9
        )
    axis.set(xscale="log", xlabel="one answer, ms", ylabel=f"test accuracy, n={document['images']:,}")
    axis.margins(x=0.25)
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})


def section(name: str, document: dict[str, Any]) -> list[str]:
    pairs = [
        f"- {comparison_words.pair_sentence(pair)} {comparison_words.speed_sentence(pair)}"
        for pair in document["pairs"]
    ]
    return [
        f"## {name}",
        "",
        f"![accuracy against the time of an answer](figures/recognizers-{name}.png)",
        "",
        f"| model | kind | accuracy, n={document['images']:,} | one picture | file | under corruption |",
        "| --- | --- | --- | --- | --- | --- |",
        *map(row, document["models"]),
        "",
        "Pairs, exact McNemar tests on the same pictures:",
        "",
        *pairs,
        "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder for runs, pages and numbers")
    parser.add_argument("data", nargs="+", metavar="NAME=DATA")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--time", default="5m", help="of each training step by step")
    parser.add_argument("--docs", type=Path, default=PROJECT / "docs")
    given = parser.parse_args()
    (given.docs / "figures").mkdir(parents=True, exist_ok=True)
    processors = wording.counted(usable_cpus(), "processor")
    page = [
        "# Six kinds of recognizers on the same pictures",
        "",
        "Made by `python benchmarks/recognizers.py OUT NAME=DATA …`; change that file, not this one.",
        f"Networks learned for {given.time} each on {processors}, baselines were fitted in one go; "
        "one training each.",
        "Intervals are 95 %; machine and method are those of [benchmarks.md](benchmarks.md).",
        "",
    ]
    for text in given.data:
        name, _, data = text.partition("=")
        runs = [trained(Path(data), model, given.time, given.out / name / model) for model in given.models]
        compared = compare(runs, Path(data), Terms(robustness="none"))
        write_page(compared, given.out / name / "comparison.html")
        files.write_json(given.out / name / "comparison.json", compared.document)
        draw(compared.document, given.docs / "figures" / f"recognizers-{name}.png")
        page += section(name, compared.document)
        print("\n".join(section(name, compared.document)), flush=True)
    files.write_text(given.docs / "recognizers.md", "\n".join(page))


if __name__ == "__main__":
    main()
