"""The audit log: what was promised is there, whatever happens; what was changed is not gone on with."""

import json
import os
import random

import pytest

from foveal.core.errors import DataError, TemporaryError, WriteError
from foveal.station import log as log_module
from foveal.station.log import AuditLog
from foveal.station.reading import Reading, Tail, files_of
from foveal.station.sender import Cursor
from foveal.station.verifying import verify


def read(folder):
    reading = Reading(folder)
    records = list(reading.records())
    return records, reading


def written(folder, decision, groups, **options):
    """Write groups of decisions, and return their records."""
    with AuditLog(folder, **options) as log:
        number, records = log.n, []
        for size in groups:
            records += log.append([decision(number + step) for step in range(size)])
            number += size
    return records


def test_records_chain_over_runs_and_files(tmp_path, decision, checker) -> None:
    first = written(tmp_path / "log", decision, [1, 3], most_bytes=1500)
    second = written(tmp_path / "log", decision, [2, 1, 5, 1], most_bytes=1500)

    records, reading = read(tmp_path / "log")
    assert records == first + second
    assert [record["n"] for record in records] == list(range(1, 14))
    assert (reading.broken, reading.torn_bytes) == (None, 0)
    assert len(files_of(tmp_path / "log")) > 2
    assert checker.records_of(tmp_path / "log") == (records, [])
    assert records[4]["source"] == "/parts/4.png"
    assert records[4]["kinds"] == ["short"]


def test_a_file_ends_with_its_day(tmp_path, decision, monkeypatch) -> None:
    days = iter(["2026-11-30", "2026-11-30", "2026-12-01", "2026-12-01"])

    class Clock(log_module.datetime):
        @classmethod
        def now(cls, zone):
            return cls.fromisoformat(f"{next(days)}T23:59:59+00:00")

    monkeypatch.setattr(log_module, "datetime", Clock)
    written(tmp_path / "log", decision, [1, 1, 1, 1])

    names = [path.name for path in files_of(tmp_path / "log")]
    assert names == ["audit-000001-20261130.jsonl", "audit-000002-20261201.jsonl"]
    assert read(tmp_path / "log")[1].broken is None


def test_one_process_writes_and_others_may_read(tmp_path, decision) -> None:
    with AuditLog(tmp_path / "log") as log:
        log.append([decision(1)])
        with pytest.raises(TemporaryError) as caught:
            AuditLog(tmp_path / "log")
        assert len(read(tmp_path / "log")[0]) == 1

    assert caught.value.exit_code == 75
    AuditLog(tmp_path / "log").close()


def test_a_torn_last_line_is_cut_and_a_whole_one_never(tmp_path, decision) -> None:
    records = written(tmp_path / "log", decision, [1, 1, 1])
    [path] = files_of(tmp_path / "log")
    data = path.read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1  # of the last line
    for length in [*range(start, len(data) - 3, 23), *range(len(data) - 3, len(data) + 1)]:
        path.write_bytes(data[:length])
        whole = length >= len(data) - 1  # but for the end of the line
        with AuditLog(tmp_path / "log") as log:
            assert log.n == (3 if whole else 2)
            assert log.cut_bytes == (0 if whole else length - start)
            [added] = log.append([decision(9)])
        assert read(tmp_path / "log")[0] == [*records[: 3 if whole else 2], added]


@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_record_that_was_changed_is_not_gone_on_with(tmp_path, decision, where) -> None:
    written(tmp_path / "log", decision, [1, 1, 2, 1])
    [path] = files_of(tmp_path / "log")
    lines = path.read_bytes().splitlines(keepends=True)
    place = {"first": 0, "middle": 2, "last": 4}[where]
    lines[place] = lines[place].replace(b'"verdict":"', b'"verdict":"accept","was":"')
    assert json.loads(lines[place])["was"]
    path.write_bytes(b"".join(lines))

    with pytest.raises(DataError) as caught:
        AuditLog(tmp_path / "log")

    assert caught.value.code == "log_broken"
    assert path.read_bytes() == b"".join(lines)


def test_a_damaged_record_before_promised_ones_is_no_torn_end(tmp_path, decision) -> None:
    written(tmp_path / "log", decision, [1, 1, 1])
    [path] = files_of(tmp_path / "log")
    data = path.read_bytes()
    middle = data.index(b"\n") + 20
    path.write_bytes(data[:middle] + b"\0" * 30 + data[middle + 30 :])

    with pytest.raises(DataError):
        AuditLog(tmp_path / "log")


class Disk:
    """What is on the disk for certain: the length that each file had when it was waited for."""

    def __init__(self, monkeypatch, *, careless=False) -> None:
        self.synced = {}
        sync = os.fsync

        def fsync(handle):
            if careless:
                return
            sync(handle)
            status = os.fstat(handle)
            self.synced[status.st_ino] = status.st_size

        monkeypatch.setattr(os, "fsync", fsync)

    def lose(self, folder, draw):
        """Do what a loss of power may do: of what was not waited for some sectors are there, others not."""
        for path in files_of(folder):
            data = bytearray(path.read_bytes())
            safe = self.synced.get(path.stat().st_ino, 0)
            end = draw.randint(safe, len(data))
            for start in range(safe - safe % 512, end, 512):
                if draw.random() < 0.4:
                    for place in range(max(start, safe), min(start + 512, end)):
                        data[place] = 0
            path.write_bytes(data[:end])


def powerless(folder, decision, monkeypatch, draw, *, careless=False):
    """Write until the power goes inside of a write that nobody waited for; return what was promised."""
    disk, promised = Disk(monkeypatch, careless=careless), []
    log = AuditLog(folder, most_bytes=2500)
    for _ in range(draw.randint(0, 6)):
        promised += log.append([decision(len(promised) + step) for step in range(draw.randint(1, 4))])
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    log.append([decision(100 + step) for step in range(draw.randint(1, 6))])  # nobody is told of these
    log.close()
    disk.lose(folder, draw)
    monkeypatch.undo()
    return promised


def test_what_was_promised_survives_the_power(tmp_path, decision, monkeypatch) -> None:
    cut = 0
    for seed in range(25):
        folder, draw = tmp_path / f"log-{seed}", random.Random(seed)
        promised = powerless(folder, decision, monkeypatch, draw)

        with AuditLog(folder, most_bytes=2500) as log:
            cut += log.cut_bytes > 0
            log.append([decision(0)])

        records, reading = read(folder)
        assert records[: len(promised)] == promised
        assert (reading.broken, reading.torn_bytes) == (None, 0)
    assert cut > 5


def test_a_log_that_does_not_wait_for_the_disk_is_noticed(tmp_path, decision, monkeypatch) -> None:
    lost = 0
    for seed in range(12):
        folder, draw = tmp_path / f"log-{seed}", random.Random(seed)
        promised = powerless(folder, decision, monkeypatch, draw, careless=True)
        try:
            AuditLog(folder).close()
        except DataError:
            lost += 1
        else:
            lost += read(folder)[0][: len(promised)] != promised
    assert lost > 5


@pytest.mark.parametrize("place", ["write", "fsync"])
def test_a_disk_that_fails_promises_nothing_and_nothing_more(tmp_path, decision, monkeypatch, place) -> None:
    log = AuditLog(tmp_path / "log")
    records = log.append([decision(0)])
    if place == "write":
        monkeypatch.setattr(os, "pwrite", lambda handle, data, end, _w=os.pwrite: _w(handle, data[:40], end))
    else:
        monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(5, "broken")))
    with pytest.raises(WriteError):
        log.append([decision(1)])
    monkeypatch.undo()

    with pytest.raises(WriteError):
        log.append([decision(2)])
    log.close()

    assert read(tmp_path / "log")[0][:1] == records
    with AuditLog(tmp_path / "log") as again:
        again.append([decision(3)])
    assert verify(tmp_path / "log").broken is None


def test_who_reads_on_sees_each_promised_record_once(tmp_path, decision) -> None:
    with AuditLog(tmp_path / "log", most_bytes=900) as log:
        log.append([decision(number) for number in range(2)])
        tail, seen = Tail(tmp_path / "log", after=1), []
        for number in range(2, 12):
            while (record := tail.next(committed=log.n)) is not None:
                seen.append(record["n"])
            log.append([decision(number)])
        assert tail.next(committed=11) is None
        assert tail.next(committed=12)["n"] == 12
        tail.close()

    assert seen == list(range(2, 12))


def test_a_log_that_lost_its_end_is_noticed_by_who_was_told_more(tmp_path, decision) -> None:
    with AuditLog(tmp_path / "log") as log:
        cursor = Cursor(log, "sink")
        log.append([decision(0), decision(1)])
        cursor.to(2)
        cursor.close()
    [path] = files_of(tmp_path / "log")
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])

    with AuditLog(tmp_path / "log") as log:
        with pytest.raises(DataError) as caught:
            Cursor(log, "sink")
        Cursor(log, "another sink").close()

    assert caught.value.code == "log_truncated"
