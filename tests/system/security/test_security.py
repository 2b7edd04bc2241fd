"""What a security reviewer asks of everything deployed: least privilege, and who may call."""

from __future__ import annotations

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.credentials import Credentials

from sandbox import emulator, environment, privilege
from sandbox.privilege import Right
from tests.policy_rules import faults
from tests.system.security import callers, scenarios
from tests.system.security.callers import STRANGER
from tests.system.security.deployed import MONITORING, WORKLOAD, Api, Deployed, Refused
from tests.system.security.excuses import EXCUSES
from tests.system.security.scenarios import Actions, Images, Scenario, log_of

if TYPE_CHECKING:
    from tests.system.conftest import Checkout

# Everything is deployed and used in full; a busy machine takes its time for it.
pytestmark = pytest.mark.timeout(900)

SWIFT_ACTIONS = """
[dev.parameters.monitoring]
WorkloadAccountId = "111111111111"
DryRun = false
CoolDownSeconds = 0
PatienceSeconds = 1
CapBudget = 1000
IncidentBudget = 1000
RedriveBudget = 1000
"""
STRANGER_IS_LET_IN = """
[prod.gateway.callers]
accounts = ["333333333333"]
"""
# What a function reads once and keeps: without the right it has to start anew to miss it.
KEPT_IN_MEMORY = {"secretsmanager:GetSecretValue", "kms:Decrypt"}

# A scenario that runs the function of each operation.
USED_BY = {
    "create_item": "create",
    "delete_item": "delete",
    "get_item": "read",
    "list_items": "list",
    "patch_item": "patch name",
    "put_item": "replace",
    "write_items": "batch",
}


@dataclass(frozen=True)
class Group:
    """Scenarios that use the rights of some roles, one after the other.

    `functions` are those whose roles are meant, with their accounts; `roles` are further ones.
    """

    functions: tuple[tuple[str, str], ...]
    scenarios: dict[str, Scenario]
    roles: frozenset[str] = frozenset()


def deploy(checkout: Checkout, started: emulator.Emulator, part: str, *options: str) -> None:
    variables = environment.variables(started.endpoint, started.directory)
    command = ["python", "-m", "deploy", part, *options]
    done = checkout.run(*command, env=variables)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def deployed(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The parts with functions at dev, where calls are signed; the items API at prod as well.

    At dev it has a function for each operation, at prod one for all of them.
    """
    stages = checkout.path / "monitoring" / "stages.toml"
    before = stages.read_text()
    start = before.index("[dev.parameters.monitoring]")
    end = before.index("[prod]")
    stages.write_text(before[:start] + SWIFT_ACTIONS + before[end:])
    with (checkout.path / "crud_api" / "stages.toml").open("a") as file:
        file.write(STRANGER_IS_LET_IN)
    folder = tmp_path_factory.mktemp("privilege")
    started = emulator.start(
        folder / "sandbox", port=emulator.any_free_port(), record=folder / "calls.jsonl"
    )
    try:

        def items() -> None:
            deploy(checkout, started, "crud_api", "--stage", "dev", "--per-operation")

        def images() -> None:
            deploy(checkout, started, "image_api", "--stage", "dev")

        def rest() -> None:
            deploy(checkout, started, "monitoring", "--stage", "dev")

        # The first one makes the bucket that all of them use.
        deploy(checkout, started, "crud_api", "--stage", "prod")
        with ThreadPoolExecutor(2) as threads:
            for wave in ((items, images), (rest,)):
                for done in [threads.submit(part) for part in wave]:
                    done.result()
        everything = Deployed(started, folder / "calls.jsonl")
        for account in (WORKLOAD, MONITORING):
            client = everything.client("cloudformation", account)
            for stack in client.describe_stacks()["Stacks"]:
                everything.outputs[stack["StackName"]] = {
                    output["OutputKey"]: output["OutputValue"]
                    for output in stack.get("Outputs", [])
                }
        yield everything
    finally:
        started.stop()


@pytest.fixture(scope="module")
def groups(deployed: Deployed) -> dict[str, Group]:
    """All scenarios by the roles they use; `process` has been run, so that there is a result."""
    lambda_ = deployed.client("lambda")
    prefix = "image_api-dev"
    variables = lambda_.get_function_configuration(FunctionName=prefix)["Environment"]["Variables"]
    failures = deployed.outputs["image-api-dev"]["FailureQueueUrl"]
    images = Images(deployed, deployed.api(prefix), variables, failures, prefix)
    # The first failure counts: the retries are the business of other tests.
    lambda_.put_function_event_invoke_config(
        FunctionName=f"{prefix}-process",
        MaximumRetryAttempts=0,
        DestinationConfig={
            "OnFailure": {"Destination": deployed.outputs["image-api-dev"]["FailureQueueArn"]}
        },
    )
    images.process()

    def paused(scenario: Scenario) -> Scenario:
        """`process` would follow up what the API does: hold it off meanwhile."""

        def run() -> None:
            lambda_.put_function_concurrency(
                FunctionName=f"{prefix}-process", ReservedConcurrentExecutions=0
            )
            try:
                scenario()
            finally:
                lambda_.delete_function_concurrency(FunctionName=f"{prefix}-process")

        return run

    process_arn = lambda_.get_function_configuration(FunctionName=f"{prefix}-process")[
        "FunctionArn"
    ]
    monitoring = deployed.outputs["monitoring-dev"]
    actions = Actions(deployed, monitoring, process_arn, failures)
    actions.put_alarm()
    operations = sorted(
        function["FunctionName"]
        for page in lambda_.get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if function["FunctionName"].startswith("crud_api-dev")
    )
    one, many = deployed.api("crud_api-prod"), deployed.api("crud_api-dev")
    items_of_many = scenarios.of_items(many, deployed, "crud-api-dev-items")
    function = monitoring["ActionFunctionName"]

    def log(name: str, use: Scenario, account: str = WORKLOAD) -> dict[str, Scenario]:
        return {f"log of {name}": log_of(deployed, name, account, use)}

    def log_of_operation(name: str) -> dict[str, Scenario]:
        operation = name.removeprefix("crud_api-dev").removeprefix("-")
        if operation:
            return log(name, items_of_many[USED_BY[operation]])
        return log(name, lambda: many.call("GET", "/openapi.json"))

    return {
        "items, one function": Group(
            ((WORKLOAD, "crud_api-prod"),),
            scenarios.of_items(one, deployed, "crud-api-prod-items")
            | log("crud_api-prod", lambda: one.call("GET", "/openapi.json")),
        ),
        "items, a function an operation": Group(
            tuple((WORKLOAD, name) for name in operations),
            {
                **items_of_many,
                **{
                    title: scenario
                    for name in operations
                    for title, scenario in log_of_operation(name).items()
                },
            },
        ),
        "images": Group(
            ((WORKLOAD, prefix),),
            {name: paused(scenario) for name, scenario in images.scenarios().items()}
            | log(prefix, lambda: images.api.call("GET", "/images")),
        ),
        "process": Group(
            ((WORKLOAD, f"{prefix}-process"),),
            images.of_process()
            | {"process a failure": images.process_failure}
            | log(f"{prefix}-process", images.process),
        ),
        "reprocess": Group(
            ((WORKLOAD, f"{prefix}-reprocess"),),
            {name: paused(scenario) for name, scenario in images.of_reprocess().items()}
            | log(f"{prefix}-reprocess", images.reprocess),
        ),
        "actions": Group(
            ((MONITORING, function),),
            actions.scenarios() | log(function, actions.remind, MONITORING),
            frozenset({f"{WORKLOAD}:{function}"}),
        ),
    }


def role_of(deployed: Deployed, account: str, function: str) -> str:
    configuration = deployed.client("lambda", account).get_function_configuration(
        FunctionName=function
    )
    return f"{account}:{configuration['Role'].rpartition('/')[2]}"


def proves(scenario: str, right: Right) -> bool:
    """Whether a scenario fails visibly without a right that was used while it ran.

    What Lambda does for a function, before and after it, has scenarios of its own.
    """
    if right.action.startswith("logs:"):
        return scenario.startswith("log of")
    if right.sid == "TakeMessages":
        return scenario == "actions' queue"
    return not scenario.startswith("log of")


@dataclass(frozen=True)
class Use:
    """A scenario during which a right was used, with its group and the function it is for."""

    group: str
    scenario: str
    account: str
    function: str


@pytest.fixture(scope="module")
def uses(deployed: Deployed, groups: dict[str, Group]) -> dict[Right, list[Use]]:
    """Where each right was used: not always by the scenario, an earlier event may come late."""
    rights = deployed.rights()
    found: dict[Right, list[Use]] = defaultdict(list)
    for title, group in groups.items():
        functions = {role_of(deployed, *function): function for function in group.functions}
        functions |= dict.fromkeys(group.roles, group.functions[0])
        for name, scenario in group.scenarios.items():
            before = deployed.lines()
            scenario()
            calls = deployed.calls(before)
            for right in rights:
                if right.role not in functions or not proves(name, right):
                    continue
                if any(call.allowed and right.allows(call) for call in calls):
                    found[right].append(Use(title, name, *functions[right.role]))
    return dict(found)


def test_nothing_is_missing_and_nothing_is_idle(
    deployed: Deployed, uses: dict[Right, list[Use]]
) -> None:
    assert uses
    # The bucket's policy refuses this one, to make an event fail.
    calls = [call for call in deployed.calls() if call.allowed or call.action != "s3:PutObject"]
    found = privilege.findings(deployed.rights(), calls, EXCUSES)
    assert not found, "\n".join(found)


def test_without_any_one_right_an_operation_fails_and_with_it_again_works(
    deployed: Deployed, groups: dict[str, Group], uses: dict[Right, list[Use]]
) -> None:
    unproven = [
        str(right)
        for right in deployed.rights()
        if right not in uses and not any(excuse.covers(right) for excuse in EXCUSES)
    ]
    assert not unproven, "no scenario uses:\n" + "\n".join(unproven)
    # What follows up what another one does cannot lack a right at the same time.
    chains = [
        ["items, one function"],
        ["items, a function an operation"],
        ["images", "process", "reprocess", "actions"],
    ]

    def run(chain: list[str]) -> list[str]:
        wrong = []
        for title in chain:
            scenarios = groups[title].scenarios
            for right, candidates in uses.items():
                if candidates[0].group == title:
                    wrong += told_without(deployed, right, candidates, scenarios)
            for name, scenario in scenarios.items():
                try:
                    scenario()
                except Refused as refused:
                    wrong.append(f"{title}, {name}, with all rights again: {refused}")
        return wrong

    with ThreadPoolExecutor(len(chains)) as threads:
        wrong = [line for lines in threads.map(run, chains) for line in lines]
    assert not wrong, "\n".join(wrong)


def told_without(
    deployed: Deployed, right: Right, candidates: list[Use], scenarios: dict[str, Scenario]
) -> list[str]:
    """What is wrong about how scenarios fail without the right: one has to, and to tell nothing."""
    problem = None
    with deployed.lacking(right):
        for use in candidates:
            if right.action in KEPT_IN_MEMORY:
                deployed.start_afresh(use.function, use.account)
            try:
                scenarios[use.scenario]()
            except Refused as refused:
                problem = refused.problem
                break
        else:
            return [f"works without {right}: {', '.join(use.scenario for use in candidates)}"]
    if problem is not None:
        text = json.dumps(problem).lower()
        leaks = [word for word in ("arn:", "denied", "not authorized", "dynamodb") if word in text]
        if leaks or problem["status"] != 500:
            return [f"without {right} the client is told {problem}"]
    return []


def test_nobody_lets_in_more_than_is_meant(deployed: Deployed) -> None:
    """The policies as they are in the accounts, with those that only a deployment makes."""
    found = [
        f"{account} {name}: {fault}"
        for account, name, role in deployed.roles()
        for fault in faults(role["AssumeRolePolicyDocument"])
    ]
    lambda_ = deployed.client("lambda")
    for page in lambda_.get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            name = function["FunctionName"]
            try:
                policy = lambda_.get_policy(FunctionName=name)["Policy"]
            except lambda_.exceptions.ResourceNotFoundException:
                continue
            found += [f"{name}: {fault}" for fault in faults(json.loads(policy))]
    assert not found, "\n".join(found)


def test_the_page_for_reviewers_names_every_role(deployed: Deployed) -> None:
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text()
    patterns = [
        named.replace("-STAGE", "-*")
        for named in re.findall(r"`((?!webtier)[\w-]+-STAGE-[\w*-]+)`", page)
    ]
    operations = "crud-api-functions-*-*Role-*"  # "one an operation"
    named = [*patterns, operations]
    missing = [
        role for _, role, _ in deployed.roles() if not any(fnmatchcase(role, one) for one in named)
    ]
    assert not missing
    # The other way round: a row that no role is meant by.
    roles = [role for _, role, _ in deployed.roles()]
    assert [one for one in patterns if not any(fnmatchcase(role, one) for role in roles)] == []


@pytest.fixture(scope="module", params=["crud_api-dev", "image_api-dev"])
def signed(request: pytest.FixtureRequest, deployed: Deployed) -> tuple[Api, str]:
    """An API that asks for signatures, and the path of its list."""
    path = "/items" if request.param.startswith("crud") else "/images"
    return deployed.api(request.param), path


def refused(api: Api, method: str, path: str, status: int, **headers: str) -> dict[str, Any]:
    """The problem document of a call that is refused with this status."""
    with pytest.raises(Refused) as caught:
        api.call(method, path, expect=299, **headers)
    problem = caught.value.problem
    assert problem is not None, caught.value
    assert problem["status"] == status, problem
    return problem


class TestSignedCalls:
    """API_AUTH is iam."""

    def test_only_a_good_signature_of_the_account_gets_through(
        self, signed: tuple[Api, str]
    ) -> None:
        api, path = signed
        assert api.call("GET", path).status_code == 200
        wrong = Credentials("AKIAIOSFODNN7EXAMPLE", "wrong")
        for credentials in (None, wrong, STRANGER):
            problem = refused(Api(api.url, credentials), "GET", path, 403)
            assert problem["type"] == "/problems/forbidden"

    def test_a_role_calls_the_routes_that_it_may_and_no_others(
        self, deployed: Deployed, signed: tuple[Api, str]
    ) -> None:
        api, path = signed
        api_id = api.url.split("/")[-2]
        route = f"arn:aws:execute-api:us-east-1:{WORKLOAD}:{api_id}/api/GET{path}"
        statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": route}
        reader = Api(api.url, callers.role(deployed, statement))
        assert reader.call("GET", path).status_code == 200
        for method, other in (("POST", path), ("DELETE", f"{path}/x"), ("GET", f"{path}/x")):
            refused(reader, method, other, 403)
        nobody = Api(api.url, callers.role(deployed, {**statement, "Effect": "Deny"}))
        refused(nobody, "GET", path, 403)

    def test_a_request_too_large_is_told(self, signed: tuple[Api, str]) -> None:
        api, path = signed
        with pytest.raises(Refused) as caught:
            api.call("POST", path, content=b"x" * (10 * 1024 * 1024 + 1), expect=299)
        assert caught.value.problem is not None
        assert caught.value.problem["status"] == 413

    def test_another_account_is_let_in_where_the_stage_names_it(self, deployed: Deployed) -> None:
        # crud_api/stages.toml in the copy names it for prod, not for dev.
        api = deployed.api("crud_api-prod")
        assert Api(api.url, STRANGER).call("GET", "/items").status_code == 200
        fourth = Credentials("444444444444", environment.SECRET_ACCESS_KEY)
        refused(Api(api.url, fourth), "GET", "/items", 403)

    def test_calls_beyond_the_limit_of_the_stage_wait(
        self, deployed: Deployed, signed: tuple[Api, str]
    ) -> None:
        api, path = signed
        gateway, api_id = deployed.client("apigateway"), api.url.split("/")[-2]
        before = gateway.get_stage(restApiId=api_id, stageName="api")["methodSettings"]["*/*"]
        assert before["throttlingRateLimit"] > 0

        def limit(rate: float, burst: int) -> None:
            gateway.update_stage(
                restApiId=api_id,
                stageName="api",
                patchOperations=[
                    {"op": "replace", "path": f"/*/*/throttling/{name}", "value": str(value)}
                    for name, value in (("rateLimit", rate), ("burstLimit", burst))
                ],
            )

        limit(0.001, 2)
        try:
            for _ in range(2):
                api.call("GET", path)
            assert refused(api, "GET", path, 429)["type"] == "/problems/too-many-requests"
        finally:
            limit(before["throttlingRateLimit"], before["throttlingBurstLimit"])


@pytest.fixture(scope="module")
def users(checkout: Checkout, deployed: Deployed) -> tuple[Api, str, str]:
    """The items API with API_AUTH cognito, and the pool it trusts with its client."""
    arn, client = callers.pool(deployed)
    config = checkout.path / "crud_api" / ".chalice" / "config.json"
    document = json.loads(config.read_text())
    variables = document["stages"]["prod"]["environment_variables"]
    variables |= {"API_AUTH": "cognito", "USER_POOL_ARNS": arn}
    config.write_text(json.dumps(document))
    stages = checkout.path / "crud_api" / "stages.toml"
    stages.write_text(stages.read_text().replace(STRANGER_IS_LET_IN, ""))
    deploy(checkout, deployed.emulator, "crud_api", "--stage", "prod")
    return Api(deployed.api("crud_api-prod").url, None), arn, client


class TestUsersOfAPool:
    """API_AUTH is cognito. This deploys the items API anew, so it comes last."""

    def test_a_token_of_the_pool_gets_through_and_nothing_else(
        self, deployed: Deployed, users: tuple[Api, str, str]
    ) -> None:
        api, arn, client = users
        good = callers.token(deployed, arn, client, "ann")
        assert api.call("GET", "/items", Authorization=f"Bearer {good}").status_code == 200
        assert api.call("GET", "/items", Authorization=good).status_code == 200
        header, claims, signature = good.split(".")
        others = callers.token(deployed, *callers.pool(deployed), "ann")
        unsigned = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
        longer = json.loads(base64.urlsafe_b64decode(claims + "=="))
        longer["sub"] = "somebody-else"
        forged = base64.urlsafe_b64encode(json.dumps(longer).encode()).decode().rstrip("=")
        for token in (
            "",
            "nothing",
            others,
            f"{header}.{forged}.{signature}",
            f"{unsigned}.{claims}.",
        ):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            problem = refused(api, "GET", "/items", 401, **headers)
            assert problem["type"] == "/problems/unauthorized"
        with pytest.raises(Refused):
            Api(api.url).call("GET", "/items")  # a signature is no token

    def test_a_cursor_is_good_for_the_user_it_was_given_to(
        self, deployed: Deployed, users: tuple[Api, str, str]
    ) -> None:
        api, arn, client = users
        ben, eve = (
            {"Authorization": f"Bearer {callers.token(deployed, arn, client, name)}"}
            for name in ("ben", "eve")
        )
        for _ in range(2):
            api.call("POST", "/items", {"name": "a"}, expect=201, **ben)
        cursor = api.call("GET", "/items?limit=1", **ben).json()["next"]
        assert api.call("GET", f"/items?limit=1&cursor={cursor}", **ben).json()["items"]
        problem = refused(api, "GET", f"/items?limit=1&cursor={cursor}", 400, **eve)
        assert problem["type"] == "/problems/invalid-query"
