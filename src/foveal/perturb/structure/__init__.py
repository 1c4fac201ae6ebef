"""What is left of a picture without its arrangement, or without its detail; one per file.

`view(images, *, blocks, rng)` divides uint8 (N, H, W, C) into `blocks` × `blocks` equal blocks and returns
pictures of the same shape; the input is left alone. A recognizer that answers as before relies on what
the view has kept.
"""
