"""The index as a file: what was written is what is read, whatever is killed or changed."""

import sqlite3

import numpy as np
import pytest

from foveal.core.errors import DataError, NotFoundError, TemporaryError, WriteError
from foveal.search.file import Entry, IndexFile, is_index

JPEG = b"\xff\xd8 a small copy"


def entry(number: int, *, names: tuple[str, ...] = ()) -> Entry:
    vector = np.arange(number, number + 7, dtype=np.float32)
    return Entry(f"{number:064x}", names or (f"{number}.jpg",), vector, JPEG + bytes([number % 256]))


@pytest.fixture
def made(embedder, tmp_path):
    path = tmp_path / "a.index"
    with IndexFile.create(path, embedder) as index:
        index.add([entry(number) for number in range(5)])
    return path


def test_what_was_added_is_read(made, embedder) -> None:
    with IndexFile.open(made) as index:
        gallery = index.gallery()

        assert index.embedder == embedder
        assert gallery.sources == tuple((f"{number}.jpg",) for number in range(5))
        assert gallery.contents == tuple(f"{number:064x}" for number in range(5))
        np.testing.assert_array_equal(gallery.vectors, [np.arange(n, n + 7) for n in range(5)])
        assert index.looks(gallery.ids) == [JPEG + bytes([n]) for n in range(5)]
    assert is_index(made)
    assert [path.name for path in made.parent.iterdir()] == ["a.index"]  # one file, no companions


def test_a_content_is_there_once_and_the_digest_follows_the_contents(made) -> None:
    with IndexFile.open(made) as index:
        before = index.gallery().digest
        index.add([entry(2)])
        assert index.gallery().digest == before
        index.add([entry(9)])
        assert index.gallery().digest != before
        index.rename(lambda _: {entry(9).content: ()})
        assert index.gallery().digest == before


def test_names_change_and_without_one_a_picture_is_forgotten_with_its_copy(made) -> None:
    with IndexFile.open(made) as index:
        index.rename(lambda _: {entry(1).content: ("new", "newer\udce4"), entry(3).content: ()})
        gallery = index.gallery()

        assert gallery.sources == (("0.jpg",), ("new", "newer\udce4"), ("2.jpg",), ("4.jpg",))
        np.testing.assert_array_equal(gallery.vectors[:, 0], [0, 1, 2, 4])
    with sqlite3.connect(made) as plain:
        assert plain.execute("SELECT count(*) FROM looks").fetchone() == (4,)


def test_a_batch_that_fails_leaves_nothing(made) -> None:
    bad = Entry("f" * 64, ("bad",), np.zeros(7, np.float32), look=None)  # type: ignore[arg-type]
    with IndexFile.open(made) as index:
        with pytest.raises((TypeError, DataError)):
            index.add([entry(7), bad])

        assert len(index.gallery()) == 5


def test_an_index_is_not_made_over_something(made, embedder, tmp_path) -> None:
    with pytest.raises(WriteError, match="is there already"):
        IndexFile.create(made, embedder)
    (tmp_path / "file").touch()
    with pytest.raises(WriteError):
        IndexFile.create(tmp_path / "file" / "a.index", embedder)


@pytest.mark.parametrize("place", ["vector", "name", "jpeg", "graph"])
def test_a_changed_byte_is_noticed(made, place) -> None:
    content = bytearray(made.read_bytes())
    looked_for = {
        "vector": np.arange(4, 11, dtype="<f4").tobytes(),
        "name": b'["4.jpg"]',
        "jpeg": JPEG + b"\x04",
        "graph": b"GlobalAveragePool",
    }[place]
    assert content.count(looked_for) == 1
    content[content.index(looked_for) + 3] ^= 1
    made.write_bytes(content)

    with pytest.raises(DataError, match="is damaged") as caught, IndexFile.open(made) as index:
        index.looks(index.gallery().ids)
    assert caught.value.code == "index_damaged"
    assert caught.value.path == str(made)


@pytest.mark.parametrize("share", [0.0001, 0.3, 0.6, 0.95])
def test_a_file_that_was_cut_is_damaged_or_none(made, share) -> None:
    content = made.read_bytes()
    made.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(DataError) as caught, IndexFile.open(made) as index:
        index.looks(index.gallery().ids)
    assert caught.value.code in ("index_damaged", "not_an_index")


def test_what_is_no_index_is_refused(tmp_path, made) -> None:
    with pytest.raises(NotFoundError, match="there is no"):
        IndexFile.open(tmp_path / "none.index")
    for name, content in (("empty", b""), ("text", b"hello" * 100), ("folder", None)):
        path = tmp_path / name
        path.mkdir() if content is None else path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            IndexFile.open(path)
        assert caught.value.code in ("not_an_index", "io_error")
        assert content is None or not is_index(path)
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE pictures (id)")
    with pytest.raises(DataError, match="is no index"):
        IndexFile.open(tmp_path / "other.sqlite")


def test_another_version_says_which(made) -> None:
    with sqlite3.connect(made) as plain:
        plain.execute("PRAGMA user_version=3")

    with pytest.raises(DataError, match="version 3; this foveal reads versions 1 and 2") as caught:
        IndexFile.open(made)
    assert caught.value.code == "index_version"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER more AFTER INSERT ON pictures BEGIN DELETE FROM looks; END",
        "CREATE VIEW seen AS SELECT 1",
        "DROP TABLE looks",
        "ALTER TABLE about ADD COLUMN more",
    ],
)
def test_a_database_with_other_tables_is_refused(made, statement) -> None:
    with sqlite3.connect(made) as plain:
        plain.execute(statement)

    with pytest.raises(DataError, match="tables are not those of an index"):
        IndexFile.open(made)


def test_another_embedder_than_was_sealed_is_noticed(made) -> None:
    """Whoever changes the preprocessing and its sum is still found out by the embedder's own digest."""
    from foveal.search import file

    with sqlite3.connect(made) as plain:
        value = plain.execute("SELECT value FROM about WHERE name='preprocess'").fetchone()[0]
        value = value.replace(b'"size":16', b'"size":17')
        digest = file._digest(b"preprocess", value)
        plain.execute("UPDATE about SET value=?, digest=? WHERE name='preprocess'", (value, digest))

    with pytest.raises(DataError, match="what makes its features"):
        IndexFile.open(made)


def test_a_second_writer_waits_and_then_says_so(made, monkeypatch) -> None:
    monkeypatch.setattr("foveal.search.file._WAIT_SECONDS", 0.1)
    with sqlite3.connect(made) as other, IndexFile.open(made) as index:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TemporaryError, match="being written"):
            index.add([entry(8)])
        assert len(index.gallery()) == 5  # reading goes on


def test_of_two_writers_none_takes_a_name_from_the_other(made) -> None:
    content = entry(1).content
    with IndexFile.open(made) as one, IndexFile.open(made) as other:
        assert other.sources()[content] == ("1.jpg",)
        one.rename(lambda now: {content: (*now[content], "one.jpg")})
        other.rename(lambda now: {content: (*now[content], "other.jpg")})
        assert one.add([entry(7)]) == 1
        assert other.add([entry(7, names=("copy.jpg",)), entry(8)]) == 1

        found = one.sources()
        assert found[content] == ("1.jpg", "one.jpg", "other.jpg")
        assert found[entry(7).content] == ("7.jpg", "copy.jpg")
        assert len(one.gallery()) == 7  # and every digest is right


def test_of_two_that_make_it_at_once_the_second_is_refused_and_the_first_keeps_all(
    embedder, tmp_path, monkeypatch
) -> None:
    path = tmp_path / "a.index"
    with IndexFile.create(path, embedder) as first:
        monkeypatch.setattr("foveal.core.files.is_there", lambda _: False)  # as it looked a moment before
        with pytest.raises(WriteError, match=r"cannot write .*a\.index"):
            IndexFile.create(path, embedder)
        monkeypatch.undo()
        first.add([entry(3)])
    with IndexFile.open(path) as index:
        assert len(index.gallery()) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["a.index"]


def test_a_text_that_is_no_utf_8_is_damage(made) -> None:
    content = made.read_bytes()
    made.write_bytes(content.replace(b'["4.jpg"]', b'["4.jp\xff"]'))

    with pytest.raises(DataError, match="is damaged") as caught, IndexFile.open(made) as index:
        index.gallery()
    assert caught.value.code == "index_damaged"


def test_a_full_disk_is_said_and_what_was_there_stays(made) -> None:
    with IndexFile.open(made) as index:
        pages = index._connection.execute("PRAGMA page_count").fetchone()[0]
        index._connection.execute(f"PRAGMA max_page_count={pages}")  # SQLite says the same as of a disk
        with pytest.raises(WriteError, match="full"):
            index.add([Entry(entry(7).content, ("7.jpg",), entry(7).vector, bytes(100_000))])
        assert len(index.gallery()) == 5
    with IndexFile.open(made) as index:
        assert len(index.gallery()) == 5


def test_what_is_noted_stays(made) -> None:
    with IndexFile.open(made) as index:
        assert index.noted("threshold") is None
        index.note("threshold", b"0.5")
    with IndexFile.open(made) as index:
        assert index.noted("threshold") == b"0.5"


WRITER = """
import sys, numpy as np
from pathlib import Path
from foveal.search.file import Entry, IndexFile
with IndexFile.open(Path(sys.argv[1])) as index:
    print("begun", flush=True)
    for batch in range(10**6):
        numbers = range(100 + batch * 50, 150 + batch * 50)
        vectors = [np.full(7, n, np.float32) for n in numbers]
        index.add([Entry(f"{int(v[0]):064x}", (f"{int(v[0])}.jpg",), v, bytes(3000)) for v in vectors])
"""


def test_a_writer_that_is_killed_loses_its_batch_at_most(made, kill_while_it_writes) -> None:
    kept = 0
    for moment in (0.0, 0.013, 0.04, 0.1, 0.17):
        kill_while_it_writes(WRITER, made, moment)

        with IndexFile.open(made) as index:
            gallery = index.gallery()
            looks = index.looks(gallery.ids)
        assert len(gallery) >= kept, "what was there before stays"
        assert (len(gallery) - 5) % 50 == 0, "a batch is there whole or not at all"
        assert gallery.sources[:5] == tuple((f"{number}.jpg",) for number in range(5))
        np.testing.assert_array_equal(gallery.vectors[5:, 3], np.arange(100, 95 + len(gallery)))
        assert len(looks) == len(gallery)
        kept = len(gallery)
    assert kept > 5, "some batches were written before the kill"
