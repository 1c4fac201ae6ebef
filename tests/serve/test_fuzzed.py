"""A live server under requests made from its own description: nothing undocumented, no 5xx, no crash.

Minutes with `pytest -m slow`; FOVEAL_FUZZ_SECONDS=600 goes on for that long, for a night.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bad_inputs.http import PICTURE, request
from live import running

EXAMPLES = 100  # for each operation
NOT_MEANT = "positive_data_acceptance"  # bytes that fit `format: binary` are hardly ever a picture


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_live_server_answers_everything_as_it_is_described(seed: int, bundle: Path, tmp_path: Path) -> None:
    program = shutil.which("schemathesis")
    if program is None:
        pytest.skip("needs schemathesis on the path")
    seconds = os.environ.get("FOVEAL_FUZZ_SECONDS")
    bound = ["--max-time", seconds] if seconds else []
    with running([f"colors={bundle}"], workers=1) as server:
        good = server.say(request(PICTURE))
        command = [program, "run", f"{server.url}/openapi.json", "--seed", str(seed), *bound]
        command += ["--max-examples", str(EXAMPLES), "--exclude-checks", NOT_MEANT, "--no-color"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stdout[-5000:] + done.stderr
        assert "Unresolvable" not in done.stdout, done.stdout[-5000:]
        assert server.say(request(PICTURE)).body == good.body
