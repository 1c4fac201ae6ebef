"""Does a convolutional network beat a support vector machine? The literature's experiment, in one command.

    python examples/cnn_versus_svm.py OUT                                   handwritten digits, a minute
    python examples/cnn_versus_svm.py OUT --data DATA --time 15m --images 250 1000 4000 16000

trains each model of `--models` with all the data, within the same time where `--time` is given, and again on
fewer pictures; then compares the sealed files on the same test pictures: accuracy with an exact paired test,
generalization (how far the accuracy on the training pictures is above that on new ones), robustness, parts
against arrangement, speed and size. It ends with a page of pictures and charts, OUT/comparison.html, and with
OUT/comparison.json. Run it again, and it goes on where it was stopped.
"""

import argparse
from pathlib import Path

from foveal.core import files, units
from foveal.flows.compare import Terms, compare, write_page
from foveal.flows.data_get import get
from foveal.flows.train import train_or_resume
from foveal.report import comparison_words, words
from foveal.train.fitting import is_baseline
from foveal.train.recipe import Recipe


def main() -> None:
    arguments = parse()
    out: Path = arguments.out
    data = arguments.data or Path(get("digits", out / "digits")["out"])
    recipes = [recipe_of(name, arguments) for name in arguments.models]
    runs = [train_or_resume(data, recipe=one, out=out / str(one.model)).run for one in recipes]
    compared = compare(runs, data, Terms(curve=tuple(arguments.images), folder=out / "curve"))
    write_page(compared, out / "comparison.html")
    files.write_json(out / "comparison.json", compared.document)
    show(compared.document)
    print(f"\npage: {out / 'comparison.html'}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--data", type=Path, help="anything foveal check recognizes; default digits")
    parser.add_argument("--models", nargs="+", default=["nano", "svm-hog"])
    parser.add_argument("--time", help="for each training with all the data; default a few passes")
    parser.add_argument("--size", type=int, help="side of the input in pixels; default from the data")
    parser.add_argument("--images", nargs="+", type=int, default=[200])
    return parser.parse_args()


def recipe_of(model: str, arguments: argparse.Namespace) -> Recipe:
    """Return what a model is trained with: the same time for all, or a few passes for a network."""
    recipe = Recipe(model=model, size=arguments.size, baseline=False)
    if arguments.time is not None:
        return recipe.changed(time_seconds=units.seconds(arguments.time))
    return recipe if is_baseline(str(recipe.model)) else recipe.changed(epochs=8)


def show(document: words.Document) -> None:
    print(f"{document['images']:,} test pictures, the same for all\n")
    for row in document["models"]:
        print(
            f"{row['name']}: {words.measured(row['accuracy'])}; {row['latency_ms']:.2f} ms, "
            f"{units.show_bytes(row['size_bytes'])}"
        )
        for one in row["robustness"]:
            print(f"    {one['corruption']}: {words.measured(one['accuracy'])}")
        for one in row["structure"]:
            print(f"    {one['view']}, {one['blocks']} blocks a side: {words.measured(one['accuracy'])}")
    print()
    for pair in document["pairs"]:
        print(comparison_words.pair_sentence(pair), comparison_words.speed_sentence(pair))
    for sentence in (*comparison_words.gap_sentences(document), *comparison_words.curve_sentences(document)):
        print(sentence)


if __name__ == "__main__":
    main()
