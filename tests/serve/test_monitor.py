"""One drift monitor for all workers, and what is logged."""

import json


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
    server.ask("/v1/predict?secret=1", colored(), x_request_id="mine-1")
    server.ask("/v1/predict", b"secret", x_request_id="bad id with spaces")
    server.ask("/secret/path")
    server.end()

    logged = [json.loads(line) for line in server.lines]
    requests = [line for line in logged if line["event"] == "request"]
    assert [line["outcome"] for line in requests] == ["ok", "not_image", "not_found"]
    assert requests[0]["request_id"] == "mine-1"
    assert requests[0]["model"] == foveal.load(bundle).digest
    assert requests[1]["request_id"] != "bad id with spaces"
    assert requests[2]["model"] is None
    assert all(line["ms"] > 0 for line in requests)
    assert not any("secret" in line for line in server.lines)
