"""data.archive: archives are read like folders, and refused where no honest archive would differ from one."""

import io
import lzma
import random
import stat
import struct
import tarfile
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from foveal.core.errors import DataError, ImageError, WriteError
from foveal.data import unpacking
from foveal.data.archive import ArchiveLimits, archive_tree, is_archive

NAMES = ("train/cat/1.png", "train/dog/2.png", "train/dog/deep/3.png")
CENTRAL, LOCAL = b"PK\x01\x02", b"PK\x03\x04"  # signatures of a zip's headers
TAR_MODES = ("w", "w:gz", "w:xz", "w:bz2")


def make_zip(path: Path, names: tuple[str, ...] = NAMES, **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as file:
        for name in names:
            file.writestr(name, f"content of {name}")
    return path


def make_tar(path: Path, mode: str = "w", names: tuple[str, ...] = NAMES) -> Path:
    with tarfile.open(path, mode) as file:
        for name in names:
            content = f"content of {name}".encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def odd_member(path: Path, change: Callable[[tarfile.TarInfo], None]) -> Path:
    with tarfile.open(path, "w") as file:
        member = tarfile.TarInfo("cat/1.png")
        change(member)
        file.addfile(member)
    return path


def overwrite(path: Path, after: bytes, offset: int, content: bytes) -> Path:
    """Overwrite what lies `offset` bytes behind the start of the last `after`."""
    whole = bytearray(path.read_bytes())
    place = whole.rindex(after) + offset
    whole[place : place + len(content)] = content
    path.write_bytes(bytes(whole))
    return path


def code_of(path: Path, **limits: int) -> str:
    with pytest.raises(DataError) as raised:
        archive_tree(path, limits=ArchiveLimits(**limits))
    assert raised.value.path == str(path)
    return raised.value.code


@pytest.mark.parametrize("mode", TAR_MODES)
def test_a_tar_is_read_like_a_folder(mode: str, tmp_path: Path) -> None:
    tree = archive_tree(make_tar(tmp_path / "data", mode))

    assert tree.kind == "tar"
    assert tuple(tree.files) == NAMES
    assert tree.folders == ("train", "train/cat", "train/dog", "train/dog/deep")
    assert tree.read(NAMES[2], at_most=100) == f"content of {NAMES[2]}".encode()
    assert tree.read(NAMES[0], at_most=3) == b"cont"
    assert list(tmp_path.iterdir()) == [tmp_path / "data"], "nothing is written beside it"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_read_like_a_folder(compression: int, tmp_path: Path) -> None:
    tree = archive_tree(make_zip(tmp_path / "data", compression=compression))

    assert tree.kind == "zip"
    assert tuple(tree.files) == NAMES
    assert tree.files[NAMES[0]] == len(f"content of {NAMES[0]}")
    assert tree.read(NAMES[1], at_most=100) == f"content of {NAMES[1]}".encode()
    assert tree.read(NAMES[1], at_most=3) == b"cont"


def test_a_tar_larger_than_memory_allows_goes_to_disk(tmp_path: Path) -> None:
    tree = archive_tree(make_tar(tmp_path / "data", "w:xz"), limits=ArchiveLimits(memory_bytes=100))

    assert tree.read(NAMES[0], at_most=100) == f"content of {NAMES[0]}".encode()


def test_a_full_disk_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(unpacking.tempfile, "SpooledTemporaryFile", lambda max_size: Full())

    with pytest.raises(WriteError, match="no room to decompress") as raised:
        archive_tree(make_tar(tmp_path / "data", "w:gz"))
    assert "TMPDIR" in (raised.value.hint or "")


def test_empty_folders_and_dots_in_names_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "data.tar"
    with tarfile.open(path, "w") as file:
        for name in (".", "./cat", "./dog"):
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE
            file.addfile(member)
        file.addfile(tarfile.TarInfo("./cat//1.png"))

    tree = archive_tree(path)

    assert tree.folders == ("cat", "dog")
    assert list(tree.files) == ["cat/1.png"]


def test_clutter_and_backslashes_of_other_systems_are_understood(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "data.zip", ("cat\\1.png", "__MACOSX/cat/._1.png", "cat/.DS_Store"))

    assert list(archive_tree(path).files) == ["cat/1.png"]


def test_threads_read_the_right_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hesitant(io.BytesIO):
        def seek(self, *place: int) -> int:
            reached = super().seek(*place)
            time.sleep(1e-5)  # now it is another thread's turn
            return reached

    monkeypatch.setattr(unpacking.tempfile, "SpooledTemporaryFile", lambda max_size: Hesitant())
    names = tuple(f"cat/{i}.png" for i in range(50))
    trees = [
        archive_tree(make_tar(tmp_path / "a.tar.gz", "w:gz", names)),
        archive_tree(make_zip(tmp_path / "a.zip", names)),
    ]
    wrong: list[str] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for tree in trees:
            wrong.extend(n for n in names if tree.read(n, at_most=100) != f"content of {n}".encode())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


UNSAFE = [
    "../1.png",
    "cat/../../1.png",
    "/etc/1.png",
    "C:/1.png",
    "c:1.png",
    "cat\\..\\..\\1.png",
    "\\\\host\\1.png",
]


@pytest.mark.parametrize("name", UNSAFE)
def test_names_that_lead_outside_are_refused_by_name(name: str, tmp_path: Path) -> None:
    for path in (
        make_tar(tmp_path / "a.tar", names=(*NAMES, name)),
        make_zip(tmp_path / "a.zip", (*NAMES, name)),
    ):
        with pytest.raises(DataError, match=r"member .* (points outside|absolute)") as raised:
            archive_tree(path)
        assert raised.value.code == "archive_unsafe"
        assert repr(name) in raised.value.message


def test_a_nul_in_a_name_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ("cat/1Xpng",))
    path.write_bytes(path.read_bytes().replace(b"cat/1Xpng", b"cat/1\0png"))

    with pytest.raises(DataError, match="NUL"):
        archive_tree(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["cat/1.png", "Cat/1.PNG", "./cat/1.png"])
def test_names_that_clash_are_refused(second: str, tmp_path: Path) -> None:
    for path in (
        make_tar(tmp_path / "a.tar", names=("cat/1.png", second)),
        make_zip(tmp_path / "a.zip", ("cat/1.png", second)),
    ):
        with pytest.raises(DataError, match=r"clashes with 'cat/1\.png'") as raised:
            archive_tree(path)
        assert raised.value.code == "archive_unsafe"


def test_a_name_that_is_file_and_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a file and a folder"):
        archive_tree(make_tar(tmp_path / "a.tar", names=("cat", "cat/1.png")))


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
        tarfile.GNUTYPE_SPARSE,
    ],
)
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, tmp_path: Path) -> None:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname = kind, "/etc/passwd"

    with pytest.raises(DataError, match=r"'cat/1.png' is a link, a device") as raised:
        archive_tree(odd_member(tmp_path / "a.tar", change))
    assert raised.value.code == "archive_unsafe"


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        member = zipfile.ZipInfo("cat/1.png")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(member, "/etc/passwd")

    with pytest.raises(DataError, match="is a link or a device"):
        archive_tree(path)


def test_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no name"):
        archive_tree(make_tar(tmp_path / "a.tar", names=("./.",)))


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ("cat/1.png",))
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, content.index(b"PK\x01\x02") + 8, 1)
    path.write_bytes(bytes(content))

    assert code_of(path) == "archive_encrypted"


def test_too_many_members_or_bytes_are_refused(tmp_path: Path) -> None:
    for path in (
        make_tar(tmp_path / "a.tar"),
        make_tar(tmp_path / "a.xz", "w:xz"),
        make_zip(tmp_path / "a.zip"),
    ):
        assert len(archive_tree(path, limits=ArchiveLimits(members=3)).files) == 3
        assert code_of(path, members=2) == "archive_limit"
        assert code_of(path, uncompressed_bytes=50) == "archive_limit"


def test_a_bomb_is_counted_while_it_unpacks_and_not_believed(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar.xz")
    path.write_bytes(lzma.compress(path.read_bytes() + bytes(2**22)))  # behind the last member

    assert path.stat().st_size < 10_000
    assert len(archive_tree(path).files) == 3
    assert code_of(path, uncompressed_bytes=2**20) == "archive_limit"


def test_a_zip_member_that_lies_about_its_length_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("cat/1.png", bytes(2**20))
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 10)
    path.write_bytes(bytes(content))

    with pytest.raises(ImageError, match=r"'cat/1.png' cannot be read") as raised:
        archive_tree(path).read("cat/1.png", at_most=2**21)
    assert raised.value.code == "corrupt"


def test_a_damaged_zip_member_is_corrupt(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[content.index(b"content of train/cat") + 3] ^= 255
    path.write_bytes(bytes(content))
    tree = archive_tree(path)

    with pytest.raises(ImageError, match="CRC"):
        tree.read(NAMES[0], at_most=100)
    assert tree.read(NAMES[1], at_most=100)


@pytest.mark.parametrize("mode", TAR_MODES)
def test_a_tar_cut_short_is_refused(mode: str, tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a", mode)
    whole = path.read_bytes()
    ends = [512, 700, 1024, 2048, 3072] if mode == "w" else [len(whole) // 2, len(whole) - 9]

    for end in ends:
        path.write_bytes(whole[:end])
        assert code_of(path) in ("archive_corrupt", "not_an_archive")


def test_a_damaged_header_in_the_middle_of_a_tar_is_not_its_end(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar")
    content = bytearray(path.read_bytes())
    content[1024 + 150] ^= 255
    path.write_bytes(bytes(content))

    assert code_of(path) == "archive_corrupt"


@pytest.mark.parametrize(
    "content", [b"", b"no archive at all" * 100, b"PK\x03\x04" + bytes(100), b"\x1f\x8b" + bytes(50)]
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(content)

    assert code_of(path) in ("not_an_archive", "archive_corrupt")


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    assert code_of(tmp_path / "gone.zip") == "io_error"


def test_archives_are_known_by_their_suffix() -> None:
    assert all(is_archive(Path(name)) for name in ("a.zip", "A.TAR", "a.tar.xz", "a.tgz", "a.tar.bz2"))
    assert not any(is_archive(Path(name)) for name in ("a.gz", "a.png", "zip"))


def test_nothing_is_ever_written_beside_or_above(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    make_tar(inner / "a.tar.gz", "w:gz", ("../escaped.png",))

    assert code_of(inner / "a.tar.gz") == "archive_unsafe"
    assert list(tmp_path.iterdir()) == [inner]


def test_a_zip_of_a_version_from_the_future_is_refused(tmp_path: Path) -> None:
    path = overwrite(make_zip(tmp_path / "a.zip"), CENTRAL, 6, struct.pack("<H", 99))

    with pytest.raises(DataError, match=r"is no readable zip: zip file version 9\.9") as raised:
        archive_tree(path)
    assert raised.value.code == "archive_corrupt"


@pytest.mark.parametrize(
    ("after", "offset", "content"),
    [
        (LOCAL, 30, b"\xff"),  # a name that is no UTF-8
        (CENTRAL, 10, struct.pack("<H", 99)),  # a method that nobody knows
        (CENTRAL, 42, struct.pack("<I", 2**31)),  # a place behind the end
    ],
)
def test_a_member_that_cannot_be_opened_is_one_unreadable_picture(
    after: bytes, offset: int, content: bytes, tmp_path: Path
) -> None:
    path = make_zip(tmp_path / "a.zip", ("cat/1.png", "cat/é.png"))
    tree = archive_tree(overwrite(path, after, offset, content))

    with pytest.raises(ImageError, match=r"'cat/é\.png' cannot be read") as raised:
        tree.read("cat/é.png", at_most=100)
    assert raised.value.code == "corrupt"
    assert tree.read("cat/1.png", at_most=100) == b"content of cat/1.png"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_of_another_method_is_unpacked_no_further_than_asked(method: int, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    noise = b"".join(bytes([value]) * 20 for value in random.Random(0).randbytes(250_000))
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("cat/1.png", noise)
    tree = archive_tree(path)
    tracemalloc.start()
    content = tree.read("cat/1.png", at_most=2**19)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert content == noise[: 2**19 + 1]
    assert most < 13 * 2**20, "of which LZMA's dictionary takes 8"


PAX_DAMAGE = {
    "sparse map": {"GNU.sparse.map": "x"},
    "sparse version": {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
    "negative length": {"size": "-5"},
}


@pytest.mark.parametrize("name", PAX_DAMAGE)
@pytest.mark.parametrize("place", ["first", "later"])
def test_a_bad_extended_header_is_no_readable_tar(name: str, place: str, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        if place == "later":
            file.addfile(tarfile.TarInfo("cat/0.png"))
        member = tarfile.TarInfo("cat/1.png")
        member.pax_headers = PAX_DAMAGE[name]
        file.addfile(member, io.BytesIO())

    with pytest.raises(DataError, match="is no readable tar") as raised:
        archive_tree(path)
    assert raised.value.code == ("not_an_archive" if place == "first" else "archive_corrupt")


def test_headers_nested_without_end_are_no_readable_tar(tmp_path: Path) -> None:
    link = tarfile.TarInfo("././@LongLink")
    link.type = tarfile.GNUTYPE_LONGNAME
    path = tmp_path / "a.tar"
    path.write_bytes(link.tobuf() * 1900)

    assert code_of(path) == "not_an_archive"


def test_a_tar_that_can_no_longer_be_read_is_an_unreadable_picture(tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def read(self, *_: int) -> bytes:
            raise OSError(5, "Input/output error")

    tree = archive_tree(make_tar(tmp_path / "a.tar"))
    shared = next(cell.cell_contents for cell in tree.fetch.__closure__ if hasattr(cell.cell_contents, "at"))
    shared.file.close()
    shared.file = Failing()

    with pytest.raises(ImageError, match=r"cat/1\.png' cannot be read: Input/output error") as raised:
        tree.read(NAMES[0], at_most=100)
    assert raised.value.code == "io_error"


def test_an_xz_of_several_streams_is_read_whole(tmp_path: Path) -> None:
    plain = make_tar(tmp_path / "a.tar").read_bytes()
    path = tmp_path / "a.tar.xz"
    streams = lzma.compress(plain[:700]) + bytes(2**20 + 8) + lzma.compress(plain[700:]) + bytes(4)

    path.write_bytes(streams)
    assert tuple(archive_tree(path).files) == NAMES
    path.write_bytes(streams + b"something else")
    assert code_of(path) == "archive_corrupt"


def test_few_bytes_of_bz2_that_unpack_to_very_many_take_no_more_memory_than_was_asked_for(
    tmp_path: Path,
) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("a/1.png", bytes(2**26))
        file.writestr("a/2.png", bytes(range(256)) * 40)
    tree = archive_tree(tmp_path / "bomb.zip")

    tracemalloc.start()
    found = tree.read("a/1.png", at_most=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found == bytes(1001)
    assert peak < 2**22
    assert tree.read("a/2.png", at_most=2**20) == bytes(range(256)) * 40
    assert tree.read("a/2.png", at_most=9999) == (bytes(range(256)) * 40)[:10_000]


def test_a_damaged_bz2_member_is_one_picture_that_cannot_be_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("a/1.png", bytes(range(256)) * 40)
    whole = (tmp_path / "a.zip").read_bytes()
    start = whole.index(b"BZh")
    checksum = whole.rindex(b"PK\x01\x02") + 16
    for place in (start + 30, checksum):
        (tmp_path / "a.zip").write_bytes(whole[:place] + b"\x99\x99" + whole[place + 2 :])

        with pytest.raises(ImageError, match="cannot be read"):
            archive_tree(tmp_path / "a.zip").read("a/1.png", at_most=2**20)
