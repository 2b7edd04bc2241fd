from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from image_api import resources
from image_api.chalicelib import keys, manifests

ROOT = Path(__file__).parents[3]
CHALICE = ROOT / "image_api" / ".chalice"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": "111111111111",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "image-api-local",
}


def local_outputs() -> dict[str, str]:
    """The outputs of the stack image-api-local in the sandbox, worked out from the template."""
    template = resources.template().to_dict()

    def value(node: Any) -> str:
        match node:
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{(.+?)\}", lambda match: value({"Ref": match[1]}), text)
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(value(part) for part in parts)
            case {"Fn::Select": [int(index), {"Fn::Split": [str(separator), text]}]}:
                return value(text).split(separator)[index]
            case {"Ref": str(name)} if name in PSEUDO_PARAMETERS:
                return PSEUDO_PARAMETERS[name]
            case {"Ref": str(name)}:
                properties = template["Resources"][name]["Properties"]
                if "QueueName" in properties:
                    queue = value(properties["QueueName"])
                    return f"https://sqs.us-east-1.amazonaws.com/111111111111/{queue}"
                return value(properties.get("BucketName") or properties["LogGroupName"])
            case str(text):
                return text
            case {"Fn::GetAtt": ["FailureQueue", "Arn"]}:
                queue = value({"Ref": "FailureQueue"}).rsplit("/", 1)[-1]
                return f"arn:aws:sqs:us-east-1:111111111111:{queue}"
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return f"arn:aws:s3:::{value({'Ref': name})}"
        raise AssertionError(node)

    return {name: value(output["Value"]) for name, output in template["Outputs"].items()}


def stage(name: str) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((CHALICE / "config.json").read_text())["stages"][name]
    return recorded


def test_the_environment_recorded_for_local_is_the_stacks():
    recorded = stage("local")["environment_variables"]
    assert recorded == {
        **resources.environment(local_outputs()),
        "API_AUTH": "none",
        "CORS_ORIGIN": "*",
        "STAGE": "local",
    }


def test_the_policies_recorded_for_local_are_the_stacks():
    functions = stage("local")["lambda_functions"]
    policies = resources.policies(local_outputs())
    assert functions.keys() == policies.keys()
    for function, policy in policies.items():
        file = functions[function]["iam_policy_file"]
        assert file == f"policy-local-{function}.json"
        assert json.loads((CHALICE / file).read_text()) == policy


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_only_local_is_open(name):
    config = json.loads((CHALICE / "config.json").read_text())
    assert config["environment_variables"]["API_AUTH"] == "iam"
    assert stage(name).get("environment_variables", {}).get("API_AUTH", "iam") == "iam"


@pytest.mark.parametrize("function", ["api_handler", "process", "reprocess"])
def test_policies_are_sound(parliament, function):
    assert parliament(resources.policies(local_outputs())[function]) == {}


@pytest.mark.parametrize("function", ["api_handler", "process", "reprocess"])
def test_policies_name_actions_and_resources_exactly(function):
    for statement in resources.policies(local_outputs())[function]["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in statement["Action"])
        if statement["Sid"] != "Trace":
            listed = statement["Resource"]
            for resource in [listed] if isinstance(listed, str) else listed:
                assert "image-api-local" in resource or "image_api-local" in resource
                assert resource.count("*") <= 1


@pytest.mark.parametrize("function", ["process", "reprocess"])
def test_what_decodes_files_cannot_write_uploads(function):
    written = [
        action
        for statement in resources.policies(local_outputs())[function]["Statement"]
        if "-source-" in str(statement["Resource"])
        for action in statement["Action"]
    ]
    assert sorted(written) == ["s3:GetObject", "s3:ListBucket"]


def test_the_prefixes_are_those_of_the_keys():
    assert resources.SOURCES == keys.SOURCES
    assert resources.RENDITIONS == keys.RENDITIONS
    assert resources.MANIFESTS == keys.MANIFESTS
    assert keys.image_id(f"{resources.BATCH}report.csv") is None


def test_bucket_names_fit_in_the_longest_region_and_stage():
    assert len("image-api-staging-destination-111111111111-ap-southeast-1") <= 63


def test_the_template_is_deterministic():
    assert resources.template().to_json() == resources.template().to_json()


def test_the_log_groups_are_those_the_functions_write_to():
    config = json.loads((CHALICE / "config.json").read_text())
    outputs = local_outputs()
    prefix = "arn:aws:logs:us-east-1:111111111111:log-group:/aws/lambda/"
    assert outputs["ApiHandlerLogGroupArn"] == f"{prefix}{config['app_name']}-local"
    for function in config["lambda_functions"]:
        arn = outputs[f"{function.capitalize()}LogGroupArn"]
        assert arn == f"{prefix}{config['app_name']}-local-{function}"


def test_data_outlives_its_stack():
    template = resources.template().to_dict()
    buckets = [
        resource
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::S3::Bucket"
    ]
    assert len(buckets) == 2
    for bucket in buckets:
        assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
        tags = {tag["Key"]: tag["Value"] for tag in bucket["Properties"]["Tags"]}
        assert tags == {"Project": "aws-architectures", "Part": "image_api"}


def test_the_command_writes_the_template(tmp_path):
    command = [sys.executable, "image_api/resources.py", "--output", str(tmp_path / "new")]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [tmp_path / "new" / name for name in ("image_api.json", "image_api_operations.json")]
    assert finished.stdout.splitlines() == [str(path) for path in paths]
    for path, template in zip(paths, (resources.template(), resources.operations()), strict=True):
        assert json.loads(path.read_text()) == template.to_dict()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert resources.main(["--output", str(tmp_path / "taken")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_one_bucket_for_both_is_refused_before_it_is_recorded():
    outputs = local_outputs()
    with pytest.raises(ValueError, match="processed again, without end"):
        resources.environment(outputs | {"DestinationBucket": outputs["SourceBucket"]})


def test_the_inputs_of_the_second_stack_are_outputs_of_the_first():
    operations = resources.operations().to_dict()
    assert operations["Parameters"].keys() == set(resources.OPERATIONS_INPUTS)
    assert operations["Parameters"].keys() <= local_outputs().keys()


def test_an_image_counts_as_failed_when_lambda_gives_up():
    assert manifests.INVOCATIONS == 1 + resources.RETRIES
    assert manifests.GIVEN_UP_AFTER >= resources.EVENT_AGE_SECONDS + 3 * 120
    events = resources.operations().to_dict()["Resources"]["ProcessEvents"]["Properties"]
    assert events["MaximumRetryAttempts"] == resources.RETRIES
