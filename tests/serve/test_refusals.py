"""What is refused says what to do next; a question that is only nearly right is refused."""

import http.client

import pytest

from bad_inputs.multipart import BOUNDARY, form


@pytest.mark.parametrize(
    ("path", "sent", "code", "hint"),
    [
        ("/v1/predict", {"host": "evil.example"}, "host_not_allowed", "localhost"),
        ("/v1/predict", {"content_length": "99999999"}, "body_too_large", "--max-body"),
        ("/v1/predict", {"content_encoding": "gzip"}, "encoding_not_allowed", "the bytes of the picture"),
        (
            "/v1/predict",
            {"content_type": "application/x-www-form-urlencoded"},  # what curl says unless it is told
            "type_not_allowed",
            "-H 'Content-Type: image/jpeg'",
        ),
        ("/v1/predict", {"content_type": "text/plain"}, "type_not_allowed", "-H 'Content-Type: image/jpeg'"),
        ("/v1/explain", {"content_type": "text/plain"}, "type_not_allowed", "-H 'Content-Type: image/jpeg'"),
        ("/v2/models/colors/infer", {"content_type": "text/plain"}, "type_not_allowed", "application/json"),
        ("/v1/models", {}, "method_not_allowed", "GET, HEAD"),
    ],
)
def test_the_hint_says_what_to_do(server, colored, path: str, sent, code: str, hint: str) -> None:
    answer = server.ask(path, colored(), **sent)

    assert answer.json["code"] == code
    assert hint in answer.json["hint"]


def test_a_form_without_the_field_learns_its_name(server, colored) -> None:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    answer = server.ask("/v1/predict", form(("picture", colored())), content_type=kind)

    assert (answer.status, answer.json["code"]) == (400, "bad_multipart")
    assert "-F image=@" in answer.json["hint"]


def test_who_asks_too_often_learns_when_to_come_back_and_what_sets_the_limit(serve, colored) -> None:
    server = serve("--workers", "1", "--rate", "0.01")
    answers = [server.ask("/v1/predict", colored()) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 429]
    assert "Retry-After" in answers[1].json["hint"]
    assert "--rate" in answers[1].json["hint"]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/v1/predict?modell=colors", "model"),
        ("/v1/predict?model=colors&Model=colors", "model"),
        ("/v1/predict?explain", "model"),
        ("/v1/explain?clas=red", "class, model"),
        ("/v2/models/colors/infer?model=colors", "none"),
    ],
)
def test_a_parameter_that_is_not_known_is_refused_with_those_that_are(
    server, colored, path: str, known: str
) -> None:
    answer = server.ask(path, colored())

    assert (answer.status, answer.json["code"]) == (400, "unknown_parameter")
    assert known in answer.json["hint"]


def test_parameters_are_looked_at_wherever_they_could_mean_something(server) -> None:
    for path in ("/v1/models", "/v1/monitor", "/v2", "/v2/health/ready", "/metrics", "/openapi.json"):
        assert server.ask(f"{path}?a=b").json["code"] == "unknown_parameter", path
    twice = server.ask("/v1/monitor?model=colors&model=other")
    assert (twice.status, twice.json["code"]) == (400, "bad_request")
    for page in ("/?from=mail", "/docs?a=b", "/v1/monitor?model=colors"):
        assert server.ask(page).status in (200, 404), page
    assert server.ask(f"/v1/models?{'a' * 9000}=b").json["detail"].count("a") < 100


def test_head_is_answered_as_get_is_without_the_body(server) -> None:
    def asked(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        answer = server.ask_on(connection, path, method=method)
        ours = {k: v for k, v in answer.headers.items() if k not in ("date", "x-request-id")}
        return answer.status, ours, answer.body

    connection: http.client.HTTPConnection = server.connect()
    for path in ("/v2/health/live", "/v2/health/ready", "/v1/models", "/", "/nothing"):
        status, headers, body = asked("GET", path)
        assert asked("HEAD", path) == (status, headers, b""), path
        assert int(headers["content-length"]) == len(body) > 0
    assert asked("HEAD", "/v1/predict")[:2] == asked("GET", "/v1/predict")[:2]
    connection.close()
