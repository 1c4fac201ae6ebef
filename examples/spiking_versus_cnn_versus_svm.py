"""A spiking recognition network against a convolutional network and an SVM, on the same pictures.

    python examples/spiking_versus_cnn_versus_svm.py OUT                         digits, a minute or two
    python examples/spiking_versus_cnn_versus_svm.py OUT --data FASHION --time 5m

trains `v4-lif` (3,136 spiking V4 neurons → leaky integrate-and-fire neurons → softmax and cross-entropy),
`nano` (a convolutional network) and `svm-hog`, compares the sealed files on the same test pictures with exact
paired tests, and prints how the spiking network's answers come about in time. OUT/structure.svg draws what
happens inside it for one picture: V1 → V2 → V4 → spikes → potentials → softmax. OUT/comparison.html has the
whole comparison. Run it again, and it goes on where it was stopped.
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

import foveal
from foveal.core import files, units
from foveal.flows.compare import Terms, compare, write_page
from foveal.flows.data_get import get
from foveal.flows.train import train_or_resume
from foveal.models.v4_lif import OUTPUT, STEPS, V4Lif, spike_times
from foveal.report import comparison_words, over_time, words
from foveal.tasks import recognizer as recognizers
from foveal.tasks.classify import learn
from foveal.train.fitting import is_baseline
from foveal.train.recipe import Recipe

MODELS = ("v4-lif", "nano", "svm-hog")
PASSES = {"v4_lif": 10, "nano": 4}  # where no time is given: enough for the digits, and about as long


def main() -> None:
    arguments = parse()
    out: Path = arguments.out
    data = arguments.data or Path(get("digits", out / "digits")["out"])
    results = [train_or_resume(data, recipe=recipe_of(n, arguments), out=out / n) for n in MODELS]
    compared = compare([result.run for result in results], data, Terms(robustness="none"))
    write_page(compared, out / "comparison.html")
    files.write_json(out / "comparison.json", compared.document)
    draw(results[0].run, data, out / "structure.svg")
    show(compared.document, results[0].document["over_time"])
    print(f"\npage: {out / 'comparison.html'}\nstructure: {out / 'structure.svg'}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--data", type=Path, help="anything foveal check recognizes; default digits")
    parser.add_argument("--time", help="for each training; default a few passes")
    parser.add_argument("--size", type=int, default=28, help="side of the input in pixels")
    return parser.parse_args()


def recipe_of(model: str, arguments: argparse.Namespace) -> Recipe:
    """Return what a model is trained with: the same time for all, or a few passes for a network."""
    recipe = Recipe(model=model, size=arguments.size, baseline=False)
    if arguments.time is not None:
        return recipe.changed(time_seconds=units.seconds(arguments.time))
    return recipe if is_baseline(str(recipe.model)) else recipe.changed(epochs=PASSES[str(recipe.model)])


def show(document: words.Document, course: dict[str, Any]) -> None:
    print(f"{document['images']:,} test pictures, the same for all\n")
    for row in document["models"]:
        print(
            f"{row['name']}: {words.measured(row['accuracy'])}; {row['latency_ms']:.2f} ms, "
            f"{units.show_bytes(row['size_bytes'])}"
        )
    print()
    for pair in document["pairs"]:
        print(comparison_words.pair_sentence(pair))
    print("\nthe spiking network in time:")
    for sentence in over_time.sentences(course):
        print(f"  {sentence}.")


@torch.no_grad()
def draw(run: Path, data: Path, path: Path) -> None:
    """Draw what happens inside the spiking network for one picture, from the pixels to the answer."""
    recognizer = recognizers.load(run / "model")
    network, preprocess = recognizer.network, recognizer.preprocess
    assert isinstance(network, V4Lif)
    sample = foveal.data.open(data)[0]
    pixels = preprocess(sample.picture.decode(preprocess.channels))
    images = learn.normalize(torch.from_numpy(pixels[None]), preprocess)
    v1 = network.v1(network.stem(images))
    times = spike_times(network.features(images))[0].numpy()
    v2, course, logits = network.v2(v1), network.over_time(images), network(images)[0]

    matplotlib.rcParams.update({"font.size": 8, "svg.hashsalt": "structure"})
    figure = Figure(figsize=(13, 3.2), layout="constrained")
    axes = figure.subplots(1, 7, width_ratios=[1, 1, 1, 1, 1.6, 1.8, 1.2])
    maps = (
        pixels.mean(axis=2),
        v1[0].mean(0).numpy(),
        v2[0].mean(0).numpy(),
        first_spikes(times),
    )
    heads = ("picture", "V1, mean", "V2, mean", "V4, first spike")
    for ax, shown, head in zip(axes, maps, heads, strict=False):
        ax.imshow(shown, cmap="viridis_r" if head.startswith("V4") else "gray")
        ax.set(title=head, xticks=[], yticks=[])
    spiking = np.flatnonzero(np.isfinite(times))
    axes[4].plot(times[spiking], spiking, ",", color="black")
    axes[4].set(title=f"{len(spiking):,} of {len(times):,} V4 neurons spike", xlabel="step", xlim=(0, STEPS))
    answer = int(logits.argmax())
    steps = np.arange(1, STEPS + 1)
    for k, name in enumerate(recognizer.classes):
        potential, spikes = course.potentials[0, :, k].numpy(), course.spikes[0, :, k].numpy() > 0
        color, width = ("C3", 2.0) if k == answer else ("0.6", 0.8)
        axes[5].plot(steps, potential, color=color, linewidth=width, label=name if k == answer else None)
        axes[5].plot(steps[spikes], potential[spikes], "^", color=color, markersize=4)
    axes[5].axhline(OUTPUT.threshold, color="0.3", linewidth=0.8, linestyle=":")
    axes[5].set(title="LIF potentials, ▲ output spikes", xlabel="step")
    axes[5].legend(frameon=False)
    axes[6].barh(recognizer.classes, torch.softmax(logits, 0).numpy(), color="0.6")
    axes[6].set(title="softmax of the mean", xlim=(0, 1))
    figure.savefig(path, metadata={"Date": None})


def first_spikes(times: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the earliest spike at each place of V4, 7 × 7; T where there was none."""
    earliest: NDArray[np.float32] = np.minimum(times, STEPS).reshape(-1, 7, 7).min(axis=0)
    return earliest


if __name__ == "__main__":
    main()
