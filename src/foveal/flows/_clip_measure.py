"""What pictures and texts in one space are worth: how well each finds the other."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.data.sizing import evenly_spaced
from foveal.metrics.recall_at import recall_at
from foveal.tasks.image_text import ImageText

RANKS = (1, 5)
MOST_PICTURES = 5000  # that are compared with all of their texts: 25 million cosines, 100 MB

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Gallery:
    """Pairs to measure on.

    Attributes:
        vectors: Of each picture, float32 (P, D).
        pictures: Of each pair, int64 (N,) into `vectors`.
        contents: Of each pair a number that pairs of equal pictures share, int64 (N,).
        texts: Of each pair.
        of: How many pictures there were before the largest sets were thinned out.
    """

    vectors: NDArray[np.float32] = field(repr=False)
    pictures: Int64 = field(repr=False)
    contents: Int64 = field(repr=False)
    texts: tuple[str, ...] = field(repr=False)
    of: int


def thinned(pictures: Int64) -> tuple[Int64, int]:
    """Return the places of pairs that are measured on, and how many pictures there are.

    Args:
        pictures: Of each pair, int64 (N,). Of more than 5,000, so many are taken, evenly spread.
    """
    there = np.unique(pictures)
    kept = there[evenly_spaced(len(there), at_most=MOST_PICTURES)]
    return np.flatnonzero(np.isin(pictures, kept)), len(there)


def retrieval(model: ImageText, gallery: Gallery, *, learned: set[str] | None) -> dict[str, Any]:
    """Return how often the right text is among the first for a picture, and the right picture for a text.

    A picture is asked once however many texts it has, and so is a text; equal pictures, and texts that the
    network cannot tell apart, are one. Of texts of the same picture the interval counts one.

    Args:
        model: Both encoders.
        gallery: Pictures and texts.
        learned: Texts that were learned from, to say how many of these are among them; None: not known.
    """
    rows, texts = np.unique(model.tokens(gallery.texts), axis=0, return_inverse=True)
    texts = texts.reshape(-1)
    _, first_text = np.unique(texts, return_index=True)
    _, first_picture, pictures = np.unique(gallery.contents, return_index=True, return_inverse=True)
    fits = np.zeros((len(first_picture), len(rows)), dtype=bool)
    fits[pictures, texts] = True
    asked = [gallery.texts[place] for place in first_text]
    cosines = gallery.vectors[gallery.pictures[first_picture]] @ model.texts(asked).T
    units = fits.argmax(axis=0).astype(np.int64)  # the first picture of each text
    document: dict[str, Any] = {
        "pictures": len(first_picture),
        "pictures_there": gallery.of,
        "texts": len(rows),
        "texts_learned": None if learned is None else sum(text in learned for text in asked),
        "image_to_text": {},
        "text_to_image": {},
    }
    for k in RANKS:
        to_text = recall_at(cosines, fits, k=k)
        to_image = recall_at(cosines.T, fits.T, k=k, units=units)
        document["image_to_text"][f"recall_at_{k}"] = to_text.as_json()
        document["text_to_image"][f"recall_at_{k}"] = to_image.as_json()
        document["image_to_text"][f"chance_at_{k}"] = chance(fits, k)
        document["text_to_image"][f"chance_at_{k}"] = chance(fits.T, k)
    return document


def chance(fits: NDArray[np.bool_], k: int) -> float:
    """Return the share of questions that a ranking by lot answers among its first k.

    Args:
        fits: bool (N, M).
        k: 1 or more.

    >>> chance(np.eye(4, dtype=bool), 1)
    0.25
    """
    things = fits.shape[1]
    missed = [
        math.comb(things - fitting, k) / math.comb(things, k) if k <= things else 0.0
        for fitting in fits.sum(axis=1).tolist()
    ]
    return round(1 - float(np.mean(missed)), 6)
