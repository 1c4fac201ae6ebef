"""Architectures, a family per file: `models/<name>.py` defines the builder `<name>`.

A family with several members states them: `MEMBERS` in `resnet.py` says what its builder takes for
`resnet18`, `resnet34` and so on. A member's name starts with that of its file. A file without `MEMBERS` holds
one, `<name>`.

A builder takes `channels`, `classes` and `size` (side of the square input in pixels) plus its own
arguments, all plain values, and returns a module from normalized images (N, C, H, W) to logits (N, K); one
whose card says `task="video"`, from clips (N, T, C, H, W).
`CARD` in the same file says what it is. `SIZES`, if there, holds the arguments of its variants, the fastest
first, or is a function from the size of the input to them. `SETTINGS`, if there, says how it learns best, and
`EXPANSION` which layers only widen what the head reads. A module with a method `learn_from(images)` is shown
some training images before the first step; one with `over_time(images)` is asked, after training, how its
answers come about in time (`Course`).

Networks that say where something is lie in `detectors`, `segmenters` and `defects`: there `size` is height
and width of the input, and what a network answers stands in the folder's own docstring.

A network that has `auxiliary()` is taught by its inner maps, too: see `HasAuxiliary`.

Where a name is accepted, `timm:NAME` means one of timm's, built anew and without its weights, and a builder
of your own will do as well: see `Architecture`.
"""

from foveal.models._architecture import Architecture as Architecture
from foveal.models._architecture import Builder as Builder
from foveal.models._architecture import Card as Card
from foveal.models._architecture import FollowsSize as FollowsSize
from foveal.models._architecture import HasAuxiliary as HasAuxiliary
from foveal.models._architecture import LearnsFromImages as LearnsFromImages
from foveal.models._architecture import Settings as Settings
from foveal.models._architecture import Task as Task
from foveal.models._architecture import architecture as architecture
from foveal.models._architecture import card as card
from foveal.models._architecture import is_own as is_own
from foveal.models._over_time import Course as Course
from foveal.models._over_time import OverTime as OverTime
from foveal.models._registry import is_known as is_known
from foveal.models._registry import names as names
from foveal.models._registry import scene_names as scene_names

__all__ = [
    "Architecture",
    "Builder",
    "Card",
    "Course",
    "FollowsSize",
    "HasAuxiliary",
    "LearnsFromImages",
    "OverTime",
    "Settings",
    "architecture",
    "card",
    "is_known",
    "is_own",
    "names",
    "scene_names",
]
