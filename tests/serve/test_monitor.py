"""One drift monitor for all workers, and what is logged."""

import base64
import json

import pytest


def test_all_workers_feed_one_monitor_and_each_can_be_asked_for_it(serve, until, watched, colored) -> None:
    server = serve("--workers", "3", model=watched)
    assert server.ask("/v1/monitor").json["verdict"] == "no_sign"
    connections = [server.connect() for _ in range(9)]
    grey = colored((200, 199, 198))
    for _ in range(60):
        for connection in connections:
            assert server.ask_on(connection, "/v1/predict", grey).status == 200

    state = until(lambda: _seen(server, 540))
    assert state["verdict"] == "changed"
    assert state["dropped"] == 0
    assert {alarm["kind"] for alarm in state["alarms"]} == {"scores", "rejected", "quality"}
    told = [server.ask_on(connection, "/v1/monitor").json for connection in connections]
    assert {one["pictures"] for one in told} == {540}
    assert server.metric('foveal_drift_alarm{kind="quality",model="watched"}') == 1
    assert server.metric('foveal_abstained_total{model="watched"}') == 540
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("kind", ["UINT8", "BYTES"])
def test_what_infer_answers_is_seen_and_counted_as_by_predict(
    serve, until, watched, colored, kind: str
) -> None:
    server = serve("--workers", "1", model=watched)
    grey = colored((200, 199, 198))
    data = [base64.b64encode(grey).decode()] * 30
    tensor = {"name": "images", "shape": [30], "datatype": "BYTES", "data": data}
    if kind == "UINT8":
        tensor = {
            "name": "images",
            "shape": [30, 16, 16, 3],
            "datatype": kind,
            "data": [200, 199, 198] * 7680,
        }
    body = json.dumps({"inputs": [tensor]}).encode()

    def noted() -> tuple[object, ...]:
        state = server.ask("/v1/monitor").json
        counted = [
            server.metric(f'foveal_{name}{{model="watched"}}')
            for name in ("confidence_count", "confidence_sum", "abstained_total")
        ]
        return (state["pictures"], state["verdict"], [a["kind"] for a in state["alarms"]], *counted)

    for _ in range(18):
        path = "/v2/models/watched/infer"
        assert server.ask(path, body, content_type="application/json").status == 200
    by_infer = until(lambda: noted() if noted()[0] == 540 else None)
    assert by_infer[1:4:2] == ("changed", 540)

    other = serve("--workers", "1", model=watched)
    connection = other.connect()
    for _ in range(540):
        assert other.ask_on(connection, "/v1/predict", grey).status == 200
    connection.close()
    server = other
    by_predict = until(lambda: noted() if noted()[0] == 540 else None)
    assert by_infer[:4] == by_predict[:4]
    assert by_infer[4] == pytest.approx(by_predict[4])
    assert by_infer[5] == by_predict[5]


def _seen(server, pictures: int):
    state = server.ask("/v1/monitor").json
    return state if state["pictures"] == pictures else None


def test_a_bundle_that_keeps_nothing_has_no_monitor(server) -> None:
    answer = server.ask("/v1/monitor")
    assert (answer.status, answer.json["code"]) == (404, "no_monitor")


def test_a_line_of_the_log_says_how_a_request_ended_and_nothing_that_is_secret(
    serve, bundle, colored
) -> None:
    import foveal

    server = serve("--workers", "1", "--log", "json")
    server.ask("/v1/predict", colored(), x_request_id="mine-1")
    server.ask("/v1/predict", b"secret", x_request_id="bad id with spaces")
    server.ask("/secret/path")
    server.ask("/v1/predict?secret=secret", colored())
    server.end()

    logged = [json.loads(line) for line in server.lines]
    requests = [line for line in logged if line["event"] == "request"]
    assert [line["outcome"] for line in requests] == ["ok", "not_image", "not_found", "unknown_parameter"]
    assert requests[0]["request_id"] == "mine-1"
    assert requests[0]["model"] == foveal.load(bundle).digest
    assert requests[1]["request_id"] != "bad id with spaces"
    assert requests[2]["model"] is None
    assert all(line["ms"] > 0 for line in requests)
    assert not any("secret" in line for line in server.lines)
