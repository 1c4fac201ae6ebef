"""One answer with the map that shows where it came from, and how far that map can be believed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foveal.bundle.answering import Runs
from foveal.explain.faithfulness import PEAK_SHARE, Faithfulness, by_chance, faithfulness
from foveal.explain.scores import Float32, Map, UInt8

_DIGITS = 5  # of the values in JSON: more say nothing


@dataclass(frozen=True)
class Explanation:
    """Why a class got the probability that it got for a picture.

    Attributes:
        source: The picture.
        truth: Its class where it is known.
        label: The recognizer's answer.
        about: The class that the map is about.
        confidence: The calibrated probability of that class.
        heatmap: How much each area counts for it, float32 (h, w).
        faith: What the answer does when the picture vanishes and appears in the map's order.
        chance: The same for 19 random maps.
        image: At model size, uint8 (size, size, channels).
    """

    source: str
    truth: str | None
    label: str
    about: str
    confidence: float
    heatmap: Float32 = field(repr=False)
    faith: Faithfulness = field(repr=False)
    chance: tuple[Faithfulness, ...] = field(repr=False)
    image: UInt8 = field(repr=False)

    @property
    def beaten(self) -> int:
        """How many of the random maps the map is better than, by insertion area less deletion area."""
        return sum(self.faith.gain > one.gain for one in self.chance)

    @property
    def holds(self) -> bool:
        """Whether it is better than all of them; of unrelated maps 1 in 20 is."""
        return self.beaten == len(self.chance)

    @property
    def chance_deletion(self) -> float:
        """Mean deletion area of the random maps."""
        return float(np.mean([one.deletion_auc for one in self.chance]))

    @property
    def chance_insertion(self) -> float:
        """Mean insertion area of the random maps."""
        return float(np.mean([one.insertion_auc for one in self.chance]))

    def as_json(self, *, unit: str, file: str | None = None) -> dict[str, Any]:
        """Return an entry of the document's `explanations`.

        Args:
            unit: Of the map's values.
            file: The drawn map, where it was written.
        """
        height, width = self.heatmap.shape
        row, column = np.unravel_index(int(self.heatmap.argmax()), self.heatmap.shape)
        return {
            "source": self.source,
            "truth": self.truth,
            "label": self.label,
            "class": self.about,
            "confidence": self.confidence,
            "map": {
                "shape": [height, width],
                "unit": unit,
                "values": [[round(float(v), _DIGITS) for v in line] for line in self.heatmap],
                "file": file,
            },
            "peak": {
                "x": round((float(column) + 0.5) / width, _DIGITS),
                "y": round((float(row) + 0.5) / height, _DIGITS),
                "value": round(float(self.heatmap.max()), _DIGITS),
                "share": PEAK_SHARE,
                "confidence_without": self.faith.without_peak,
            },
            **self.faith.as_json(),
            "chance": {
                "deletion_auc": self.chance_deletion,
                "insertion_auc": self.chance_insertion,
                "maps": len(self.chance),
                "beaten": self.beaten,
            },
            "holds": self.holds,
        }


@dataclass(frozen=True)
class Asked:
    """A picture and what is already known of it.

    Attributes:
        source: Its name.
        image: At model size, uint8 (size, size, channels).
        truth: Its class where it is known.
    """

    source: str
    image: UInt8 = field(repr=False)
    truth: str | None = None


def explain(
    runs: Runs,
    asked: Asked,
    draw: Map,
    *,
    classes: tuple[str, ...],
    about: str | None = None,
    seed: int = 0,
) -> list[Explanation]:
    """Return a picture's answer with its map and what shows how good the map is.

    Args:
        runs: The recognizer that the map is tried on: the file that ships.
        asked: The picture.
        draw: Makes the map of a picture and a class.
        classes: K names in the order of the outputs.
        about: The class to explain; None: the answer, and of a mistake then also the true class.
        seed: Of the random maps.
    """
    row = runs.run(asked.image[None]).probabilities[0]
    label = classes[int(row.argmax())]
    shown = [about or label]
    if about is None and asked.truth not in (None, label):
        shown.append(asked.truth)
    found = []
    for name in shown:
        index = classes.index(name)
        heatmap = draw(asked.image, index)
        found.append(
            Explanation(
                source=asked.source,
                truth=asked.truth,
                label=label,
                about=name,
                confidence=float(row[index]),
                heatmap=heatmap,
                faith=faithfulness(runs, asked.image, heatmap, index),
                chance=by_chance(runs, asked.image, heatmap, index, seed=seed),
                image=asked.image,
            )
        )
    return found
