"""A network camera by RTSP over TCP: rtsp://host/path; needs the extra `video`."""

from collections.abc import Generator

from foveal.stream.address import address, shown
from foveal.stream.options import SourceOptions
from foveal.stream.shot import Running, Shot
from foveal.stream.sources._av import Pixels, decoded, opened

EXTRA = "video"
LIVE = True
LASTING = True


def is_meant(place: str) -> bool:
    """Return whether a text is such an address."""
    return place.lower().startswith("rtsp://")


def rtsp(options: SourceOptions, running: Running) -> Generator[Shot]:
    """Yield pictures as they come; captured is when the data for one came, as nobody says when it was taken.

    Raises:
        UsageError: It is no address.
        TemporaryError: `no_connection`: nobody answers, or no longer.
        DataError: `no_video`.
    """
    address(options.place)
    name = shown(options.place)
    ffmpeg = {
        "rtsp_transport": "tcp",  # UDP loses packets, and lets anybody send some
        "protocol_whitelist": "rtsp,rtp,tcp",
        "timeout": str(round(options.timeout_s * 1e6)),
        "fflags": "nobuffer",
    }
    patience = (options.timeout_s, options.timeout_s)
    with opened(
        options.place, shown=name, live=True, format="rtsp", options=ffmpeg, timeout=patience
    ) as container:
        pixels = Pixels()
        for frame, arrived in decoded(container, running, shown=name, patience_s=options.timeout_s):
            yield Shot(arrived, arrived, pixels.look(frame))
