"""What a method of adapting gives back, and what all of them need."""

from dataclasses import dataclass, field

from foveal.core.errors import UsageError
from foveal.core.task import SCENE_TASKS
from foveal.models._batch_norm import batch_norms
from foveal.tasks.recognizer import Recognizer

MOST_PIXELS, MOST_PICTURES, FEWEST_PICTURES = 2**22, 256, 16  # of a batch


@dataclass(frozen=True)
class Adapted:
    """A recognizer that got used to other pictures.

    Attributes:
        recognizer: The same one with other batch norm.
        pictures: How many it was shown.
        steps: How often weights were moved; 0: they were not.
        history: Rows of the learning curve; empty where nothing is learned in steps.
    """

    recognizer: Recognizer = field(repr=False)
    pictures: int
    steps: int = 0
    history: tuple[dict[str, float], ...] = field(default=(), repr=False)


def check_adaptable(recognizer: Recognizer) -> None:
    """Refuse what cannot be adapted, before any picture is read.

    Raises:
        UsageError: `other_task`: it takes clips, or says where something is; `no_classes`: it names nothing
            yet; `no_batch_norm`: its network normalizes each picture by itself, or nothing.
    """
    if recognizer.preprocess.clip is not None:
        raise UsageError(
            f"{recognizer.architecture} takes clips; adapting is for recognizers of pictures",
            code="other_task",
            hint="train on films of the new environment: foveal train FILMS",
        )
    if recognizer.task in SCENE_TASKS:
        raise UsageError(
            f"{recognizer.architecture} says where something is; adapting is for recognizers of pictures",
            code="other_task",
            hint="train on annotated pictures of the new environment",
        )
    if not recognizer.classes:
        raise UsageError(
            "the run learned features and names nothing yet",
            code="no_classes",
            hint="foveal pretrain PICTURES --from RUN learns on without labels; foveal train FEW --from RUN "
            "makes a recognizer of it",
        )
    if not batch_norms(recognizer.network):
        raise UsageError(
            f"{recognizer.architecture} has no batch norm, which is what adapts without labels",
            code="no_batch_norm",
            hint="label a few pictures of the new environment: foveal train FEW --from RUN --epochs 20; or "
            "train a network with batch norm, such as nano",
        )


def batch_size(side: int) -> int:
    """Return how many pictures of a side in pixels are looked at together: statistics need many.

    >>> batch_size(32), batch_size(224)
    (256, 83)
    """
    return max(FEWEST_PICTURES, min(MOST_PICTURES, MOST_PIXELS // side**2))
