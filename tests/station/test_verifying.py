"""A log is verified: any change is found, where it is, and a missing end by a hash that was kept."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.core.errors import NotFoundError
from foveal.station import record as record_module
from foveal.station.log import AuditLog
from foveal.station.reading import files_of
from foveal.station.verifying import verify


@pytest.fixture(scope="module")
def kept(tmp_path_factory, decision):
    """A log of nine records in several files, its lines and the hash of each."""
    folder = tmp_path_factory.mktemp("kept") / "log"
    with AuditLog(folder, most_bytes=1600) as log:
        records = [
            one
            for part in (range(3), range(3, 7), range(7, 9))
            for one in log.append(list(map(decision, part)))
        ]
    lines = {path.name: path.read_bytes().splitlines(keepends=True) for path in files_of(folder)}
    assert len(lines) > 1
    return folder, lines, [record["hash"] for record in records]


@pytest.fixture
def copy(tmp_path):
    """Write lines as a log."""

    def make(lines, name="log"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for file, content in lines.items():
            (folder / file).write_bytes(b"".join(content))
        return folder

    return make


def test_a_whole_log_is_counted_by_verdict_and_reason(kept) -> None:
    folder, _, hashes = kept

    found = verify(folder, head=hashes[4])

    assert (found.records, found.head, found.head_at, found.broken) == (9, hashes[-1], 5, None)
    assert dict(found.verdicts) == {"accept": 3, "reject": 3, "review": 3}
    assert dict(found.reasons) == {"unsure": 3}
    assert found.first <= found.last


def flat(lines):
    return [(file, place) for file, some in lines.items() for place in range(len(some))]


@pytest.mark.parametrize("what", ["removed", "doubled", "swapped", "relabelled", "rehashed", "spaced"])
def test_every_change_of_a_record_is_found_where_it_is(kept, copy, what) -> None:
    _, lines, _ = kept
    for n, (file, place) in enumerate(flat(lines)[:-1], 1):
        changed = {name: list(some) for name, some in lines.items()}
        some, line = changed[file], changed[file][place]
        if what == "removed":
            del some[place]
        elif what == "doubled":
            some.insert(place, line)
        elif what == "swapped":
            if place + 1 == len(some):
                continue
            some[place : place + 2] = some[place + 1], some[place]
        elif what == "spaced":
            some[place] = line.replace(b'":', b'": ', 1)
        else:
            told = {**json.loads(line), "verdict": "accept", "score": -1.0}
            if what == "rehashed":  # by somebody who knows how, and leaves the rest as it is
                told["hash"] = record_module.hash_of(told)
            some[place] = record_module.canonical(told) + b"\n"

        found = verify(copy(changed))

        at = n + 1 if what in ("doubled", "rehashed") else n
        assert found.broken is not None, (what, n)
        assert found.broken.n == at
        assert found.records == at - 1


@settings(max_examples=60)
@given(st.data())
def test_no_byte_can_be_changed_unnoticed(kept, data) -> None:
    folder, lines, hashes = kept
    folder = folder.with_name("flipped")
    folder.mkdir(exist_ok=True)
    file = data.draw(st.sampled_from(sorted(lines)))
    content = bytearray(b"".join(lines[file]))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    for name, some in lines.items():
        (folder / name).write_bytes(bytes(content) if name == file else b"".join(some))

    found = verify(folder, head=hashes[-1])

    assert found.broken is not None or (found.torn_bytes and found.head_at is None)


def test_without_the_hash_a_change_would_not_be_found(kept, copy, monkeypatch) -> None:
    _, lines, _ = kept
    changed = {
        name: [line.replace(b'"reject"', b'"accept"') for line in some] for name, some in lines.items()
    }
    folder = copy(changed)
    assert verify(folder).broken is not None

    monkeypatch.setattr(record_module, "hash_of", lambda record: record["hash"])

    assert verify(folder).broken is None


def test_a_missing_end_is_found_by_the_hash_alone(kept, copy) -> None:
    _, lines, hashes = kept
    file = sorted(lines)[-1]
    short = copy({**lines, file: lines[file][:-1]})

    assert verify(short).broken is None
    assert verify(short, head=hashes[-1]).head_at is None
    assert verify(short, head=hashes[-2]).head_at == 8


def test_a_missing_file_is_found(kept, copy) -> None:
    _, lines, _ = kept
    names = sorted(lines)
    for name in names[:-1]:
        found = verify(copy({other: lines[other] for other in names if other != name}, name=f"no-{name}"))
        assert found.broken is not None
        assert found.broken.why == "gap"


def test_where_nothing_is_there_is_no_log(tmp_path) -> None:
    with pytest.raises(NotFoundError):
        verify(tmp_path / "none")
