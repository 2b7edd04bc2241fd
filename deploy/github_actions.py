"""The roles that GitHub Actions assumes, without keys: `python deploy/github_actions.py --help`.

GitHub signs a token for each job, which says the repository and what the job is for. AWS takes it
for the credentials of a role whose trust policy names both. Sources: GitHub Docs, "Configuring
OpenID Connect in Amazon Web Services" and "OpenID Connect reference"
(https://docs.github.com/en/actions/reference/security/oidc); AWS CloudFormation User Guide,
"CloudFormation service role".

One stack a stage, created by an administrator once:

    plan        jobs of pull requests; reads, and makes change sets that it cannot execute
    deploy      jobs of the GitHub environment that is called as the stage
    resources   assumed by CloudFormation to make what the stacks hold; the two above pass it on
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from troposphere import Equals, GetAtt, If, Output, Parameter, Ref, Sub, Tags, Template
from troposphere.iam import OIDCProvider, Policy, Role

FILE_NAME = "github_actions.json"
TAGS = {"Project": "aws-architectures", "Part": "deploy"}

_ISSUER = "token.actions.githubusercontent.com"
# The stacks and the apps of the parts, as their names begin.
_STACKS = ("crud-api", "image-api", "monitoring", "webtier")
_APPS = ("crud_api", "image_api")
_BUCKET = "arn:${AWS::Partition}:s3:::aws-architectures-artifacts-${AWS::AccountId}-${AWS::Region}"
# A template's name there: the SHA-256 of its content.
_TEMPLATES = f"{_BUCKET}/{'?' * 64}.json"
_POWER_USER = Sub("arn:${AWS::Partition}:iam::aws:policy/PowerUserAccess")
_HERE = "${AWS::Region}:${AWS::AccountId}"
# A rule of cdk-nag's packs beside AwsSolutions, named without the packs.
_OWN_POLICIES = {
    "id": "IAMNoInlinePolicy",
    "reason": "Each policy is for its role alone: inline, nothing else can attach it, and it goes "
    "with it",
}


def template() -> Template:
    """The stack of one stage's roles."""
    built = Template(Description="Roles of GitHub Actions for one stage: plan, deploy, resources")
    built.set_version()
    # I4010 asks for a design note on each resource; the comments here are those.
    lint = {"cfn-lint": {"config": {"ignore_checks": ["I4010"]}}}
    built.set_metadata(lint | {"cdk_nag": {"rules_to_suppress": [_OWN_POLICIES]}})
    for parameter in (
        Parameter(
            "Repository",
            Type="String",
            AllowedPattern=r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+",
            ConstraintDescription="OWNER/NAME, without https://github.com/",
            Description="The repository whose jobs may assume the roles: OWNER/NAME",
        ),
        Parameter(
            "Stage",
            Type="String",
            AllowedValues=["dev", "prod"],
            Default="dev",
            Description="The stage, which is the name of the GitHub environment too",
        ),
        Parameter(
            "IdentityProvider",
            Type="String",
            AllowedValues=["create", "existing"],
            Default="create",
            Description="An account has one provider of GitHub's tokens: create it with the first "
            "stage, and say existing for the second",
        ),
    ):
        built.add_parameter(parameter)
    built.add_condition("CreatesProvider", Equals(Ref("IdentityProvider"), "create"))
    provider = built.add_resource(
        OIDCProvider(
            "Provider",
            Condition="CreatesProvider",
            # IAM knows the authority behind GitHub's certificate and needs no thumbprint.
            Url=f"https://{_ISSUER}",
            ClientIdList=["sts.amazonaws.com"],
            Tags=Tags(**TAGS),
        )
    )
    provider_arn = If(
        "CreatesProvider", Ref(provider), _arn(f"iam::${{AWS::AccountId}}:oidc-provider/{_ISSUER}")
    )
    resources = built.add_resource(_resources_role())
    pass_it_on = _allow(
        "LetCloudFormationMakeResources",
        ["iam:PassRole"],
        GetAtt(resources, "Arn"),
        {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}},
    )
    plan = built.add_resource(
        _job_role("Plan", "pull_request", provider_arn, [pass_it_on, *_plan_statements()])
    )
    deploy = built.add_resource(
        _job_role(
            "Deploy", "environment:${Stage}", provider_arn, [pass_it_on, *_deploy_statements()]
        )
    )
    for role in (plan, deploy, resources):
        built.add_output(
            Output(
                f"{role.title}Arn",
                Description=role.properties["Description"],
                Value=GetAtt(role, "Arn"),
            )
        )
    return built


def _job_role(name: str, subject: str, provider_arn: Any, statements: list[dict[str, Any]]) -> Role:
    claims = {
        f"{_ISSUER}:aud": "sts.amazonaws.com",
        f"{_ISSUER}:sub": Sub(f"repo:${{Repository}}:{subject}"),
    }
    return Role(
        f"{name}Role",
        RoleName=Sub(f"github-actions-{name.lower()}-${{Stage}}"),
        Description=f"Assumed by jobs of GitHub Actions to {name.lower()} a stage",
        MaxSessionDuration=3600,
        AssumeRolePolicyDocument={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": provider_arn},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": claims},
                }
            ],
        },
        Policies=[
            Policy(
                PolicyName=name.lower(),
                PolicyDocument={"Version": "2012-10-17", "Statement": statements},
            )
        ],
        Metadata=_excused(
            _wildcards(statements, "What comes after a name or an id, or is listed to be found"),
            {
                "UNKNOWN_CONDITION_FOR_ACTION": "GitHub's claim of the job's subject; parliament "
                "knows the keys of AWS only",
                "UNKNOWN_ACTION": "cloudformation:DescribeEvents is younger than parliament's list",
                "UNKNOWN_FEDERATION_SOURCE": "The provider of GitHub; parliament knows those of "
                "SAML only",
            },
        ),
        Tags=Tags(**TAGS),
    )


def _resources_role() -> Role:
    return Role(
        "ResourcesRole",
        RoleName=Sub("github-actions-resources-${Stage}"),
        Description="Assumed by CloudFormation to make the resources of the parts' stacks",
        AssumeRolePolicyDocument={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "cloudformation.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
                }
            ],
        },
        # Whatever a template may hold, but no identities.
        ManagedPolicyArns=[_POWER_USER],
        Policies=[
            Policy(
                PolicyName="roles-of-the-stacks",
                PolicyDocument={
                    "Version": "2012-10-17",
                    "Statement": _resources_statements(),
                },
            )
        ],
        Metadata=_excused(
            {
                f"IAM4[Policy::{_readable(_POWER_USER)}]": "CloudFormation has to make whatever a "
                "template holds; only the two roles above can have it do so",
                **_wildcards(
                    _resources_statements(), "CloudFormation completes the names it makes"
                ),
            }
        ),
        Tags=Tags(**TAGS),
    )


def _resources_statements() -> list[dict[str, Any]]:
    roles = [_arn(f"iam::${{AWS::AccountId}}:role/{name}-${{Stage}}*") for name in _STACKS]
    profiles = [
        _arn(f"iam::${{AWS::AccountId}}:instance-profile/{name}-${{Stage}}*") for name in _STACKS
    ]
    attached = [_arn(f"iam::aws:policy/{name}") for name in _ATTACHED]
    return [
        _allow(
            "RolesOfTheStacks",
            [
                "iam:CreateRole",
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
                "iam:PassRole",
                "iam:PutRolePolicy",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
            ],
            roles,
        ),
        _allow(
            "ManagedPoliciesOfTheStacks",
            ["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
            roles,
            {"ArnLike": {"iam:PolicyARN": attached}},
        ),
        _allow(
            "InstanceProfilesOfTheStacks",
            [
                "iam:AddRoleToInstanceProfile",
                "iam:CreateInstanceProfile",
                "iam:DeleteInstanceProfile",
                "iam:GetInstanceProfile",
                "iam:RemoveRoleFromInstanceProfile",
            ],
            profiles,
        ),
    ]


# AWS's policies that a template attaches to a role.
_ATTACHED = (
    "AmazonSSMManagedInstanceCore",
    "CloudWatchAgentServerPolicy",
    "service-role/AmazonAPIGatewayPushToCloudWatchLogs",
    "service-role/AmazonRDSEnhancedMonitoringRole",
)


_PROPOSING = [
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeEvents",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "cloudformation:GetTemplate",
    "cloudformation:ListChangeSets",
    "cloudformation:ListStackResources",
]
_READING_FUNCTIONS = [
    "lambda:GetFunction",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
    "lambda:GetPolicy",
    "lambda:ListTags",
]
_CHANGING_FUNCTIONS = [
    "lambda:AddPermission",
    "lambda:CreateFunction",
    "lambda:DeleteFunction",
    "lambda:DeleteFunctionConcurrency",
    "lambda:PutFunctionConcurrency",
    "lambda:RemovePermission",
    "lambda:TagResource",
    "lambda:UntagResource",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
]
_READING_ROLES = [
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
]
_CHANGING_ROLES = [
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePolicy",
    "iam:PutRolePolicy",
    "iam:TagRole",
    "iam:UpdateAssumeRolePolicy",
]


def _plan_statements() -> list[dict[str, Any]]:
    return [
        _allow("ProposeChanges", _PROPOSING, _stacks()),
        _allow("ReadTheState", ["s3:GetObject", "s3:GetObjectVersion"], Sub(f"{_BUCKET}/*")),
        _allow(
            "SendTemplates",
            ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject"],
            Sub(_TEMPLATES),
        ),
        *_listing(),
        _allow("ReadFunctions", _READING_FUNCTIONS, _functions()),
        _allow("ReadRoles", _READING_ROLES, _roles()),
        _allow("ReadApis", ["apigateway:GET"], _apis()),
    ]


def _deploy_statements() -> list[dict[str, Any]]:
    return [
        _allow("ChangeStacks", sorted([*_PROPOSING, "cloudformation:ExecuteChangeSet"]), _stacks()),
        _allow(
            "KeepStateAndArtifacts",
            ["s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
            Sub(f"{_BUCKET}/*"),
        ),
        *_listing(),
        _allow("Functions", sorted([*_READING_FUNCTIONS, *_CHANGING_FUNCTIONS]), _functions()),
        _allow("RolesOfFunctions", sorted([*_READING_ROLES, *_CHANGING_ROLES]), _roles()),
        _allow(
            "GiveFunctionsTheirRoles",
            ["iam:PassRole"],
            _roles(),
            {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        ),
        _allow("Apis", [f"apigateway:{verb}" for verb in _VERBS], _apis()),
        _allow(
            "EventsOfUploads",
            ["s3:GetBucketNotification", "s3:PutBucketNotification"],
            Sub(_UPLOADS),
        ),
    ]


_VERBS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_UPLOADS = "arn:${AWS::Partition}:s3:::image-api-${Stage}-source-${AWS::AccountId}-${AWS::Region}"


def _listing() -> list[dict[str, Any]]:
    return [
        _allow(
            "FindTheState",
            ["s3:ListBucket", "s3:ListBucketVersions"],
            [Sub(_BUCKET), Sub(_UPLOADS)],
        ),
        _allow("ListFunctions", ["lambda:ListFunctions"], "*"),
        _allow("ListRoles", ["iam:ListRoles"], "*"),
    ]


def _stacks() -> list[Any]:
    names = [*(f"{name}-${{Stage}}" for name in _STACKS)]
    names += ["crud-api-functions-${Stage}", "image-api-operations-${Stage}"]
    names += ["monitoring-workload-${Stage}", "aws-architectures-artifacts"]
    return [_arn(f"cloudformation:{_HERE}:stack/{name}/*") for name in names]


def _functions() -> list[Any]:
    return [_arn(f"lambda:{_HERE}:function:{name}-${{Stage}}*") for name in _APPS]


def _roles() -> list[Any]:
    return [_arn(f"iam::${{AWS::AccountId}}:role/{name}-${{Stage}}*") for name in _APPS]


def _apis() -> list[Any]:
    # An API's id is chosen by API Gateway, so its ARN cannot be told before there is one.
    paths = (
        "account",
        "apikeys",
        "apikeys/*",
        "restapis",
        "restapis/*",
        "tags/*",
        "usageplans",
        "usageplans/*",
    )
    return [Sub(f"arn:${{AWS::Partition}}:apigateway:${{AWS::Region}}::/{path}") for path in paths]


def _arn(rest: str) -> Sub:
    return Sub(f"arn:${{AWS::Partition}}:{rest}")


def _readable(arn: Sub) -> str:
    """The ARN as cdk-nag writes it."""
    return re.sub(r"\$\{([^}]+)\}", r"<\1>", arn.data["Fn::Sub"])


def _wildcards(statements: list[dict[str, Any]], reason: str) -> dict[str, str]:
    """The reason by cdk-nag's rule for each resource that the statements name with a wildcard."""
    resources = [
        "*" if resource == "*" else _readable(resource)
        for statement in statements
        if not isinstance(statement["Resource"], GetAtt)
        for resource in (
            statement["Resource"]
            if isinstance(statement["Resource"], list)
            else [statement["Resource"]]
        )
    ]
    return {f"IAM5[Resource::{resource}]": reason for resource in resources if "*" in resource}


def _excused(reasons: dict[str, str], parliament: dict[str, str] | None = None) -> dict[str, Any]:
    """The metadata that excuses a role from rules of cdk-nag and issues of parliament."""
    rules = [{"id": f"AwsSolutions-{rule}", "reason": reason} for rule, reason in reasons.items()]
    metadata: dict[str, Any] = {"cdk_nag": {"rules_to_suppress": rules}}
    if parliament:
        ignored = [{"id": issue, "reason": reason} for issue, reason in parliament.items()]
        metadata["parliament"] = {"ignore": ignored}
    return metadata


def _allow(
    sid: str, actions: list[str], resource: Any, condition: dict[str, Any] | None = None
) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


def main(arguments: list[str] | None = None) -> int:
    """Write the template and print its path; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python deploy/github_actions.py",
        description=f"Write {FILE_NAME}: the roles that GitHub Actions assumes for a stage.",
    )
    parser.add_argument(
        "--output", type=Path, default=Path("build"), metavar="DIR", help="default: build"
    )
    directory = parser.parse_args(arguments).output
    path = directory / FILE_NAME
    text = json.dumps(template().to_dict(), indent=2, sort_keys=True) + "\n"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"{parser.prog}: cannot write {path}: {error.strerror}", file=sys.stderr)
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
