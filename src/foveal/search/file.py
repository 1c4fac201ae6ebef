"""An index as one file: what turns pictures into features, and the features of pictures with their names.

The file is a SQLite database with a rollback journal: a batch is in it whole or not at all, whatever is
killed. What is read is checked against the sha256 beside it, and the tables against those we make, so that
nothing else than an index is ever taken for one.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from foveal.bundle.embedder import Embedder
from foveal.bundle.session import Float32
from foveal.bundle.text_embedder import TextEmbedder
from foveal.core import files
from foveal.core.errors import DataError, FovealError, NotFoundError, TemporaryError, WriteError
from foveal.data.preprocess import Preprocess
from foveal.data.texts.stored import tokenizer_in, written

SUFFIX = ".index"
PLAIN, WITH_TEXTS = 1, 2  # versions: who does not know of text encoders refuses the second
_MAGIC = b"SQLite format 3\x00"
_APPLICATION = 0x666F7669  # "fovi": what SQLite keeps for whose file it is
_PAGE_BYTES = 16_384  # a vector of 1,280 numbers has 5 kB: a row should not need pages of its own
_WAIT_SECONDS = 10.0  # for another process that writes
Names = tuple[str, ...]
_TABLES = {
    "about": "CREATE TABLE about (name TEXT PRIMARY KEY, value BLOB NOT NULL, digest BLOB NOT NULL)",
    "pictures": "CREATE TABLE pictures (id INTEGER PRIMARY KEY, content TEXT NOT NULL UNIQUE, "
    "sources TEXT NOT NULL, vector BLOB NOT NULL, digest BLOB NOT NULL)",
    "looks": "CREATE TABLE looks (id INTEGER PRIMARY KEY, jpeg BLOB NOT NULL, digest BLOB NOT NULL)",
}


@dataclass(frozen=True)
class Entry:
    """A picture of an index.

    Attributes:
        content: The sha256 of its stored bytes.
        sources: What it is called; several where copies are there to the last byte.
        vector: What the embedder makes of it, float32 (D,), of any length.
        look: A small JPEG of it, for people.
    """

    content: str
    sources: tuple[str, ...]
    vector: Float32 = field(repr=False)
    look: bytes = field(repr=False)


@dataclass(frozen=True)
class Gallery:
    """All pictures of an index, in the order in which they came.

    Attributes:
        ids: Of each in the file.
        contents: The sha256 of each one's stored bytes.
        sources: What each is called.
        vectors: float32 (N, D), as the embedder made them.
        digest: The sha256 over all of that and over the embedder.
    """

    ids: tuple[int, ...] = field(repr=False)
    contents: tuple[str, ...] = field(repr=False)
    sources: tuple[tuple[str, ...], ...] = field(repr=False)
    vectors: Float32 = field(repr=False)
    digest: str

    def __len__(self) -> int:
        return len(self.ids)


class IndexFile:
    """An open index; `create` makes one, `open` opens one. It is a context, and closed at its end."""

    def __init__(self, path: Path, connection: sqlite3.Connection, embedder: Embedder) -> None:
        """Hold an open database."""
        self.path, self._connection, self.embedder = path, connection, embedder

    @classmethod
    def create(
        cls, path: Path, embedder: Embedder, *, notes: Mapping[str, bytes] | None = None, force: bool = False
    ) -> "IndexFile":
        """Make a new index without pictures, and open it; it is there whole or not at all.

        Args:
            path: Where.
            embedder: What makes its features.
            notes: What is kept about the whole index; see `note`.
            force: Replace the file that is there.

        Raises:
            WriteError: `would_overwrite`: something is there; or the folder cannot be written to.
        """
        if files.is_there(path) and not force:
            raise WriteError(
                f"{path} is there already", code="would_overwrite", hint="add --force", path=path
            )
        about = {
            "graph": embedder.graph,
            "preprocess": embedder.preprocess.model_dump_json().encode(),
            "dimensions": str(embedder.dimensions).encode(),
            "source": embedder.source.encode(),
            "license": json.dumps(embedder.license).encode(),
            "embedder": embedder.digest.encode(),
            **_texts_of(embedder),
            **(notes or {}),
        }
        with contextlib.closing(sqlite3.connect(":memory:")) as made:
            made.execute(f"PRAGMA page_size={_PAGE_BYTES}")
            made.execute(f"PRAGMA application_id={_APPLICATION}")
            made.execute(f"PRAGMA user_version={PLAIN if embedder.texts is None else WITH_TEXTS}")
            for statement in _TABLES.values():
                made.execute(statement)
            rows = [(name, value, _digest(name.encode(), value)) for name, value in about.items()]
            made.executemany("INSERT INTO about VALUES (?, ?, ?)", rows)
            made.commit()
            content = made.serialize()
        files.make_folder(path.parent)
        files.write_bytes(path, content, new=not force)  # never over what another process has begun
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> "IndexFile":
        """Open an index; what an earlier process had not finished writing is taken back.

        Raises:
            NotFoundError: There is no such file.
            DataError: `not_an_index`, `index_version`, `index_damaged`.
            BundleError: Its graph is none that we would run.
        """
        if not files.is_there(path):
            hint = "foveal search index DIR --out F.index makes one"
            raise NotFoundError(f"there is no {path}", hint=hint, path=path)
        version = _version(path)
        connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            with _read(path):
                _check_tables(path, connection)
                about = _about(path, connection)
            return cls(path, connection, _embedder(path, about, with_texts=version == WITH_TEXTS))
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> "IndexFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def sources(self) -> dict[str, Names]:
        """Return what each picture is called, by the sha256 of its stored bytes."""
        with _read(self.path):
            return _sources(self._connection)

    def gallery(self) -> Gallery:
        """Read all pictures, and check each of them.

        Raises:
            DataError: `index_damaged`.
        """
        dimensions = self.embedder.dimensions
        ids, contents, sources, digests, parts = [], [], [], [], []
        with _read(self.path):
            statement = "SELECT id, content, sources, vector, digest FROM pictures ORDER BY id"
            for number, content, names, vector, digest in self._connection.execute(statement):
                if len(vector) != 4 * dimensions or digest != _row_digest(content, names, vector):
                    raise damaged(self.path, f"picture {number} is not what was written")
                ids.append(number)
                contents.append(content)
                sources.append(tuple(json.loads(names)))
                digests.append(digest)
                parts.append(vector)
        vectors = np.frombuffer(b"".join(parts), "<f4").reshape(len(ids), dimensions)
        whole = _digest(self.embedder.digest.encode(), *sorted(digests)).hex()
        return Gallery(tuple(ids), tuple(contents), tuple(sources), vectors, whole)

    def looks(self, ids: Sequence[int]) -> list[bytes]:
        """Return the small JPEG of each of some pictures.

        Raises:
            DataError: `index_damaged`.
        """
        found = []
        with _read(self.path):
            for number in ids:
                row = self._connection.execute(
                    "SELECT jpeg, digest FROM looks WHERE id=?", (number,)
                ).fetchone()
                if row is None or row[1] != _digest(row[0]):
                    raise damaged(self.path, f"the small copy of picture {number} is not what was written")
                found.append(row[0])
        return found

    def add(self, entries: Sequence[Entry]) -> int:
        """Add pictures, all or none, and return how many are new; of contents that are there the names are.

        Raises:
            WriteError, TemporaryError: The file cannot be written now.
        """
        new = 0
        with self._writing() as write:
            for entry in entries:
                vector = np.ascontiguousarray(entry.vector, "<f4").tobytes()
                names = _names(entry.sources)
                digest = _row_digest(entry.content, names, vector)
                added = write.execute(
                    "INSERT OR IGNORE INTO pictures (content, sources, vector, digest) VALUES (?, ?, ?, ?)",
                    (entry.content, names, vector, digest),
                )
                if added.rowcount:
                    new += 1
                    look = (added.lastrowid, entry.look, _digest(entry.look))
                    write.execute("INSERT OR REPLACE INTO looks VALUES (?, ?, ?)", look)
                else:
                    where = "SELECT sources FROM pictures WHERE content=?"
                    known = json.loads(write.execute(where, (entry.content,)).fetchone()[0])
                    _rename(write, entry.content, tuple(dict.fromkeys([*known, *entry.sources])))
        return new

    def rename(self, change: Callable[[dict[str, Names]], Mapping[str, Names]]) -> Mapping[str, Names]:
        """Change what pictures are called, all or none; those without a name are forgotten.

        Args:
            change: Returns the new names of pictures by the sha256 of their stored bytes. It is given what
                all are called, and until it is done no other process changes that.

        Returns:
            What `change` returned.

        Raises:
            WriteError, TemporaryError: The file cannot be written now.
        """
        with self._writing() as write:
            with _read(self.path):
                before = _sources(write)
            changed = change(before)
            for content, names in changed.items():
                _rename(write, content, names)
        return changed

    def note(self, name: str, value: bytes) -> None:
        """Keep something about the whole index under a name; what was there is replaced."""
        with self._writing() as write:
            row = (name, value, _digest(name.encode(), value))
            write.execute("INSERT OR REPLACE INTO about VALUES (?, ?, ?)", row)

    def noted(self, name: str) -> bytes | None:
        """Return what is kept under a name, or None."""
        with _read(self.path):
            return _about(self.path, self._connection).get(name)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _told(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell
                    self._connection.execute("ROLLBACK")
                raise


def is_index(path: Path) -> bool:
    """Return whether a file says of itself that it is an index; it may still be damaged."""
    return path.is_file() and _head(path)[68:72] == _APPLICATION.to_bytes(4, "big")


def damaged(path: Path, what: str) -> DataError:
    """Return the error of an index that is not what was written."""
    hint = "make it anew, or take a copy from before"
    return DataError(f"{path} is damaged: {what}", code="index_damaged", hint=hint, path=path)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(100)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", code="io_error", path=path) from error


def _version(path: Path) -> int:
    """Look at the first bytes, where SQLite keeps whose file it is, before it sees any of it."""
    head = _head(path)
    if not (head.startswith(_MAGIC) and head[68:72] == _APPLICATION.to_bytes(4, "big")):
        hint = "foveal search index DIR --out F.index makes one"
        raise DataError(f"{path} is no index", code="not_an_index", hint=hint, path=path)
    version = int.from_bytes(head[60:64], "big")
    if version not in (PLAIN, WITH_TEXTS):
        raise DataError(
            f"{path} is an index of version {version}; this foveal reads versions {PLAIN} and {WITH_TEXTS}",
            code="index_version",
            hint="make it anew with this foveal, or read it with the one that made it",
            path=path,
        )
    return version


def _check_tables(path: Path, connection: sqlite3.Connection) -> None:
    """Refuse a database that has more than our tables, such as a trigger, or others."""
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA cell_size_check=ON")
    connection.execute("PRAGMA synchronous=FULL")
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    if dict(rows) != _TABLES:
        raise damaged(path, "its tables are not those of an index")


def _sources(connection: sqlite3.Connection) -> dict[str, Names]:
    rows = connection.execute("SELECT content, sources FROM pictures ORDER BY id").fetchall()
    return {content: tuple(json.loads(sources)) for content, sources in rows}


def _rename(write: sqlite3.Connection, content: str, names: Names) -> None:
    """Change what a picture is called, inside a transaction; without a name it is forgotten."""
    found = write.execute("SELECT id, vector FROM pictures WHERE content=?", (content,)).fetchall()
    for number, vector in found:
        if names:
            told = _names(names)
            row = (told, _row_digest(content, told, vector), number)
            write.execute("UPDATE pictures SET sources=?, digest=? WHERE id=?", row)
        else:
            write.execute("DELETE FROM pictures WHERE id=?", (number,))
            write.execute("DELETE FROM looks WHERE id=?", (number,))


def _about(path: Path, connection: sqlite3.Connection) -> dict[str, bytes]:
    about = {}
    for name, value, digest in connection.execute("SELECT name, value, digest FROM about"):
        if digest != _digest(name.encode(), value):
            raise damaged(path, f"its {name} is not what was written")
        about[name] = value
    return about


def _texts_of(embedder: Embedder) -> dict[str, bytes]:
    texts = embedder.texts
    if texts is None:
        return {}
    return {
        "text_graph": texts.graph,
        "tokenizer": written(texts.tokenizer),
        "text_length": str(texts.length).encode(),
    }


def _embedder(path: Path, about: Mapping[str, bytes], *, with_texts: bool) -> Embedder:
    try:
        dimensions, texts = int(about["dimensions"]), None
        if with_texts:
            tokenizer = tokenizer_in(json.loads(about["tokenizer"]))
            texts = TextEmbedder(about["text_graph"], tokenizer, int(about["text_length"]), dimensions)
        embedder = Embedder(
            about["graph"],
            Preprocess.model_validate_json(about["preprocess"]),
            dimensions,
            about["source"].decode(),
            json.loads(about["license"]),
            texts,
        )
        expected = about["embedder"].decode()
    except (LookupError, ValueError, TypeError, AttributeError, ValidationError) as error:
        raise damaged(path, "what makes its features is not what was written") from error
    if embedder.digest != expected:
        raise damaged(path, "what makes its features is not what was written")
    return embedder


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say what SQLite has to complain about in the terms of a user."""
    try:
        yield
    except sqlite3.OperationalError as error:
        number = getattr(error, "sqlite_errorcode", None)
        if number is None:  # not SQLite's: Python's own, of a text that is no UTF-8
            raise damaged(path, str(error)) from error
        if number & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise TemporaryError(f"{path} is being written by another process") from error
        raise WriteError(f"cannot write {path}: {error}", path=path) from error
    except sqlite3.DatabaseError as error:
        raise damaged(path, str(error)) from error


@contextlib.contextmanager
def _read(path: Path) -> Iterator[None]:
    """Say so where what is read cannot be understood."""
    try:
        with _told(path):
            yield
    except FovealError:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise damaged(path, str(error)) from error


def _names(sources: Sequence[str]) -> str:
    return json.dumps(list(sources))  # ASCII: a name may hold what is no UTF-8


def _row_digest(content: str, names: str, vector: bytes) -> bytes:
    return _digest(content.encode(), names.encode(), vector)


def _digest(*parts: bytes) -> bytes:
    """Return the sha256 over parts, which their lengths keep apart."""
    together = hashlib.sha256()
    for part in parts:
        together.update(len(part).to_bytes(8, "little"))
        together.update(part)
    return together.digest()
