"""How a person is told whether a recognizer has learned from the pictures that it was measured on."""

_UNSEEN = {
    "split": "the test part of the training data",
    "content": "none of them learned from",
    "calibration": "none of them learned from, but they calibrated it, at least in part",
    "unlabelled": "shown to it without labels, at least in part",
    None: "whether they were learned from is not known: name the run folder instead of the bundle",
}


def how_unseen(split: str, unseen: str | None) -> str:
    """Return the words for `provenance.unseen` of a document about one part of the data."""
    return _UNSEEN["calibration" if split == "calib" and unseen != "unlabelled" else unseen]
