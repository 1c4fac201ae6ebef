"""What an adaptation leaves for people."""

from pathlib import Path
from typing import Any

import numpy as np

from foveal.core import files
from foveal.flows._adapt_pictures import Shown
from foveal.flows._adapt_proof import Answered, changed_rows
from foveal.report.adapt_page import Changed, adapt_page

_PICTURES = 24


def write_adapt_report(run: Path, document: dict[str, Any], new: Shown, answered: Answered) -> Path:
    """Write `report.html` into a run folder, and return its path.

    Args:
        run: The run folder.
        document: `foveal.adapt/1`.
        new: The pictures.
        answered: What was answered for them before and after.
    """
    changed = [
        Changed(
            np.asarray(new.examples.images[answered.rows[place]]),
            answered.classes[answered.before[place]],
            answered.classes[answered.after[place]],
        )
        for place in changed_rows(answered, most=_PICTURES)
    ]
    files.write_text(run / "report.html", adapt_page(document, changed))
    return run / "report.html"
