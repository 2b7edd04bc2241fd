from __future__ import annotations

import pytest
from botocore.exceptions import WaiterError
from troposphere import GetAtt, Output, Ref, Template, wafv2

PROTECTED = "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/app/one/0123456789"
LOG = "arn:aws:logs:us-east-1:111111111111:log-group:aws-waf-logs-one"


def firewall(acl=None):
    template = Template()
    visible = wafv2.VisibilityConfig(
        CloudWatchMetricsEnabled=True, MetricName="one", SampledRequestsEnabled=True
    )
    template.add_resource(
        wafv2.WebACL(
            "Acl",
            Scope="REGIONAL",
            DefaultAction=wafv2.DefaultAction(Allow=wafv2.AllowAction()),
            VisibilityConfig=visible,
        )
    )
    acl = acl or GetAtt("Acl", "Arn")
    association = template.add_resource(
        wafv2.WebACLAssociation("Association", ResourceArn=PROTECTED, WebACLArn=acl)
    )
    logging = template.add_resource(
        wafv2.LoggingConfiguration("Logging", ResourceArn=acl, LogDestinationConfigs=[LOG])
    )
    for name, value in (
        ("Arn", GetAtt("Acl", "Arn")),
        ("Association", Ref(association)),
        ("Logging", Ref(logging)),
    ):
        template.add_output(Output(name, Value=value))
    return template


def test_the_resource_is_protected_as_long_as_the_stack_is_there(aws, deploy_stack, unique):
    outputs = deploy_stack(f"firewall-{unique}", firewall())
    waf = aws.client("wafv2")
    assert outputs["Association"] == f"{PROTECTED}|{outputs['Arn']}"
    assert outputs["Logging"] == outputs["Arn"]
    assert waf.get_web_acl_for_resource(ResourceArn=PROTECTED)["WebACL"]["ARN"] == outputs["Arn"]
    cloudformation = aws.client("cloudformation")
    cloudformation.delete_stack(StackName=f"firewall-{unique}")
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=f"firewall-{unique}", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100}
    )
    with pytest.raises(waf.exceptions.WAFNonexistentItemException):
        waf.get_web_acl_for_resource(ResourceArn=PROTECTED)


def test_a_web_acl_that_does_not_exist_fails_the_stack(deploy_stack, unique):
    missing = (
        "arn:aws:wafv2:us-east-1:111111111111:regional/webacl/missing/"
        "0a1b2c3d-0000-4000-8000-000000000000"
    )
    with pytest.raises(WaiterError):
        deploy_stack(f"firewall-{unique}", firewall(missing))
