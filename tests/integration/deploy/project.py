"""A small Chalice part in a folder of its own, and the command that deploys it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
STACK = "crud-api-dev"

RESOURCES = """
from troposphere import GetAtt, Output, Ref, Sub, Template
from troposphere.dynamodb import AttributeDefinition, KeySchema, Table

FUNCTIONS = ["api_handler"]


def template():
    template = Template()
    template.add_resource(
        Table(
            "Items",
            TableName=Sub("${AWS::StackName}-NAME"),
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[AttributeDefinition(AttributeName="id", AttributeType="S")],
            KeySchema=[KeySchema(AttributeName="id", KeyType="HASH")],
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
        )
    )
    template.add_output(Output("TableName", Value=Ref("Items")))
    template.add_output(Output("TableArn", Value=GetAtt("Items", "Arn")))
    return template


def environment(outputs):
    return {"TABLE": outputs["TableName"]}


def policies(outputs):
    statement = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": outputs["TableArn"]}
    return dict.fromkeys(FUNCTIONS, {"Version": "2012-10-17", "Statement": [statement]})
"""
APP = """
import os

from chalice import Chalice

app = Chalice(app_name="NAME")
TABLE = os.environ["TABLE"]


@app.route("/")
def index():
    return {"table": TABLE}
"""


class Project:
    """A root with one part, and the command that deploys it."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self.directory = root / "crud_api"
        (self.directory / ".chalice").mkdir(parents=True)
        config = {
            "version": "2.0",
            "app_name": name,
            "autogen_policy": False,
            "minimum_compression_size": 1024,
            "api_gateway_stage": "api",
            "stages": {"local": {}, "dev": {}, "prod": {}, "prod-eu": {}},
        }
        self.config.write_text(json.dumps(config))
        (self.directory / "app.py").write_text(APP.replace("NAME", name))
        (self.directory / "requirements.txt").write_text("")
        self.use(RESOURCES)

    @property
    def config(self) -> Path:
        return self.directory / ".chalice" / "config.json"

    @property
    def state(self) -> Path:
        return self.directory / ".chalice" / "deployed" / "dev.json"

    def clone(self, root: Path) -> Project:
        """The part as a fresh clone on another machine has it: without what was recorded."""
        clone = Project(root, self.name)
        if (settings := self.directory / "stages.toml").exists():
            clone.name_places(settings.read_text())
        return clone

    def name_places(self, settings: str) -> None:
        """Write stages.toml."""
        (self.directory / "stages.toml").write_text(settings)

    def use(self, resources: str) -> None:
        (self.directory / "resources.py").write_text(resources.replace("NAME", self.name))

    def command(self, *arguments: str, stage: str = "dev") -> list[str]:
        command = [sys.executable, "-m", "deploy", "crud_api", "--stage", stage]
        return [*command, "--root", str(self.root), *arguments]

    def run(
        self, *arguments: str, stage: str = "dev", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments, stage=stage),
            cwd=CHECKOUT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
