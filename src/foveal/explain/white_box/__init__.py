"""Maps that need the network itself, one per file: `white_box/<name>.py` defines `<name>`.

`name(recognizer, image, index, *, layer)` takes a trained `Recognizer`, a picture at model size, uint8 (size,
size, channels), a class, and optionally the name of a layer; it returns how much each area counts, float32
(h, w), 0 and more, with the height and width of the layer. Equal arguments give equal maps. They need torch.
"""
