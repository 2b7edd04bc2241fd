"""AWS WAF in front of the load balancer, and its log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Join, Ref, Select, Split, StackId, StackName, Sub, logs, wafv2

from . import parameters

if TYPE_CHECKING:
    from troposphere import AWSObject, kms

    from .load_balancer import Front

RATE_LIMIT_RULE = "rate-limit"
RATE_WINDOW_SECONDS = 300
# AWS WAF Developer Guide, "AWS Managed Rules rule groups list".
MANAGED_RULES = {
    "common": "AWSManagedRulesCommonRuleSet",
    "bad-inputs": "AWSManagedRulesKnownBadInputsRuleSet",
}


@dataclass(frozen=True)
class Firewall:
    """The web ACL, and all its resources."""

    acl: wafv2.WebACL
    resources: tuple[AWSObject, ...]


def build(front: Front, key: kms.Key, retention_days: int) -> Firewall:
    """The web ACL on the load balancer; its log has what was blocked or counted.

    What was let through is in the load balancer's own access logs.
    """
    rules = [
        wafv2.WebACLRule(
            Name=name,
            Priority=priority,
            OverrideAction=wafv2.OverrideAction(**{"None": {}}),
            Statement=wafv2.Statement(
                ManagedRuleGroupStatement=wafv2.ManagedRuleGroupStatement(
                    VendorName="AWS", Name=group
                )
            ),
            VisibilityConfig=_visible(name),
        )
        for priority, (name, group) in enumerate(MANAGED_RULES.items(), start=1)
    ]
    acl = wafv2.WebACL(
        "Firewall",
        Scope="REGIONAL",
        DefaultAction=wafv2.DefaultAction(Allow=wafv2.AllowAction()),
        Rules=[_rate_limit(), *rules],
        VisibilityConfig=_visible(metric_name()),
    )
    association = wafv2.WebACLAssociation(
        "FirewallAssociation",
        ResourceArn=Ref(front.load_balancer),
        WebACLArn=GetAtt(acl, "Arn"),
    )
    log_group = logs.LogGroup(
        "FirewallLog",
        LogGroupName=_log_group_name(),
        RetentionInDays=retention_days,
        KmsKeyId=GetAtt(key, "Arn"),
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
    )
    logging = wafv2.LoggingConfiguration(
        "FirewallLogging",
        ResourceArn=GetAtt(acl, "Arn"),
        LogDestinationConfigs=[
            Sub(
                "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}"
                f":log-group:${{{log_group.title}}}"
            )
        ],
        # Credentials do not belong into a log.
        RedactedFields=[
            wafv2.LoggingConfigurationFieldToMatch(SingleHeader=wafv2.SingleHeader(Name=name))
            for name in ("authorization", "cookie")
        ],
        LoggingFilter=wafv2.LoggingFilter(
            DefaultBehavior="DROP",
            Filters=[
                wafv2.Filter(
                    Behavior="KEEP",
                    Requirement="MEETS_ANY",
                    Conditions=[
                        wafv2.Condition(ActionCondition=wafv2.ActionCondition(Action=action))
                        for action in ("BLOCK", "COUNT")
                    ],
                )
            ],
        ),
    )
    return Firewall(acl, (acl, association, log_group, logging))


def _rate_limit() -> wafv2.WebACLRule:
    """First of all: what one address sends too often needs no further look."""
    return wafv2.WebACLRule(
        Name=RATE_LIMIT_RULE,
        Priority=0,
        # RFC 6585, section 4: too many requests.
        Action=wafv2.RuleAction(
            Block=wafv2.BlockAction(CustomResponse=wafv2.CustomResponse(ResponseCode=429))
        ),
        Statement=wafv2.Statement(
            RateBasedStatement=wafv2.RateBasedStatement(
                AggregateKeyType="IP",
                EvaluationWindowSec=RATE_WINDOW_SECONDS,
                Limit=Ref(parameters.RATE_LIMIT),
            )
        ),
        VisibilityConfig=_visible(RATE_LIMIT_RULE),
    )


def metric_name() -> Any:
    """The name of the whole web ACL in its metrics, one for each stack."""
    return StackName


def _visible(metric: Any) -> wafv2.VisibilityConfig:
    return wafv2.VisibilityConfig(
        CloudWatchMetricsEnabled=True, MetricName=metric, SampledRequestsEnabled=True
    )


def _log_group_name() -> Join:
    """AWS WAF asks for the prefix; the stack's own id keeps stacks of one name apart."""
    stack_uuid = Select(2, Split("/", StackId))
    return Join("-", ["aws-waf-logs", StackName, Select(0, Split("-", stack_uuid))])
