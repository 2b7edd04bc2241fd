"""The roles of a Chalice app's functions: as its policy files say, and for this account alone.

`refuse_drift` stops a deployment that would hide what somebody changed by hand: in a policy file,
which is made from the stack's outputs, or at a role, where Chalice replaces its own policy only.
`confine` adds what Chalice 1.34 has no setting for: Lambda takes the role on for functions of this
account ("The confused deputy problem", AWS IAM user guide).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy import deployed
from deploy.errors import DeployError, SettingsError

Document = Mapping[str, Any]


def refuse_drift(
    iam: Any, directory: Path, app: str, stage: str, policies: Mapping[str, Document]
) -> None:
    """Raise where a role has rights that no policy file gives, or a file others than its template.

    `iam` is boto3's client, `policies` are the documents by function. A role that is not there yet
    has no drift.

    Raises DeployError: of the role. SettingsError: of the file.
    """
    for function, wanted in policies.items():
        role = f"{app}-{stage}-{function}"
        try:
            inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
        except iam.exceptions.NoSuchEntityException:
            continue
        attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        foreign = sorted({*inline} - {role}) + sorted(each["PolicyName"] for each in attached)
        if foreign:
            raise DeployError(
                f"the role {role} has the policy {', '.join(foreign)}, which no file here "
                "describes: take it off the role, or write its statements into resources.py"
            )
        if role not in inline:
            continue
        deployed_policy = iam.get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
        file = directory / ".chalice" / f"policy-{stage}-{function}.json"
        # A file that is as it was deployed is of an earlier template.
        if file.exists() and _read(file) not in (wanted, deployed_policy):
            raise SettingsError(
                f"{file} was changed by hand: it is made from resources.py at every deployment. "
                "Write the change there and delete the file"
            )


def confine(iam: Any, directory: Path, stage: str, account_id: str) -> list[str]:
    """Let Lambda take the app's roles on for this account alone, return the names changed."""
    condition = {"StringEquals": {"aws:SourceAccount": account_id}}
    changed = []
    for resource in (deployed.read(directory, stage) or {}).get("resources", ()):
        if resource["resource_type"] != "iam_role":
            continue
        name = resource["role_name"]
        trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
        statements = [{**statement, "Condition": condition} for statement in trust["Statement"]]
        if statements != trust["Statement"]:
            document = json.dumps({**trust, "Statement": statements})
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
            changed.append(name)
    return changed


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SettingsError(f"{file} is not JSON: {error}. Delete it: it is made anew") from error
