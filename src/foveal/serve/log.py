"""Lines of JSON on stderr: what happened, for a program; never a path, a token, a name or a picture."""

import contextlib
import json
import os
import sys
from typing import Any


def log(**what: Any) -> None:
    """Write one line, whole; where stderr takes none, serving goes on."""
    with contextlib.suppress(OSError, ValueError):  # a full disk, a closed terminal
        os.write(sys.stderr.fileno(), (json.dumps(what) + "\n").encode())
