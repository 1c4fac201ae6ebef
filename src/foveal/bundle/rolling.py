"""Answers about the last T frames of a film that goes on, each frame seen by the network once."""

from dataclasses import dataclass
from typing import Any

from foveal.bundle.inputs import UInt8, picture
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Float32
from foveal.core.errors import UsageError
from foveal.core.types import Label
from foveal.data.decode import decode
from foveal.data.pictures import RawPicture


@dataclass(frozen=True)
class WarmingUp:
    """There is no answer yet: a clip has more frames than were seen.

    Attributes:
        missing: How many frames are still to come.
    """

    missing: int

    def as_json(self) -> dict[str, Any]:
        """Return what a line of a stream says in place of an answer."""
        return {"result": None, "warming_up": self.missing}


class Rolling:
    """A window over the frames of one film; used from one thread at a time.

    After T frames the answer is that for the clip of these T frames, and every further frame moves it on by
    one. What the network made of the earlier frames is kept, so a frame costs what a frame costs.
    """

    def __init__(self, predictor: Predictor) -> None:
        """Begin with no frame.

        Args:
            predictor: Of clips.

        Raises:
            UsageError: `other_task`: it answers for pictures.
        """
        clip = predictor.preprocess.clip
        if clip is None:
            raise UsageError("a recognizer of pictures has nothing to remember", code="other_task")
        self._predictor, self._frames = predictor, clip.frames
        self._window: Float32 | None = None
        self._seen = 0

    def reset(self) -> None:
        """Forget all frames: what comes next follows on nothing."""
        self._window, self._seen = None, 0

    def see(self, frame: UInt8 | bytes, source: str = "") -> tuple[Label | WarmingUp, UInt8]:
        """Take in the next frame.

        Args:
            frame: Pixels, uint8 (H, W) or (H, W, C), or the content of a picture file.
            source: What the answer says that it is for.

        Returns:
            The answer for the last T frames, or how many are missing; and the frame at model size.

        Raises:
            ImageError: It cannot be used; nothing has changed.
            BundleError: What the engine says is no probability.
        """
        preprocess = self._predictor.preprocess
        if isinstance(frame, bytes):
            pixels = decode(frame, preprocess.channels)
        else:
            pixels = RawPicture(picture(frame)).decode(preprocess.channels)
        image = preprocess.frame(pixels)
        answers = self._predictor.step(image[None, None], self._window)
        self._window = answers.window
        self._seen = min(self._seen + 1, self._frames)
        if self._seen < self._frames:
            return WarmingUp(self._frames - self._seen), image
        return self._predictor.decided(answers, source), image
