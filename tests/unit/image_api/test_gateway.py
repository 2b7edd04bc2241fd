"""What API Gateway answers by itself, beside what the app would have said."""

from __future__ import annotations

import json

import pytest

from image_api import gateway
from image_api.chalicelib import problems
from image_api.chalicelib.refusals import TooLarge
from image_api.chalicelib.uploads import MAX_BODY_BYTES

ORIGIN = "gatewayresponse.header.Access-Control-Allow-Origin"


def test_a_body_too_large_for_the_gateway_is_the_problem_the_app_answers():
    response = gateway.responses({})["REQUEST_TOO_LARGE"]
    assert response["statusCode"] == "413"
    document = json.loads(response["responseTemplates"]["application/json"])
    problem = problems.refused(TooLarge("")).document()
    for member in ("type", "title", "status"):
        assert document[member] == problem[member]
    assert document["links"] == {"uploads": "uploads"}
    assert f"{MAX_BODY_BYTES:,}" in document["detail"]


def test_every_gateway_response_is_a_problem_that_the_page_of_the_stage_may_read():
    for environment in ({}, {"CORS_ORIGIN": "https://a.example"}):
        for kind, response in gateway.responses(environment).items():
            template = response["responseTemplates"]["application/json"]
            document = json.loads(template.replace("$context.error.messageString", '"a"'))
            assert str(document["status"]) == response["statusCode"], kind
            assert document["type"].startswith("/problems/")
            parameters = response["responseParameters"]
            assert parameters["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
            assert (ORIGIN in parameters) is bool(environment)


def test_a_usage_plan_is_refused_for_no_route_asks_for_a_key():
    assert gateway.environment(usage_plan=False) == {}
    with pytest.raises(ValueError, match="has no API keys"):
        gateway.environment(usage_plan=True)
