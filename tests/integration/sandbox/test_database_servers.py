"""A PostgreSQL instance of CloudFormation runs, with its password in a secret."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import psycopg
import pytest
from troposphere import GetAtt, Output, Template, rds


def template(**properties: Any) -> Template:
    built = Template()
    instance = built.add_resource(
        rds.DBInstance(
            "Database",
            Engine="postgres",
            DBInstanceClass="db.t4g.medium",
            AllocatedStorage="20",
            DBName="shop",
            MasterUsername="keeper",
            ManageMasterUserPassword=True,
            **properties,
        )
    )
    for name in ("Endpoint.Address", "Endpoint.Port", "MasterUserSecret.SecretArn"):
        built.add_output(Output(name.replace(".", ""), Value=GetAtt(instance, name)))
    return built


@pytest.fixture
def connect(aws, deploy_stack, unique):
    """Deploys an instance; gives a function that connects to it as a client of AWS would."""
    outputs = deploy_stack(f"database-{unique}", template(MultiAZ=True))

    def connection(**changed: object) -> psycopg.Connection:
        secret = aws.client("secretsmanager").get_secret_value(
            SecretId=outputs["MasterUserSecretSecretArn"]
        )["SecretString"]
        credentials = json.loads(secret)
        parameters = {
            "host": outputs["EndpointAddress"],
            "port": outputs["EndpointPort"],
            "user": credentials["username"],
            "password": credentials["password"],
            "dbname": "shop",
            "sslmode": "require",
        }
        return psycopg.connect(**{**parameters, **changed})

    return connection


def test_the_endpoint_and_the_secret_lead_to_a_database(connect) -> None:
    with connect() as connection:
        found = connection.execute("SELECT current_user, current_database()").fetchone()
    assert found == ("keeper", "shop")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        connect(sslmode="disable")


def test_a_failover_ends_sessions_and_keeps_what_was_committed(aws, connect, unique) -> None:
    (instance,) = [
        found
        for found in aws.client("rds").describe_db_instances()["DBInstances"]
        if unique in found["DBInstanceIdentifier"]
    ]
    name = instance["DBInstanceIdentifier"]
    with connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
        connection.commit()
        begun = aws.client("rds").reboot_db_instance(DBInstanceIdentifier=name, ForceFailover=True)
        assert begun["DBInstance"]["DBInstanceStatus"] == "rebooting"
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(30)")
    deadline = time.monotonic() + 30
    while True:
        try:
            with connect(connect_timeout=2) as connection:
                assert connection.execute("SELECT number FROM kept").fetchone() == (7,)
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_an_instance_in_one_zone_has_nothing_to_fail_over_to(aws, deploy_stack, unique) -> None:
    deploy_stack(f"database-{unique}", template(DBInstanceIdentifier=f"single-{unique}"))
    client = aws.client("rds")
    with pytest.raises(client.exceptions.ClientError, match="not Multi-AZ"):
        client.reboot_db_instance(DBInstanceIdentifier=f"single-{unique}", ForceFailover=True)


def test_the_server_ends_with_the_stack(aws, deploy_stack, unique, eventually) -> None:
    deploy_stack(f"database-{unique}", template(DBInstanceIdentifier=f"short-{unique}"))
    (instance,) = aws.client("rds").describe_db_instances(DBInstanceIdentifier=f"short-{unique}")[
        "DBInstances"
    ]
    directory = aws.directory / "tmp" / instance["DbiResourceId"].lower()

    def runs() -> bool:
        listed = subprocess.run(["ps", "-ww", "-eo", "command="], capture_output=True, text=True)
        return str(directory) in listed.stdout

    assert runs()
    aws.client("cloudformation").delete_stack(StackName=f"database-{unique}")
    eventually(lambda: not runs() and not directory.exists(), 30)
