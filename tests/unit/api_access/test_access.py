import pytest
from chalice.app import CognitoUserPoolAuthorizer, IAMAuthorizer, Request

from api_access import Access, AccessError, access_of, caller

POOL = "arn:aws:cognito-idp:eu-central-1:111111111111:userpool/eu-central-1_abcDEF123"


def test_a_stage_that_says_nothing_is_closed():
    assert access_of({}) == Access("iam")
    assert isinstance(access_of({}).authorizer(), IAMAuthorizer)


def test_an_open_stage():
    access = access_of({"STAGE": "local", "API_AUTH": "none", "CORS_ORIGIN": "*"})
    assert access == Access("none", cors_origin="*")
    assert access.authorizer() is None


def test_user_pools_and_scopes():
    access = access_of({"API_AUTH": "cognito", "USER_POOL_ARNS": POOL, "API_SCOPES": "a/r a/w"})
    authorizer = access.authorizer()
    assert isinstance(authorizer, CognitoUserPoolAuthorizer)
    assert authorizer.scopes == ["a/r", "a/w"]
    definition = authorizer.to_swagger()["x-amazon-apigateway-authorizer"]
    assert definition["providerARNs"] == [POOL]


@pytest.mark.parametrize(
    "origin",
    ["https://example.com", "https://a-b.example.com:8443", "http://localhost:3000"],
)
def test_one_origin(origin):
    assert access_of({"CORS_ORIGIN": origin}).cors_origin == origin


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"API_AUTH": "open"}, "API_AUTH is 'open'; it must be one of iam, cognito, none"),
        ({"API_AUTH": ""}, "API_AUTH is ''"),
        ({"API_AUTH": "none", "STAGE": "prod"}, "at the stage prod it must be iam or cognito"),
        ({"API_AUTH": "cognito"}, "set USER_POOL_ARNS"),
        ({"API_AUTH": "cognito", "USER_POOL_ARNS": "eu-central-1_a"}, "a user pool is arn:aws"),
        ({"USER_POOL_ARNS": POOL}, "would have no effect"),
        ({"API_SCOPES": "a/r"}, "would have no effect"),
        ({"CORS_ORIGIN": "*"}, "at the stage local alone"),
        ({"CORS_ORIGIN": "*", "STAGE": "dev", "API_AUTH": "none"}, "at the stage local alone"),
        ({"CORS_ORIGIN": "https://example.com/"}, "without a path"),
        ({"CORS_ORIGIN": "https://*.example.com"}, "an origin is https://HOST"),
        ({"CORS_ORIGIN": "http://example.com"}, "an origin is https://HOST"),
        ({"CORS_ORIGIN": "null"}, "an origin is https://HOST"),
        ({"CORS_ORIGIN": "https://a.example https://b.example"}, "an origin is https://HOST"),
    ],
)
def test_what_would_open_an_api_by_mistake_is_refused(environ, said):
    with pytest.raises(AccessError, match=said.replace("*", r"\*")):
        access_of(environ)


def request(**context):
    event = {
        "httpMethod": "GET",
        "multiValueQueryStringParameters": None,
        "headers": {},
        "pathParameters": {},
        "requestContext": {"httpMethod": "GET", "resourcePath": "/items", **context},
        "stageVariables": {},
        "body": "",
        "isBase64Encoded": False,
    }
    return Request(event)


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (None, ""),
        ("arn:aws:iam::111111111111:user/ann", "arn:aws:iam::111111111111:user/ann"),
        (
            "arn:aws:sts::111111111111:assumed-role/reader/session-1",
            "arn:aws:sts::111111111111:assumed-role/reader",
        ),
    ],
)
def test_a_caller_with_iam_is_a_user_or_a_role(arn, expected):
    assert caller(request(identity={"userArn": arn})) == expected


def test_a_caller_with_a_token_is_its_subject_of_its_issuer():
    claims = {"iss": "https://cognito-idp.eu-central-1.amazonaws.com/pool", "sub": "1-2-3"}
    named = caller(request(identity={"userArn": None}, authorizer={"claims": claims}))
    assert named == "https://cognito-idp.eu-central-1.amazonaws.com/pool#1-2-3"


def test_a_request_that_nobody_signed():
    assert caller(request()) == ""
