"""What is printed of an address, and which texts are none."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foveal.core.errors import FovealError, UsageError
from foveal.stream.address import address, is_loopback, shown
from foveal.stream.options import SourceOptions
from foveal.stream.plan import kind_of, source_of
from foveal.stream.shot import Running

SECRET = st.text("ABC!$&'()*+,;=:/?#@%[]|\\ é", max_size=8)  # no letter of it is in what may be shown
HOST = st.sampled_from(["10.0.0.7", "camera-1.local", "camera:554", "[fe80::1]:554"])
PATH = st.lists(st.text("live012._-~", max_size=5), max_size=3).map(
    lambda names: "".join("/" + n for n in names)
)
SCHEME = st.sampled_from(["rtsp://", "http://", "webhook:https://", "mqtt://", "RTSP://"])
MARKS = re.compile("[^a-z0-9._~:/\\-\\[\\]…]")


@given(scheme=SCHEME, user=SECRET, password=st.none() | SECRET, host=HOST, path=PATH, tail=SECRET)
def test_neither_user_nor_password_nor_query_nor_fragment_is_shown(
    scheme, user, password, host, path, tail
) -> None:
    known = user if password is None else f"{user}:{password}"
    for query in ("", "?" + tail, "#" + tail, "/user=" + tail):
        said = shown(f"{scheme}{known}@{host}{path}{query}")
        assert said.startswith(scheme)
        assert not MARKS.search(said.removeprefix(scheme)), said
        assert not MARKS.search(shown(f"{scheme}{host}{path}{query}").removeprefix(scheme))


@given(host=HOST, path=PATH, tail=st.text("ABC&=/?#", max_size=8), user=st.text("ABC:/", min_size=1))
def test_host_and_path_are_shown_where_they_can_be_known(host, path, tail, user) -> None:
    for mark in "?#":
        assert shown(f"rtsp://{host}{path}{mark}{tail}") == f"rtsp://{host}{path}"
        assert shown(f"rtsp://{user}@{host}{path}{mark}{tail}") == f"rtsp://{host}{path}"


@pytest.mark.parametrize(
    "place", ["film.mp4", "a/b?c#d.mp4", "me@home/a.mp4", "camera:0", "/dev/video0", "a=b"]
)
def test_the_name_of_a_file_is_shown_as_it_is(place) -> None:
    assert shown(place) == place


@settings(deadline=None, max_examples=60)
@example(form="http:/{}@host/x", secret="ADMIN:PASS://WORD")
@example(form="http:/{}@host/x", secret="ADMIN:PASS@://WORD")
@given(
    form=st.sampled_from(
        [
            *("http://{}@127.0.0.1:9/x", "rtsp://{}@127.0.0.1:9/x", "http://127.0.0.1:9/x?pwd={}"),
            *("http:/{}@host/x", "rtsp:{}@host/x", "camera:{}@host", "ftp://{}@host/x"),
        ]
    ),
    secret=st.text("/?#@:[]%é\\ ", max_size=4).map(lambda text: f"ADMIN:PASS{text}WORD"),
)
def test_no_error_about_a_source_quotes_a_password(form, secret) -> None:
    """Nobody listens at port 9, and the rest is no address."""
    pytest.importorskip("av")
    place = form.format(secret)

    def first():
        module = source_of(place)
        return next(getattr(module, kind_of(module))(SourceOptions(place), Running()))

    with pytest.raises(FovealError) as caught:
        first()

    assert not re.search("ADMIN|PASS|WORD", f"{caught.value} {caught.value.hint} {caught.value.path}")


@pytest.mark.parametrize(
    "text",
    [
        *("http:///video", "http://host:0/", "http://host:x/", "http://host:99999/", "http://[::1/x"),
        *("http://a:12/34@host/x", "http://host/a b", "http://host/ü", "http://host/?a=\udce4"),
        *("http://a:\udce4@host/", "http://ho\u2100st/", "http://a:b?c@host/"),
    ],
)
def test_what_is_no_address_or_means_another_host_is_refused(text) -> None:
    with pytest.raises(UsageError, match="no address"):
        address(text)


def test_only_this_machine_is_this_machine() -> None:
    parts = address("http://127.0.0.1@example.org/")

    assert not is_loopback(parts.hostname)
