"""Which Ray cluster is meant, and whether it may be talked to; nothing here imports Ray."""

import os
import secrets
import socket
from pathlib import Path

from foveal.core.errors import TemporaryError, UsageError

_LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
_PATIENCE_S = 5.0  # for the head to answer at all: Ray itself tries for minutes
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nobody is told
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths mean the same as everywhere
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # or it warns, in every process
}


def chosen(address: str | None) -> str | None:
    """Return the address of the cluster to use, None for one of our own on this machine.

    Args:
        address: `HOST:PORT` of its head; None: what RAY_ADDRESS says.

    Raises:
        UsageError: No such address, or one elsewhere to whose cluster anybody may connect (`no_token`).
        TemporaryError: Nobody answers there (`no_cluster`).
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address in (None, "local"):
        return None
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError(
            f"{address!r} is no address of a Ray cluster", hint="name it as HOST:PORT, such as 10.0.0.5:6379"
        )
    if host not in _LOOPBACK and not _has_token():
        raise UsageError(
            f"the Ray cluster at {address} is not on this machine, and no token is used: anybody who reaches "
            "such a cluster may run programs in it",
            code="no_token",
            hint="start it with RAY_AUTH_MODE=token (see docs/cluster.md), and set RAY_AUTH_MODE=token and "
            "RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH here",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        raise TemporaryError(
            f"no Ray cluster answers at {address}: {error}",
            code="no_cluster",
            hint="is it started, and is that the address that ray start --head told?",
        ) from error
    return address


def _has_token() -> bool:
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        return False
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or path.is_file()


def prepare(*, own: bool) -> None:
    """Set what Ray reads from the environment; it has to be before Ray is imported for the first time.

    Args:
        own: For a cluster of ours: it listens on this machine only, and to nobody without its token, which
            is made here and is nowhere else.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if own:
        # What Ray does on other systems: all of it binds to 127.0.0.1. `_node_ip_address` is no way to get
        # that: Ray 2.60 takes another address of the machine instead, and listens on all of them.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
