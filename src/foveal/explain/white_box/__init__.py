"""Maps that need the network itself, one per file: `white_box/<name>.py` defines `<name>`.

`name(recognizer, image, index)` takes a trained `Recognizer`, a picture at model size, uint8 (size, size,
channels), and a class; where it looks at one layer, also its name as `layer`, None for the usual one. It
returns how much each area counts, float32 (h, w), 0 and more. `UNIT` in the same file says in what. A network
that lacks what it looks at it refuses with a `UsageError`. Equal arguments give equal maps. They need torch.
"""
