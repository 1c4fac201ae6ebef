"""core.text: foreign names cannot drive a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from foveal.core.text import visible


@given(st.text())
def test_result_is_printable_and_on_one_line(text) -> None:
    assert visible(text).isprintable()


@given(st.text().filter(str.isprintable))
def test_printable_text_is_left_alone(text) -> None:
    assert visible(text) == text


def test_control_characters_are_shown_as_escapes() -> None:
    assert visible("a\x1b[2J\n\u202eb") == r"a\x1b[2J\n\u202eb"
