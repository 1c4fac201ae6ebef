"""Progress without a terminal: lines that say how far it is, and for how long it will go on."""

from foveal.cli import _progress


def test_what_is_left_is_reckoned_from_what_this_process_did(capsys, monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])

    with _progress.progress(quiet=False) as report:
        report("pictures", 9000, 10000)  # an earlier process did those
        now[0] += 40
        report("pictures", 9000, 10000)
        now[0] += 40
        report("pictures", 9200, 10000, "2.5/s")
        now[0] += 320
        report("pictures", 10000, 10000, "2.5/s")

    assert capsys.readouterr().err.splitlines() == [
        "pictures 9000/10000 40 s",
        "pictures 9200/10000 80 s, 320 s left 2.5/s",
        "pictures 10000/10000 400 s 2.5/s",
    ]


def test_work_in_one_piece_is_named_when_it_begins(capsys, monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])

    with _progress.progress(quiet=False) as report:
        report("export", 0, 1)
        assert capsys.readouterr().err.splitlines() == ["export 0/1 0 s"]
        now[0] += 80
        report("export", 1, 1)

    assert capsys.readouterr().err.splitlines() == ["export 1/1 80 s"]


def test_what_was_over_at_once_takes_one_line(capsys) -> None:
    with _progress.progress(quiet=False) as report:
        report("plan", 1, 1, "24 steps")

    assert capsys.readouterr().err.splitlines() == ["plan 1/1 0 s 24 steps"]
