"""Maps that only need a recognizer's answers, one per file: `black_box/<name>.py` defines `<name>`.

`name(runs, image, index, *, seed)` takes anything that answers for a batch (`bundle.answering.Runs`), a
picture at model size, uint8 (size, size, channels), and a class; it returns how much each area speaks for the
class, float32 (h, w): above 0 for, below 0 against. `UNIT` in the same file says in what. Equal arguments
give equal maps. None needs torch, so all work on a bundle.
"""
