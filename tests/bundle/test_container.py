"""bundle.container: one way to write, every other way refused, and ordinary tools can read it."""

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.bundle.container import is_ours, pack, unpack
from foveal.core.errors import BundleError

NAMES = ("a.txt", "b.bin", "c.txt")
MEMBERS = {"a.txt": b"first", "b.bin": bytes(range(256)), "c.txt": b""}


def zipped(members, **options) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=options.get("compression"))
    return file.getvalue()


@given(st.lists(st.binary(max_size=300), max_size=3))
def test_what_was_packed_is_unpacked(contents) -> None:
    members = dict(zip(NAMES, contents, strict=False))

    assert unpack(pack(members), known=NAMES) == members


def test_equal_members_give_equal_bytes() -> None:
    assert pack(MEMBERS) == pack({name: memoryview(data) for name, data in MEMBERS.items()})


def test_the_standard_library_reads_it() -> None:
    with zipfile.ZipFile(io.BytesIO(pack(MEMBERS))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(NAMES)
        assert {name: archive.read(name) for name in NAMES} == MEMBERS
        assert all(entry.date_time == (1980, 1, 1, 0, 0, 0) for entry in archive.infolist())


def test_every_flipped_bit_is_noticed() -> None:
    content = pack(MEMBERS)

    for position in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(BundleError, match="damaged or was changed"):
            unpack(bytes(damaged), known=NAMES)
        assert is_ours(bytes(damaged), first="a.txt"), "it is still called a damaged bundle, nothing else"


def test_every_cut_is_noticed() -> None:
    content = pack(MEMBERS)

    for length in range(len(content)):
        with pytest.raises(BundleError, match="damaged or was changed"):
            unpack(content[:length], known=NAMES)


@pytest.mark.parametrize("place", [0, 5, 40, -3, None], ids=["before", "header", "content", "end", "after"])
def test_every_added_byte_is_noticed(place) -> None:
    content = pack(MEMBERS)
    place = len(content) if place is None else place

    with pytest.raises(BundleError, match="damaged or was changed"):
        unpack(content[:place] + b"\0" + content[place:], known=NAMES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped([("../a.txt", b"x")]), r"member that no bundle has: '\.\./a\.txt'"),
        (zipped([("/a.txt", b"x")]), "member that no bundle has: '/a.txt'"),
        (zipped([("C:a.txt", b"x")]), "member that no bundle has: 'C:a.txt'"),
        (zipped([("A.TXT", b"x")]), "member that no bundle has: 'A.TXT'"),
        (zipped([("ä.txt", b"x")]), "member that no bundle has"),
        (zipped([("a.txt", b"x" * 999)], compression=zipfile.ZIP_DEFLATED), r"a\.txt is compressed"),
        (pack({"b.bin": b"", "a.txt": b""}), "in another order"),
        (zipped([("a.txt", b"x")]), r"does not match its checksum or its header"),
        (pack({})[:-1], "table of contents differs"),
    ],
)
def test_other_zips_are_refused(content, message) -> None:
    with pytest.raises(BundleError, match=message) as caught:
        unpack(content, known=NAMES)

    assert caught.value.code == "tampered"


def test_doubled_member_is_refused() -> None:
    one = pack({"a.txt": b"x"})
    end = one.index(b"PK\x01\x02")

    with pytest.raises(BundleError, match=r"a\.txt is there twice"):
        unpack(one[:end] + one, known=NAMES)


def test_table_of_contents_that_points_elsewhere_is_refused() -> None:
    content = bytearray(pack(MEMBERS))
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 42] = 0  # the last member now overlaps the first

    with pytest.raises(BundleError, match="table of contents differs"):
        unpack(bytes(content), known=NAMES)


def test_size_beyond_the_file_is_refused_without_taking_memory() -> None:
    content = bytearray(pack(MEMBERS))
    content[18:26] = b"\xff\xff\xff\x7f" * 2

    with pytest.raises(BundleError, match=r"cut short inside a\.txt"):
        unpack(bytes(content), known=NAMES)


@pytest.mark.parametrize("content", [b"", b"PK", zipped([("a.txt", b"x")]), b"\x80\x04K\x01."])
def test_files_of_others_are_not_taken_for_damaged_bundles(content) -> None:
    assert not is_ours(content, first="a.txt")
