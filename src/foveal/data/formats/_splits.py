"""What people call the parts of a data set."""

import re

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
ORDER = ("train", "val", "test")


def splits_in(name: str) -> list[str]:
    """Return the different splits that a name speaks of, word by word.

    >>> splits_in("gtsrb32_train"), splits_in("contest"), splits_in("train-and-test")
    (['train'], [], ['train', 'test'])
    """
    words = re.split(r"[^a-z]+", name.lower())
    return list(dict.fromkeys(SPLITS[word] for word in words if word in SPLITS))
