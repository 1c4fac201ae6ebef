"""Which channels of a network can be removed, and what has to go with each.

`groups(network, channels=…, size=…)` says it; `Group` and `Place` are what it says it with.
"""

from foveal.optimize.channels.group import Group as Group
from foveal.optimize.channels.group import Place as Place
from foveal.optimize.channels.tracing import groups as groups

__all__ = ["Group", "Place", "groups"]
