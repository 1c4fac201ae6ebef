"""Where smaller networks come from, one family per file: `families/<name>.py` defines `<name>`.

A family takes the original recognizer and some pictures that may be looked at, and returns candidates, the
largest first. None of them is trained; a search decides which of them are.
"""

from foveal.optimize.families._candidate import Candidate as Candidate

__all__ = ["Candidate"]
