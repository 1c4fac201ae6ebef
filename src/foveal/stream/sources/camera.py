"""A camera of this machine, by Video4Linux: /dev/video0 or camera:0; needs the extra `video`."""

import re
from collections.abc import Generator
from pathlib import Path

from foveal.core.errors import DeviceError
from foveal.stream.address import shown
from foveal.stream.options import SourceOptions
from foveal.stream.shot import Running, Shot
from foveal.stream.sources._av import Pixels, decoded, opened

EXTRA = "video"
LIVE = True
LASTING = True

_NAME = re.compile(r"(?:/dev/video|camera:)(\d{1,3})")


def is_meant(place: str) -> bool:
    """Return whether a text names a camera, or some other device."""
    return place.startswith(("camera:", "/dev/"))


def camera(options: SourceOptions, running: Running) -> Generator[Shot]:
    """Yield pictures as the camera takes them; captured is when its data came.

    Raises:
        DeviceError: There is no such camera.
        TemporaryError: `no_connection`: another program has it, or it was unplugged.
    """
    name = _NAME.fullmatch(options.place)
    if name is None:
        raise DeviceError(f"{shown(options.place)} is no camera", hint="camera:0 or /dev/video0")
    device = f"/dev/video{name[1]}"
    if not Path(device).exists():
        raise DeviceError(f"there is no camera {device}", hint="ls /dev/video* shows those that are there")
    with opened(device, shown=options.place, live=True, format="v4l2") as container:
        pixels = Pixels()
        for frame, arrived in decoded(container, running, shown=options.place, patience_s=options.timeout_s):
            yield Shot(arrived, arrived, pixels.look(frame))
