"""flows._prepare: a run folder that cannot be written is an error of writing."""

import pytest

from foveal.core.errors import WriteError
from foveal.core.progress import silent
from foveal.data import opening
from foveal.flows._prepare import Wishes, prepare


def test_a_run_folder_that_cannot_be_written_is_an_error_of_writing(colors, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(WriteError, match="cannot make"):
        prepare(opening.open(colors), tmp_path / "file", Wishes(16, 0, False, 1), progress=silent)
