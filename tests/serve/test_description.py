"""The OpenAPI document describes what the server does: no status, type or body that it does not name."""

import json
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from foveal.serve.app import create
from foveal.serve.served import served

load_all_checks()
# Bytes that fit `format: binary` are hardly ever a picture.
[NOT_MEANT] = [check for check in CHECKS.get_all() if check.__name__ == "positive_data_acceptance"]


OPERATIONS = [
    ("post", "/v1/predict"),
    ("post", "/v1/explain"),
    ("post", "/v1/search"),
    ("get", "/v1/models"),
    ("get", "/v1/monitor"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("get", "/v2"),
    ("get", "/v2/health/live"),
    ("get", "/v2/health/ready"),
    ("get", "/v2/models/{name}"),
    ("get", "/v2/models/{name}/ready"),
    ("post", "/v2/models/{name}/infer"),
]


@pytest.fixture(scope="module")
def described(bundle):
    return schemathesis.openapi.from_asgi("/openapi.json", create(served([str(bundle)])))


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_nothing_is_answered_that_is_not_described(described, method: str, path: str) -> None:
    @given(case=described[path][method].as_strategy())
    @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case) -> None:
        statuses.append(case.call_and_validate(excluded_checks=[NOT_MEANT]).status_code)

    statuses: list[int] = []
    ask()

    assert statuses
    assert set(statuses) <= {int(status) for status in described[path][method].definition.raw["responses"]}


def test_what_is_referred_to_is_there(bundle) -> None:
    document = create(served([str(bundle)])).openapi()
    schemas = document["components"]["schemas"]

    for name in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        assert name.removeprefix("#/components/schemas/") in schemas, name


def test_every_refusal_is_described_as_a_problem(bundle) -> None:
    document = create(served([str(bundle)])).openapi()

    assert {path for _, path in OPERATIONS} <= set(document["paths"])
    for place, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if status != "200":
                    assert list(response["content"]) == ["application/problem+json"], (place, method, status)
