"""Foreign text on a person's screen: names of files and classes that somebody else chose."""


def visible(text: str) -> str:
    r"""Return text on one line without control characters, which a terminal would obey.

    >>> print(visible("a\x1b[2Jb\nc"))
    a\x1b[2Jb\nc
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text
    )


def printable(name: str) -> str:
    r"""Return a file's name as text that can be written anywhere; bytes that are no UTF-8 become `\xe4`.

    >>> print(printable("a\udce4.png"))
    a\xe4.png
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
