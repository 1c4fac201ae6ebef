"""bundle.engines: no engine reports to its maker, opens a file for writing, or leaves one behind."""

import json
import os
import subprocess
import sys

import pytest

from foveal.bundle import engines
from foveal.core import catalog

# Notes what Python connects to, opens for writing or makes, and which sockets are open at the end: of native
# code, these and the files in the home folder are what shows.
_WATCHED = """
import json, os, sys

noted = []

def watch(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__":
        noted.append(event)
    if event == "open" and any(letter in str(arguments[1] or "r") for letter in "wax+"):
        noted.append(f"opened {arguments[0]}")
    if event in ("os.mkdir", "os.rename", "subprocess.Popen"):
        noted.append(f"{event} {arguments[0]}")

sys.addaudithook(watch)
sys.dont_write_bytecode = True
import numpy as np
from foveal.bundle.trial import MODEL
from foveal.bundle.ways import Way
Way(sys.argv[1], "fp32", 1).load(MODEL).run(np.zeros((3, 4, 4, 3), np.uint8))
handles = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
links = [os.readlink(handle) for handle in handles if os.path.lexists(handle)]
noted += [link for link in links if link.startswith("socket:")]
print(json.dumps([noted, "openvino_telemetry.main" in sys.modules]))
"""


def watched(code: str, name: str, home) -> tuple[list[str], bool]:
    """Return what was noted of an engine in a process whose home is an empty folder."""
    kept = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, name]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=home)
    assert told.returncode == 0, told.stderr
    noted, reporter = json.loads(told.stdout.splitlines()[-1])
    return noted, reporter


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("name", catalog.names(engines))
def test_an_engine_connects_to_nothing_and_writes_nothing(name, tmp_path):
    noted, reporter = watched(_WATCHED, name, tmp_path)

    assert noted == []
    assert not reporter
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_watch_would_see_it(tmp_path):
    noise = "import socket\nopen('x', 'w')\nkept = socket.socket()\nkept.connect_ex(('127.0.0.1', 9))\n"
    noisy = _WATCHED.replace("import numpy as np\n", f"{noise}import numpy as np\n")

    noted, _ = watched(noisy, "onnxruntime", tmp_path)

    assert noted[:2] == ["opened x", "socket.connect"]
    assert noted[2].startswith("socket:")
