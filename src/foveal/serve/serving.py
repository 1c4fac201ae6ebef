"""From bundles and an address to a server that runs until it is told to end."""

import os
from collections.abc import Callable, Sequence

from foveal.serve.settings import Settings


def serving(
    sources: Sequence[str],
    *,
    host: str,
    port: int,
    settings: Settings,
    tell: Callable[[str], None],
) -> int:
    """Serve, and return the exit code.

    Args:
        sources: Bundles; see `served.served`.
        host: Where to listen.
        port: 0 takes one that is free.
        settings: Limits.
        tell: Says something to the person.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: who has threads cannot fork
    from foveal.serve.served import served
    from foveal.serve.supervisor import Supervisor, listen

    listener = listen(host, port)
    models = served(sources, max_batch=settings.max_batch)
    bound = listener.getsockname()
    address = f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"
    supervisor = Supervisor(models, settings, listener)
    return supervisor.run(
        ready=lambda: tell(f"serving {', '.join(m.name for m in models)} on http://{address}")
    )
