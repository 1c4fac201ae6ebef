"""data.archive: memory that a hostile archive asks for is refused before it is taken."""

import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from foveal.core.errors import DataError
from foveal.data.archive import ArchiveLimits, archive_tree


def zip_of(path: Path, count: int) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for number in range(count):
            file.writestr(f"cat/{number}.png", b"x")
    return path


def code_of(path: Path, **limits: int) -> str:
    with pytest.raises(DataError) as raised:
        archive_tree(path, limits=ArchiveLimits(**limits))
    return raised.value.code


def test_xz_takes_no_more_memory_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.xz"
    with tarfile.open(path, "w:xz") as file:
        file.addfile(tarfile.TarInfo("cat/1.png"))
    content = bytearray(path.read_bytes())
    assert content[14:16] == b"\x21\x01", "LZMA2 and one byte of properties"
    content[16] = 40  # a dictionary of 4 GiB
    content[20:24] = struct.pack("<I", zlib.crc32(content[12:20]))
    path.write_bytes(bytes(content))

    with pytest.raises(DataError, match="more than 268435456 bytes of memory to decompress") as raised:
        archive_tree(path)
    assert raised.value.code == "archive_limit"


def test_a_zips_table_of_contents_is_limited_before_it_is_read(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", 1000)

    assert len(archive_tree(path, limits=ArchiveLimits(index_bytes=2**16)).files) == 1000
    with pytest.raises(DataError, match="a table of contents of more than 50000 bytes") as raised:
        archive_tree(path, limits=ArchiveLimits(index_bytes=50_000))
    assert raised.value.code == "archive_limit"


def test_a_zips_members_are_counted_before_there_is_an_object_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zip_of(tmp_path / "a.zip", 1000)
    content = bytearray(path.read_bytes())
    struct.pack_into("<HH", content, content.rindex(b"PK\x05\x06") + 8, 1, 1)  # it says that there is one
    path.write_bytes(content)
    made: list[str] = []

    class Counted(zipfile.ZipInfo):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            made.append(name)

    monkeypatch.setattr(zipfile, "ZipInfo", Counted)

    assert code_of(path, members=999) == "archive_limit"
    assert made == []


def test_memory_is_only_taken_for_a_table_of_contents_that_is_there(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", 3)
    with path.open("ab") as file:  # behind the members: zip64 records that announce a table of 2 ** 62 bytes
        file.write(struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 3, 3, 2**62, 0))
        file.write(struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1))
        file.write(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 3, 3, 2**32 - 1, 2**32 - 1, 0))

    assert code_of(path) == "archive_corrupt"


def test_members_may_be_longer_than_the_table_of_contents(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("cat/1.png", bytes(10_000))

    assert archive_tree(path, limits=ArchiveLimits(index_bytes=500)).read("cat/1.png", at_most=10_000)


@pytest.mark.parametrize("kind", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_a_tar_says_about_one_member_is_limited(kind: int, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=kind) as file:
        for i in range(5):
            file.addfile(tarfile.TarInfo(f"cat/{i}{'x' * 3000}.png"))

    assert len(archive_tree(path, limits=ArchiveLimits(header_bytes=6000)).files) == 5
    with pytest.raises(DataError, match="more than 4000 bytes of header") as raised:
        archive_tree(path, limits=ArchiveLimits(header_bytes=4000))
    assert raised.value.code == "archive_limit"
    assert code_of(path, index_bytes=15_000) == "archive_limit"


def test_fields_that_hold_for_all_members_of_a_tar_are_limited(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    fields = {f"field {i}": "x" for i in range(101)}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, pax_headers=fields) as file:
        file.addfile(tarfile.TarInfo("cat/1.png"))

    assert code_of(path) == "archive_limit"
