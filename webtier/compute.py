"""The application's instances: an Auto Scaling group in the private subnets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Join, Ref, Sub, autoscaling, ec2, iam
from troposphere.policies import (
    AutoScalingCreationPolicy,
    AutoScalingRollingUpdate,
    CreationPolicy,
    ResourceSignal,
    UpdatePolicy,
)

from . import (
    artifact_source,
    database,
    load_balancer,
    nag,
    parameters,
    policies,
    tags,
    user_data,
)

if TYPE_CHECKING:
    from troposphere import AWSObject, kms, rds

    from .load_balancer import Front
    from .network import Network

PORT = 8443
GROUP = "Group"
WARM_UP_SECONDS = 60
GRACE_SECONDS = 120
SIGNAL_TIMEOUT = "PT10M"
CPU_TARGET_PERCENT = 60
REQUESTS_PER_TARGET_AND_MINUTE = 1000
VOLUME_GIB = 8


@dataclass(frozen=True)
class Compute:
    """The group, and all its resources."""

    group: autoscaling.AutoScalingGroup
    resources: tuple[AWSObject, ...]


def build(
    network: Network,
    security_group: ec2.SecurityGroup,
    front: Front,
    instance: rds.DBInstance,
    key: kms.Key,
) -> Compute:
    """The group behind the load balancer.

    `instance` is the database that it may sign in to, `key` the one of the database's secret.
    """
    role = _role(instance, key)
    profile = iam.InstanceProfile("ApplicationProfile", Roles=[Ref(role)])
    template = _launch_template(security_group, profile, instance)
    group = autoscaling.AutoScalingGroup(
        GROUP,
        VPCZoneIdentifier=[Ref(subnet) for subnet in network.application_subnets],
        LaunchTemplate=autoscaling.LaunchTemplateSpecification(
            LaunchTemplateId=Ref(template), Version=GetAtt(template, "LatestVersionNumber")
        ),
        MinSize=Ref(parameters.MIN_CAPACITY),
        MaxSize=Ref(parameters.MAX_CAPACITY),
        TargetGroupARNs=[Ref(front.target_group)],
        HealthCheckType="ELB",
        HealthCheckGracePeriod=GRACE_SECONDS,
        DefaultInstanceWarmup=WARM_UP_SECONDS,
        MetricsCollection=[autoscaling.MetricsCollection(Granularity="1Minute")],
        Tags=tags.propagated("application"),
        CreationPolicy=CreationPolicy(
            AutoScalingCreationPolicy=AutoScalingCreationPolicy(MinSuccessfulInstancesPercent=100),
            ResourceSignal=ResourceSignal(
                Count=Ref(parameters.MIN_CAPACITY), Timeout=SIGNAL_TIMEOUT
            ),
        ),
        UpdatePolicy=UpdatePolicy(AutoScalingRollingUpdate=_rolling_update()),
        # A target group without a listener has no health checks; and an instance needs its
        # way to the internet before it can signal that it is up.
        DependsOn=[
            front.listener.title,
            *(route.title for route in network.application_default_routes),
        ],
        Metadata=nag.exception(
            (
                "AwsSolutions-AS3",
                "Scaling is normal, not news; the capacity alarm tells when it cannot be done.",
            )
        ),
    )
    return Compute(group, (role, profile, template, group, *_scaling(group, front)))


def _settings(instance: rds.DBInstance) -> user_data.Settings:
    """What an instance is told of the stack."""
    return user_data.Settings(
        resource=GROUP,
        bucket=Ref(artifact_source.BUCKET),
        key=Ref(artifact_source.KEY),
        sha256=Ref(artifact_source.SHA256),
        port=PORT,
        health_path=load_balancer.HEALTH_PATH,
        database_host=GetAtt(instance, "Endpoint.Address"),
        database_port=GetAtt(instance, "Endpoint.Port"),
        database_name=database.NAME,
        database_secret_arn=GetAtt(instance, "MasterUserSecret.SecretArn"),
    )


def _role(instance: rds.DBInstance, key: kms.Key) -> iam.Role:
    """What an instance may do: fetch its artifact, sign in to the database, be reached.

    AWS Systems Manager User Guide, "Verify or add instance permissions for Session Manager".
    AWS Secrets Manager User Guide, "Secret encryption and decryption in AWS Secrets Manager".
    """
    return iam.Role(
        "ApplicationRole",
        AssumeRolePolicyDocument=policies.trust("ec2.amazonaws.com"),
        Policies=[
            _policy(
                "session-manager",
                [
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                "*",
            ),
            _policy("artifact", ["s3:GetObject"], artifact_source.ARN),
            _policy(
                "database-secret",
                ["secretsmanager:GetSecretValue"],
                GetAtt(instance, "MasterUserSecret.SecretArn"),
            ),
            _policy(
                "database-secret-key",
                ["kms:Decrypt"],
                GetAtt(key, "Arn"),
                {
                    "StringEquals": {
                        "kms:ViaService": Sub("secretsmanager.${AWS::Region}.amazonaws.com")
                    }
                },
            ),
            _policy("database", ["rds-db:connect"], database.connect_resource(instance)),
        ],
        Metadata=nag.exception(
            (
                "AwsSolutions-IAM5[Resource::*]",
                "Session Manager's actions know no resource (Service Authorization Reference).",
            )
        )
        | nag.checkov_exception(
            (
                "CKV_AWS_111",
                "Session Manager's actions know no resource (Service Authorization Reference).",
            )
        ),
    )


def _policy(
    name: str, actions: list[str], resource: Any, condition: dict[str, Any] | None = None
) -> iam.Policy:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    if condition:
        statement["Condition"] = condition
    return iam.Policy(PolicyName=name, PolicyDocument=policies.document(statement))


def _launch_template(
    security_group: ec2.SecurityGroup, profile: iam.InstanceProfile, instance: rds.DBInstance
) -> ec2.LaunchTemplate:
    return ec2.LaunchTemplate(
        "ApplicationTemplate",
        TagSpecifications=tags.specifications("application", "launch-template"),
        LaunchTemplateData=ec2.LaunchTemplateData(
            ImageId=Ref(parameters.IMAGE_ID),
            InstanceType=Ref(parameters.INSTANCE_TYPE),
            IamInstanceProfile=ec2.IamInstanceProfile(Arn=GetAtt(profile, "Arn")),
            EbsOptimized=True,
            Monitoring=ec2.Monitoring(Enabled=True),
            # IMDSv2 only, and not through a container's or a proxy's extra hop.
            MetadataOptions=ec2.MetadataOptions(
                HttpEndpoint="enabled", HttpTokens="required", HttpPutResponseHopLimit=1
            ),
            NetworkInterfaces=[
                ec2.NetworkInterfaces(
                    DeviceIndex=0,
                    AssociatePublicIpAddress=False,
                    DeleteOnTermination=True,
                    Groups=[GetAtt(security_group, "GroupId")],
                )
            ],
            # The account's own EBS key: the volumes hold nothing that outlives an instance, and
            # a key of the stack would need the Auto Scaling service-linked role to exist first.
            BlockDeviceMappings=[
                ec2.LaunchTemplateBlockDeviceMapping(
                    DeviceName="/dev/xvda",
                    Ebs=ec2.EBSBlockDevice(
                        VolumeType="gp3",
                        VolumeSize=VOLUME_GIB,
                        Encrypted=True,
                        DeleteOnTermination=True,
                    ),
                )
            ],
            TagSpecifications=tags.specifications("application", "instance", "volume"),
            UserData=user_data.encoded(_settings(instance)),
        ),
    )


def _rolling_update() -> AutoScalingRollingUpdate:
    """One instance at a time; CloudFormation rolls back when one does not report success.

    AWS re:Post, "How do I update my Auto Scaling group with CloudFormation": the suspended
    processes would otherwise replace or add instances in the middle of the update.
    """
    return AutoScalingRollingUpdate(
        MinInstancesInService=Ref(parameters.MIN_CAPACITY),
        MinSuccessfulInstancesPercent=100,
        MaxBatchSize=1,
        PauseTime=SIGNAL_TIMEOUT,
        WaitOnResourceSignals=True,
        SuspendProcesses=[
            "AlarmNotification",
            "AZRebalance",
            "HealthCheck",
            "ReplaceUnhealthy",
            "ScheduledActions",
        ],
    )


def _scaling(
    group: autoscaling.AutoScalingGroup, front: Front
) -> tuple[autoscaling.ScalingPolicy, ...]:
    requests = autoscaling.PredefinedMetricSpecification(
        PredefinedMetricType="ALBRequestCountPerTarget",
        ResourceLabel=Join(
            "/",
            [
                GetAtt(front.load_balancer, "LoadBalancerFullName"),
                GetAtt(front.target_group, "TargetGroupFullName"),
            ],
        ),
    )
    cpu = autoscaling.PredefinedMetricSpecification(PredefinedMetricType="ASGAverageCPUUtilization")
    return tuple(
        autoscaling.ScalingPolicy(
            title,
            AutoScalingGroupName=Ref(group),
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=autoscaling.TargetTrackingConfiguration(
                PredefinedMetricSpecification=metric, TargetValue=target
            ),
        )
        for title, metric, target in (
            ("ScaleOnRequests", requests, REQUESTS_PER_TARGET_AND_MINUTE),
            ("ScaleOnCpu", cpu, CPU_TARGET_PERCENT),
        )
    )
