"""What every test shares; fixtures of one folder live in that folder's own conftest.py."""

from pathlib import Path

import pytest
from hypothesis import settings

# A first call into torch takes a second; Hypothesis would call that a failure.
settings.register_profile("foveal", deadline=None, derandomize=True)
settings.load_profile("foveal")

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root folder."""
    return PROJECT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real image sets beside the project; absent on a user's machine."""
    folder = PROJECT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the image sets in ../shared/data, which are not part of the project")
    return folder


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the colour settings of the shell that runs the tests out of what commands print."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
