"""Who is let in."""

import hashlib
import json
import os
import secrets
import signal
from pathlib import Path

import pytest

from foveal.core.errors import NotFoundError, UsageError
from foveal.serve.problems import HttpError
from foveal.serve.tokens import Tokens, tokens

TOKEN, OTHER = secrets.token_urlsafe(32), secrets.token_urlsafe(32)


def refused(given: list[bytes], known: Tokens) -> bool:
    try:
        known.check(given)
    except HttpError as error:
        return (error.code, error.headers["www-authenticate"]) == ("no_token", "Bearer")
    return False


def test_only_a_bearer_header_with_a_known_token_is_let_in() -> None:
    known = Tokens(text=f"# old\n{TOKEN}\n# new\n{OTHER}\n")

    for good in (b"Bearer " + TOKEN.encode(), b"bearer  " + OTHER.encode()):
        assert not refused([good], known)
    for bad in (b"", b"Bearer", b"Bearer ", TOKEN.encode(), b"Basic " + TOKEN.encode(), b"Bearer \xff\xfe"):
        assert refused([bad], known)
    assert refused([], known)
    assert refused([b"Bearer " + TOKEN.encode()] * 2, known)
    assert refused([b"Bearer " + TOKEN[:-1].encode()], known)


@pytest.mark.parametrize(
    "text",
    ["", "# nothing", "short", "x" * 21, f"{TOKEN}\nshort", "ä" * 30, "a b " * 10],
    ids=[
        "empty",
        "comment",
        "short",
        "longer",
        "one-of-two",
        "letters",
        "blanks",
    ],  # of tokens made by chance
)
def test_a_token_that_could_be_guessed_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(text)
    with pytest.raises(UsageError, match="token") as caught:
        Tokens(path=tmp_path / "token")
    assert caught.value.code == "weak_token"
    assert "secrets.token_urlsafe" in (caught.value.hint or "")


@pytest.mark.parametrize("comment", ["", "# " + "x" * 70_000 + "\n"], ids=["tokens", "bytes"])
def test_more_tokens_than_are_taken_are_an_error_and_not_dropped(comment: str, tmp_path: Path) -> None:
    many = [secrets.token_urlsafe(64) for _ in range(64)]
    path = tmp_path / "token"
    path.write_text("\n".join(many))
    known = Tokens(path=path)
    assert not any(refused([b"Bearer " + token.encode()], known) for token in many)
    assert len({known.check([b"Bearer " + token.encode()]) for token in many}) == 64

    path.write_text(comment + "\n".join([*many, *([] if comment else [TOKEN])]))
    with pytest.raises(UsageError, match=r"65 tokens|65536 bytes") as caught:
        Tokens(path=path)
    assert caught.value.code == "too_many_tokens"


def test_the_file_comes_before_the_environment_and_nothing_means_everybody(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    found = tokens(tmp_path / "token", {"FOVEAL_TOKEN": OTHER})
    assert found is not None
    assert refused([b"Bearer " + OTHER.encode()], found)
    assert not refused([b"Bearer " + OTHER.encode()], tokens(None, {"FOVEAL_TOKEN": OTHER}) or found)
    assert tokens(None, {}) is None
    with pytest.raises(NotFoundError):
        tokens(tmp_path / "no", {})


def test_a_server_with_a_token_answers_health_to_all_and_the_rest_to_who_has_it(
    serve, until, colored, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o644)
    server = serve("--workers", "2", "--token-file", str(path), "--log", "json")
    mine = {"authorization": f"Bearer {TOKEN}"}

    assert server.ask("/v2/health/ready").status == server.ask("/v2/health/live").status == 200
    for page in ("/", "/docs", "/openapi.json"):  # a browser sends no token; they say nothing of the models
        assert server.ask(page).status == 200, page
    for place in ("/v1/models", "/v1/explain", "/v2", "/metrics", "/v1/monitor", "/nothing"):
        assert server.ask(place).json["code"] == "no_token", place
        assert server.ask(f"{place}?token={TOKEN}").json["code"] == "no_token", place
    for place in (
        "/v2/health/live/../../../v1/models",
        "//v2/health/live",
        "/v2/health/%6cive/",
        "/V2/health/live",
    ):
        assert server.ask(place).status in (401, 404), place
    refused_upload = server.ask("/v1/predict", bytes(1_000_000))
    assert (refused_upload.status, refused_upload.headers["www-authenticate"]) == (401, "Bearer")
    assert server.ask("/v1/predict", colored(), **mine).status == 200
    assert any("others can read the token" in line for line in server.lines)

    path.write_text(f"{OTHER}\n")
    until(lambda: server.ask("/v1/models", authorization=f"Bearer {OTHER}").status == 200)
    until(lambda: all(server.ask("/v1/models", **mine).status == 401 for _ in range(8)))
    path.write_text("weak")  # a half-written file locks nobody out
    path.unlink()
    assert server.ask("/v1/models", authorization=f"Bearer {OTHER}").status == 200

    assert server.end() == 143
    assert not any(TOKEN in line or OTHER in line for line in server.lines)
    assert any('"outcome": "no_token"' in line for line in server.lines)


def test_what_became_of_the_file_is_told_with_the_tokens_in_force(serve, until, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    path.chmod(0o600)
    server = serve("--workers", "1", "--token-file", str(path))

    def status(token: str) -> int:
        return server.ask("/v1/models", authorization=f"Bearer {token}").status

    def told(*tokens: str, warning: str = "") -> bool:
        """Return whether the last line says that these are in force, and what is wrong."""
        said = json.loads(server.lines[-1])
        prints = [hashlib.sha256(token.encode()).hexdigest()[:8] for token in tokens]
        event = "warning" if warning else "tokens"
        return (said["event"], said.get("tokens")) == (event, prints) and warning in said.get("message", "")

    assert status(TOKEN) == 200
    path.write_text("# nobody\n")
    until(lambda: told(warning="nobody is let in"))
    until(lambda: status(TOKEN) == 401)
    path.write_text(f"{OTHER}\n{TOKEN}\n")
    until(lambda: told(OTHER, TOKEN))
    path.write_text(OTHER)
    until(lambda: told(OTHER))
    until(lambda: status(OTHER) == 200)
    until(lambda: status(TOKEN) == 401)

    path.write_text(f"{OTHER}\nweak")
    until(lambda: told(OTHER, warning="22 to 512"))
    path.unlink()
    until(lambda: told(OTHER, warning="no token file"))
    [worker] = server.workers()
    os.kill(worker, signal.SIGKILL)
    until(lambda: server.workers() not in ([], [worker]))
    assert status(TOKEN) == 401, "a worker that is started anew does not begin with what was revoked"
    assert status(OTHER) == 200

    path.write_text(OTHER)
    until(lambda: told(OTHER))
    lines = [json.loads(line) for line in server.lines]
    assert [line["event"] for line in lines].count("warning") == 3, "each is told once"
    assert not any(secret in line for line in server.lines for secret in (TOKEN, OTHER, "weak"))
