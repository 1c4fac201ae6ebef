"""Texts and an index: the encoder is in the file and checked as all of it is; what it cannot know is said."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foveal.bundle.embedder import Embedder
from foveal.core.errors import BundleError, DataError, UsageError
from foveal.search.file import PLAIN, WITH_TEXTS, Entry, IndexFile
from foveal.search.searcher import Searcher
from foveal.search.texts import MOST_LETTERS, asked

FIRST, SECOND = "a red circle left of a blue square", "a blue circle right of a red square"


@pytest.fixture
def made(both, tmp_path) -> Path:
    """Two "pictures" that lie where the vectors of two texts do, and one elsewhere."""
    vectors = [*both.texts.vectors([FIRST, SECOND]), -both.texts.vectors([FIRST])[0]]
    with IndexFile.create(tmp_path / "a.index", both) as index:
        index.add([Entry(f"{n:064x}", (f"{n}.png",), one, b"look") for n, one in enumerate(vectors)])
    return tmp_path / "a.index"


def test_it_is_read_as_it_was_written_and_finds_what_is_near(made, both) -> None:
    searcher = Searcher.open(made, often=False)

    assert searcher.embedder == both
    found = searcher.near_features(asked(searcher.embedder, f"  {SECOND.upper()}").vector, top=3)
    assert found[0].sources == ("1.png",)
    assert found[0].score == pytest.approx(1, abs=1e-6)
    assert found[2].sources == ("2.png",)


def test_the_digest_says_which_text_encoder(both, tmp_path) -> None:
    digests = []
    for name, one in (("a", both), ("b", replace(both, texts=None)), ("c", _longer(both))):
        with IndexFile.create(tmp_path / f"{name}.index", one) as index:
            digests.append(index.gallery().digest)

    assert len(set(digests)) == 3


def _longer(both: Embedder) -> Embedder:
    assert both.texts is not None
    return replace(both, texts=replace(both.texts, length=9))


def test_its_version_is_one_that_older_programs_refuse_and_without_texts_it_is_theirs(
    made, tmp_path, embedder
):
    with IndexFile.create(tmp_path / "plain.index", embedder):
        pass

    versions = [int.from_bytes(path.read_bytes()[60:64], "big") for path in (tmp_path / "plain.index", made)]
    assert versions == [PLAIN, WITH_TEXTS] == [1, 2]


@pytest.mark.parametrize("version", [PLAIN, 3])
def test_a_file_that_says_another_version_is_refused(made, version) -> None:
    content = bytearray(made.read_bytes())
    content[60:64] = version.to_bytes(4, "big")
    made.write_bytes(content)

    with pytest.raises(DataError, match=r"not what was written|version 3") as caught:
        IndexFile.open(made)
    assert caught.value.code == ("index_damaged" if version == PLAIN else "index_version")


@pytest.mark.parametrize("name", ["text_graph", "tokenizer", "text_length"])
def test_what_was_damaged_is_named_and_what_was_replaced_is_noticed(made, tmp_path, name) -> None:
    copy = tmp_path / "b.index"
    copy.write_bytes(made.read_bytes())
    with sqlite3.connect(copy) as damaged:
        value = bytearray(damaged.execute("SELECT value FROM about WHERE name=?", (name,)).fetchone()[0])
        value[-1] ^= 1
        damaged.execute("UPDATE about SET value=? WHERE name=?", (bytes(value), name))
    with pytest.raises(DataError, match=f"its {name} is not what was written"):
        IndexFile.open(copy)

    with IndexFile.open(made) as index:
        index.note(name, b"7")  # with a digest that is right
    with pytest.raises(DataError, match="what makes its features is not what was written"):
        IndexFile.open(made)


def test_a_graph_that_reaches_outside_is_not_run(both) -> None:
    assert both.texts is not None
    with pytest.raises(BundleError) as caught:
        asked(replace(both, texts=replace(both.texts, graph=b"no graph")), "a red circle")
    assert caught.value.code == "bad_graph"


def test_unknown_words_and_a_text_that_is_cut_are_told(both) -> None:
    plain, odd, long = (
        asked(both, text)
        for text in (
            "a red circle",
            "a crimson circle, crimson!",
            "a red circle left of a blue square, small",
        )
    )

    assert (plain.unknown, plain.cut, plain.warnings()) == ((), False, [])
    assert (odd.unknown, odd.cut) == (("crimson", "!"), True)  # unknown words are spelled, which takes room
    assert (long.unknown, long.cut) == ((), True)
    assert "'crimson', '!'" in odd.warnings()[0]
    assert "its end was not seen" in long.warnings()[0]
    assert odd.as_json() == {"unknown": ["crimson", "!"], "cut": True}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("crimson xyzzy", "no_known_word"),
        (",", "no_known_word"),
        ("!?", "no_known_word"),
        ("", "bad_text"),
        (" \n ", "bad_text"),
        ("red \udce4", "bad_text"),
        ("red " * (MOST_LETTERS // 4) + "r", "text_too_long"),
    ],
)
def test_what_means_nothing_is_refused(both, text, code) -> None:
    with pytest.raises(UsageError) as caught:
        asked(both, text)
    assert caught.value.code == code
    assert caught.value.hint


def test_an_index_of_pictures_alone_says_what_to_do(embedder) -> None:
    with pytest.raises(UsageError, match="cannot be asked with a text") as caught:
        asked(embedder, "a red circle")
    assert caught.value.code == "no_text"
    assert "--backbone" in str(caught.value.hint)


def test_the_longest_text_is_read(both) -> None:
    assert np.isfinite(asked(both, "red " * (MOST_LETTERS // 4)).vector).all()
