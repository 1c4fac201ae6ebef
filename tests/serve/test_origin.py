"""What browsers say of pages of other sites, and what is refused because of it."""

import pytest

LOCAL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    "sent",
    [
        {"sec_fetch_site": "cross-site", "origin": "https://evil.example"},
        {"sec_fetch_site": "cross-site", "origin": "null"},  # a page in a sandbox, or from a file
        {"sec_fetch_site": "same-site", "origin": "http://127.0.0.1:3000"},  # another program of this machine
        {"sec_fetch_site": "cross-site"},  # <img>, <script>, a form with GET
        {"sec_fetch_site": "Cross-Site"},
        {"origin": "https://evil.example"},  # an old browser
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost"},
        {"origin": "http://localhost:8081"},
        {"origin": "http://localhost:8080.evil.example"},
        {"origin": "http://evil.example/http://localhost:8080"},
        {"origin": "file://localhost:8080"},
    ],
)
def test_what_a_page_of_another_site_sends_is_refused_before_its_body(server, colored, sent) -> None:
    for path in ("/v1/predict", "/v1/explain", "/v2/models/colors/infer", "/nothing"):
        answer = server.ask(path, colored(), host="localhost:8080", **sent)
        assert (answer.status, answer.json["code"]) == (403, "cross_site"), path
    for path in ("/v1/models", "/v1/monitor", "/metrics", "/v2"):
        assert server.ask(path, host="localhost:8080", **sent).status == 403, path
    connection = server.connect()
    connection.putrequest("POST", "/v1/predict", skip_host=True)
    for name, value in {"host": "localhost:8080", "content-length": "1000000", **sent}.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()  # and none of the body follows
    assert connection.getresponse().status == 403
    connection.close()


@pytest.mark.parametrize(
    "sent",
    [
        {},  # curl, our client, other programs
        {"sec_fetch_site": "same-origin", "origin": LOCAL, "sec_fetch_mode": "cors"},  # the page at /
        {"sec_fetch_site": "same-origin", "origin": "null"},  # the same where no referrer is allowed
        {"sec_fetch_site": "none"},  # typed
        {"origin": "http://LOCALHOST:8080"},
        {"origin": "https://localhost:8080"},  # a proxy in front speaks TLS
    ],
)
def test_the_own_page_and_programs_are_answered(server, colored, sent) -> None:
    assert server.ask("/v1/predict", colored(), host="localhost:8080", **sent).status == 200


@pytest.mark.parametrize(
    ("host", "origin"), [("localhost", "http://localhost:80"), ("localhost:80", "http://localhost")]
)
def test_the_usual_port_need_not_be_said(server, colored, host: str, origin: str) -> None:
    assert server.ask("/v1/predict", colored(), host=host, origin=origin).status == 200


def test_a_link_from_elsewhere_leads_to_the_page(server) -> None:
    for path in ("/", "/docs", "/openapi.json", "/v2/health/live"):
        answer = server.ask(path, sec_fetch_site="cross-site", sec_fetch_mode="navigate")
        assert answer.status == 200, path
        assert "access-control-allow-origin" not in answer.headers
