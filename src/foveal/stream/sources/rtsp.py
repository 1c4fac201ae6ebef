"""A network camera by RTSP over TCP: rtsp://host/path; needs the extra `video`."""

from collections.abc import Generator

from foveal.stream.address import address, shown
from foveal.stream.order import Order
from foveal.stream.shot import Running, Shot
from foveal.stream.sources._av import Pixels, decoded, opened

EXTRA = "video"
LIVE = True
LASTING = True


def is_meant(place: str) -> bool:
    """Return whether a text is such an address."""
    return place.lower().startswith("rtsp://")


def rtsp(order: Order, running: Running) -> Generator[Shot]:
    """Yield pictures as they come; captured is when the data for one came, as nobody says when it was taken.

    Raises:
        UsageError: It is no address.
        TemporaryError: `no_connection`: nobody answers, or no longer.
        DataError: `no_video`.
    """
    address(order.place)
    name = shown(order.place)
    options = {
        "rtsp_transport": "tcp",  # UDP loses packets, and lets anybody send some
        "protocol_whitelist": "rtsp,rtp,tcp",
        "timeout": str(round(order.timeout_s * 1e6)),
        "fflags": "nobuffer",
    }
    patience = (order.timeout_s, order.timeout_s)
    with opened(
        order.place, shown=name, live=True, format="rtsp", options=options, timeout=patience
    ) as container:
        pixels = Pixels()
        for frame, arrived in decoded(container, running, shown=name, patience_s=order.timeout_s):
            yield Shot(arrived, arrived, pixels.look(frame))
