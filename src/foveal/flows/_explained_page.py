"""The page of an explanation; apart, because drawing needs the `train` extra."""

from pathlib import Path

from foveal.core import files
from foveal.flows.explain import Explained
from foveal.report.explained_page import explained_page


def write_page(explained: Explained, path: Path) -> None:
    """Write what was found as one HTML page; it holds the user's pictures.

    Raises:
        WriteError: It cannot be written.
    """
    page = explained_page(
        explained.as_json(),
        explained.explanations,
        features=explained.inside.features,
        neighbours=explained.inside.neighbours,
    )
    files.write_text(path, page)
