"""Lines at the end of a file: whole ones, after those of earlier runs, and in no file of anybody else."""

import json

import pytest

from foveal.core.errors import TemporaryError, WriteError
from foveal.stream.events import Event
from foveal.stream.options import SinkOptions
from foveal.stream.outbox import line_of
from foveal.stream.sinks.jsonl import jsonl

ENTER = Event("enter", "red", 3, 0.1, None, None, 0.9)


def test_a_file_of_lines_has_what_was_told_and_goes_on_where_it_ended(watch, mixed, tmp_path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"frame": 0}\n{"frame": 1, "ti' + "x" * 20_000)  # its writer was killed

    _, told = watch(mixed, sinks=(f"jsonl:{path}",))

    head, *lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert head == {"frame": 0}
    assert lines == [line_of(item) for item in told]
    assert any("event" in line for line in lines)


FOREIGN = [
    b"13 bytes only",
    b"\0\0\0\x18ftypmp42" * 9000,
    b"milk\n",
    b"[1, 2]\n",
    b'{"frames": 3}\n',
    b'{"frame": 0}\nmilk',
    b'{"frame": 0}\nmilk\n{"frame": 1}\n',
    b'milk\n{"frame": 0}\n{"fra',
    b'{"frame": 0, "ti\n{"frame": 1}\n',
    b'{"frame": 0}\n\n',
    b"\n",
    b'{"frame": 0, ' + b" " * (1 << 20) + b'"x": 0}\n',
]


@pytest.mark.parametrize("content", FOREIGN, ids=range(len(FOREIGN)))
def test_a_file_of_something_else_stays_as_it_is_unless_that_is_said(watch, mixed, tmp_path, content) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)

    with pytest.raises(WriteError, match="something else") as caught:
        watch(mixed, sinks=(f"jsonl:{path}",))
    assert path.read_bytes() == content
    assert (caught.value.code, caught.value.exit_code) == ("would_overwrite", 73)
    assert "--force" in caught.value.hint

    _, told = watch(mixed, sinks=(f"jsonl:{path}",), sink_options=SinkOptions(force=True))
    assert [json.loads(line) for line in path.read_text().splitlines()] == [line_of(item) for item in told]


LINES = b'{"frame": 0, "result": {"label": "a"}}\n{"event": {"what": "enter"}}\n{"frame": 1}\n'


@pytest.mark.parametrize("force", [False, True])
def test_wherever_its_writer_was_killed_whole_lines_stay_and_half_ones_go(tmp_path, force) -> None:
    whole = LINES.splitlines(keepends=True)
    for length in range(len(LINES) + 1):
        path = tmp_path / f"{length}.jsonl"
        path.write_bytes(LINES[:length])
        sink = jsonl(str(path), SinkOptions(force=force))
        sink.write(ENTER)
        sink.close()

        count = LINES[: length + 1].count(b"\n")  # without its end a line is whole, too
        assert path.read_bytes() == b"".join(whole[:count]) + json.dumps(line_of(ENTER)).encode() + b"\n"


def test_of_two_streams_on_one_file_the_second_is_refused_until_the_first_ends(
    watch, mixed, tmp_path
) -> None:
    path, refused = tmp_path / "lines.jsonl", []

    def tell(item) -> None:
        if not refused:
            with pytest.raises(TemporaryError, match="another stream") as caught:
                watch(mixed, sinks=(f"jsonl:{path}",), sink_options=SinkOptions(force=True))
            refused.append(caught.value)

    _, first = watch(mixed, sinks=(f"jsonl:{path}",), tell=tell)
    _, second = watch(mixed, sinks=(f"jsonl:{path}",))

    assert refused[0].exit_code == 75
    assert [json.loads(line) for line in path.read_text().splitlines()] == list(map(line_of, first + second))


def test_a_file_is_free_again_where_another_sink_refuses(watch, mixed, tmp_path) -> None:
    path = tmp_path / "lines.jsonl"

    with pytest.raises(WriteError):
        watch(mixed, sinks=(f"jsonl:{path}", "jsonl:/none/a.jsonl"))

    jsonl(str(path), SinkOptions()).close()
