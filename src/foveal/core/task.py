"""What a recognizer can be asked about pictures."""

from typing import Literal, get_args

Task = Literal["classify", "video", "detect", "segment", "instance", "panoptic", "defect"]
TASKS: tuple[Task, ...] = get_args(Task)
# Those that say where something is: objects, the class of each pixel, both, or how defective each place is.
SCENE_TASKS: tuple[Task, ...] = ("detect", "segment", "instance", "panoptic", "defect")
OBJECT_TASKS: tuple[Task, ...] = ("detect", "instance", "panoptic")
# Those that say the class of each pixel.
AREA_TASKS: tuple[Task, ...] = ("segment", "panoptic")
# Those whose objects are followed through films; what is panoptic divides each frame by itself.
FOLLOWED_TASKS: tuple[Task, ...] = ("detect", "instance")
