"""The catalogue of bad inputs, rows 1 to 53: the library, a batch and a server say the same of every file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bad_inputs import CATALOGUE, Case
from bad_inputs.http import PICTURE, request
from foveal.bundle.predictor import Predictor, Unreadable
from foveal.core.errors import ImageError
from foveal.core.types import Label
from foveal.data.decode import decode
from live import Server, running

FILES = [row.number for row in CATALOGUE.values() if row.cases]


def cases(number: int) -> Iterator[Case]:
    made = CATALOGUE[number].cases
    assert made is not None
    yield from made()


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Server]:
    with running([bundle], workers=1) as shared:
        yield shared


def test_the_catalogue_has_the_rows_1_to_83_and_each_has_something_to_show() -> None:
    assert sorted(CATALOGUE) == list(range(1, 84))
    for number, row in CATALOGUE.items():
        assert row.number == number
        assert row.cases or row.talks or row.guarded or row.slowly or row.covered, row.name


def test_the_tests_that_the_catalogue_names_exist(project: Path) -> None:
    missing = []
    for row in CATALOGUE.values():
        for name in row.covered:
            path, _, test = name.partition("::")
            file = project / path
            if not file.parent.is_dir():  # a part of foveal that is not here (yet)
                continue
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            if not text or (test and f"def {test}(" not in text):
                missing.append(name)

    assert missing == []


def test_making_the_catalogue_twice_gives_the_same_bytes() -> None:
    for number in FILES:
        assert list(cases(number)) == list(cases(number)), CATALOGUE[number].name


@pytest.mark.parametrize("number", FILES)
def test_a_file_is_decoded_or_refused_with_its_code(number: int) -> None:
    for case in cases(number):
        for channels in (1, 3):
            code = None
            try:
                pixels = decode(case.content, channels)
            except ImageError as error:
                code = error.code
            else:
                assert pixels.dtype == np.uint8, case.name
                assert pixels.shape[2] == channels, case.name
            assert code in case.codes if case.codes else code is None, f"{case.name}: {code}"


@pytest.mark.parametrize("number", FILES)
def test_a_batch_goes_on_behind_a_bad_file_and_answers_the_good_ones_alike(number: int, bundle: Path) -> None:
    predictor = Predictor.open(bundle, threads=1)
    [alone] = predictor.predict([PICTURE])
    for case in cases(number):
        before, said, after = predictor.predict_each([PICTURE, case.content, PICTURE], workers=2)

        assert isinstance(before, Label)
        assert isinstance(after, Label)
        assert before.scores == after.scores == alone.scores, case.name
        if case.codes:
            assert isinstance(said, Unreadable), case.name
            assert said.error.code in case.codes
        else:
            assert isinstance(said, Label), case.name
            assert np.isfinite(list(said.scores.values())).all()
            assert sum(said.scores.values()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("number", FILES)
def test_a_server_says_the_same_and_answers_the_next_good_request_byte_for_byte(
    number: int, server: Server, bundle: Path
) -> None:
    good = server.say(request(PICTURE))
    assert good.status == 200
    for case in cases(number):
        reply = server.say(request(case.content, f"Content-Type: {case.kind}"))

        assert reply.status in case.statuses, f"{case.name}: {reply}"
        if case.codes:
            assert reply.headers["content-type"] == "application/problem+json"
            assert reply.json["code"] in case.codes, case.name
            assert "Traceback" not in reply.body.decode()
        else:
            [said] = reply.json["predictions"]
            [alone] = Predictor.open(bundle, threads=1).predict([case.content])
            assert said["scores"] == pytest.approx(alone.scores), case.name
        assert server.say(request(PICTURE)).body == good.body, f"after {case.name}"
