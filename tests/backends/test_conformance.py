"""Promises that every backend keeps; a new one joins by its name in the fixture `backend`."""

import pytest

from foveal.core.errors import DataError
from foveal.core.work import Task


def adding(n, **more):
    return [Task(f"t{i}", "chores:add", {"a": i, "b": 1000}, **more) for i in range(n)]


def test_every_task_has_one_receipt_with_what_its_function_returned(backend, tmp_path):
    init = Task("init", "chores:begin", {"log": str(tmp_path / "log"), "offset": 7})

    receipts = list(backend.map(adding(20), init=init, workers=2))

    assert {r.key: r.detail["sum"] for r in receipts} == {f"t{i}": i + 1007 for i in range(20)}
    assert {(r.outcome, r.attempt) for r in receipts} == {("done", 1)}
    assert len(receipts) == 20


def test_init_runs_once_in_each_worker(backend, tmp_path):
    init = Task("init", "chores:begin", {"log": str(tmp_path / "log")})

    receipts = list(backend.map(adding(30), init=init, workers=2))

    begun = (tmp_path / "log").read_text().split()
    assert len(begun) == len(set(begun)) <= 2
    assert {str(r.detail["pid"]) for r in receipts} <= set(begun)


def test_any_json_arrives_as_it_was_and_large_objects_do_not_stop_anything(backend):
    specs = [
        {"name": "a\udce4\x00\n“ü”", "deep": [None, True, 1.5, {"": []}], "n": i, "long": "x" * 300_000}
        for i in range(6)
    ]

    receipts = list(
        backend.map((Task(str(i), "chores:echo", spec) for i, spec in enumerate(specs)), workers=2)
    )

    assert {r.key: r.detail for r in receipts} == {str(i): spec for i, spec in enumerate(specs)}


def test_no_tasks_no_receipts(backend):
    assert list(backend.map([], workers=2)) == []


def test_tasks_are_taken_as_they_are_needed(backend):
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield Task(str(len(taken)), "chores:echo", {})

    receipts = backend.map(endless(), workers=2)
    for _ in range(5):
        next(receipts)
    receipts.close()

    assert len(taken) <= 5 + 2 * 4


def test_what_a_function_raises_is_the_receipt_of_that_task_alone(backend):
    entries = {"ours": "raise_ours", "other": "raise_other", "nonsense": "return_nonsense", "good": "echo"}
    tasks = [Task(key, f"chores:{entry}", {}) for key, entry in entries.items()]
    tasks.append(Task("missing", "chores:nothing_like_it", {}))

    receipts = {r.key: r for r in backend.map(tasks, workers=1)}

    assert receipts["good"].outcome == "done"
    assert {receipts[key].outcome for key in ("ours", "other", "nonsense", "missing")} == {"failed"}
    told = {name: receipts["ours"].detail[name] for name in ("code", "message", "hint", "path")}
    assert told == {"code": "odd", "message": "no such picture", "hint": "look", "path": "x.jpg"}
    assert receipts["other"].detail["code"] == "internal"
    assert "IndexError" in receipts["other"].detail["message"]


def test_an_error_of_init_is_raised_here_as_it_was(backend, tmp_path):
    init = Task("init", "chores:begin", {"fails": True})

    with pytest.raises(DataError, match="this bundle is bad") as caught:
        list(backend.map(adding(3), init=init, workers=2))

    error = caught.value
    assert (error.code, error.exit_code, error.hint, error.path) == (
        "tampered",
        65,
        "get it again",
        "b.foveal",
    )


def test_a_task_whose_worker_died_is_tried_again_and_the_others_are_not_harmed(backend, tmp_path):
    bad = Task("bad", "chores:die_at_first", {"mark": str(tmp_path / "mark"), "times": 2})
    good = [Task(str(i), "chores:note", {"log": str(tmp_path / "log"), "name": str(i)}) for i in range(10)]

    receipts = {r.key: r for r in backend.map([good[0], bad, *good[1:]], workers=2)}

    assert (receipts["bad"].outcome, receipts["bad"].attempt) == ("done", 3)
    assert receipts["bad"].detail == {"tries": 3}
    assert {receipts[str(i)].outcome for i in range(10)} == {"done"}
    assert {receipts[str(i)].attempt for i in range(10)} == {1}


def test_a_task_that_kills_each_worker_is_given_up_after_three_attempts(backend, tmp_path):
    bad = Task("bad", "chores:die_at_first", {"mark": str(tmp_path / "mark"), "times": 99})

    receipts = {r.key: r for r in backend.map([bad, Task("good", "chores:echo", {})], workers=1)}

    assert (receipts["bad"].outcome, receipts["bad"].attempt) == ("lost", 3)
    assert (tmp_path / "mark").read_text() == "xxx"
    assert receipts["good"].outcome == "done"


def test_who_asked_for_it_says_what_to_try_next(backend, tmp_path):
    bad = Task("bad", "chores:die_at_first", {"mark": str(tmp_path / "mark"), "times": 99})
    asked = []

    def lost(task):
        asked.append(task)
        return Task(task.key, "chores:echo", {"instead": True}) if len(asked) == 2 else task

    [receipt] = backend.map([bad], workers=1, lost=lost)

    assert [task.attempt for task in asked] == [1, 2]
    assert (receipt.outcome, receipt.attempt, receipt.detail) == ("done", 3, {"instead": True})


def test_all_ranks_of_a_group_find_each_other(grouping, tmp_path):
    receipt = grouping.group("chores:rank", {"folder": str(tmp_path)}, world=2)

    assert (receipt.outcome, receipt.detail) == ("done", {"rank": "0"})
    told = [(tmp_path / f"rank-{rank}").read_text().split() for rank in range(2)]
    assert [t[:2] for t in told] == [["0", "2"], ["1", "2"]]
    assert told[0][4:] == told[1][4:]


def test_a_group_that_lost_a_rank_begins_again(backend, tmp_path):
    receipt = backend.group("chores:rank_dies_at_first", {"folder": str(tmp_path)}, world=2)

    assert receipt.outcome == "done"
    assert (tmp_path / "died").exists()


def test_a_group_that_dies_each_time_is_given_up(grouping, tmp_path):
    log = tmp_path / "log"

    receipt = grouping.group("chores:rank_always_dies", {"log": str(log)}, world=2, max_restarts=1)

    assert receipt.outcome == "lost"
    assert log.read_text() == "xx"


@pytest.mark.parametrize(("ours", "tries"), [(True, "x"), (False, "xx")])
def test_an_error_of_ours_ends_a_group_and_any_other_is_tried_again(grouping, tmp_path, ours, tries):
    log = tmp_path / "log"

    receipt = grouping.group("chores:rank_raises", {"log": str(log), "ours": ours}, world=2, max_restarts=1)

    assert receipt.outcome == "failed"
    assert "no" in receipt.detail["message"]
    assert log.read_text() == tries


def test_it_says_where_it_runs(backend):
    nodes = backend.describe()

    assert sum(node.cpus for node in nodes) > 0
    for node in nodes:
        assert {"python", "foveal"} <= set(node.versions)
