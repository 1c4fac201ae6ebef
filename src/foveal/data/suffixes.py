"""What the name of a file says that it is meant to be."""

# Those we cannot read are listed too: they become findings, not silence.
_PICTURES = frozenset(
    suffix
    for group in (
        "bmp gif jfif jpe jpeg jpg mpo png webp",
        "arw avif cr2 dng heic heif ico j2k jp2 jxl nef pbm pgm pnm ppm psd svg tga tif tiff",
    )
    for suffix in group.split()
)
_STACKS = frozenset(["npy", "tif", "tiff"])
_CLIPS = frozenset(["avi", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "webm"])


def is_picture(name: str) -> bool:
    """Return whether a file's name says that it is meant to be a picture, of any format.

    >>> is_picture("cat/1.JPG"), is_picture("cat/notes.txt")
    (True, False)
    """
    return name.rpartition("/")[2].rpartition(".")[2].lower() in _PICTURES


def is_stack(name: str) -> bool:
    """Return whether a file's name says that it is meant to be a stack of bands.

    >>> is_stack("good/1.TIF"), is_stack("good/1.png")
    (True, False)
    """
    return name.rpartition("/")[2].rpartition(".")[2].lower() in _STACKS


def is_clip(name: str) -> bool:
    """Return whether a file's name says that it is meant to be a film.

    >>> is_clip("walk/1.MP4"), is_clip("walk/1.jpg")
    (True, False)
    """
    return name.rpartition("/")[2].rpartition(".")[2].lower() in _CLIPS
