"""The application's instances: an Auto Scaling group in the private subnets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from troposphere import GetAtt, Ref, Sub, autoscaling, ec2
from troposphere.policies import (
    AutoScalingCreationPolicy,
    AutoScalingRollingUpdate,
    CreationPolicy,
    ResourceSignal,
    UpdatePolicy,
)

from . import artifact_source, database, load_balancer, parameters, tags, user_data
from .exemptions import exempt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from troposphere import AWSObject, iam

    from .database import Database
    from .load_balancer import Front
    from .network import Network
    from .options import Options

PORT = 8443
GROUP = "Group"
# A name of its own, as Fn::Sub takes it, so that the instances' role can be given a right on this
# group before there is a group. No change but that of the name replaces an Auto Scaling group.
NAME = "${AWS::StackName}-application"
LAUNCH_HOOK = "application-answers"
# An instance that does not come up in this time is given up; another one still can while
# CloudFormation waits for a signal.
LAUNCH_TIMEOUT_SECONDS = 300
SIGNAL_TIMEOUT = "PT10M"
# Both begin when an instance is in service, and so answers already. It is warm once it has passed
# the load balancer's first check and, after slow start, has its full share of requests.
WARM_UP_SECONDS = load_balancer.HEALTH_INTERVAL_SECONDS + load_balancer.SLOW_START_SECONDS
GRACE_SECONDS = 60
VOLUME_GIB = 8
# How far beyond its size the group may go while it replaces an instance: it starts the new one
# first, and ends the old one when that is healthy.
REPLACEMENT_PERCENT = (100, 150)

_NO_NOTIFICATIONS = (
    "AwsSolutions-AS3",
    "Scaling is normal, not news; the capacity alarm tells when it cannot be done.",
)
_MIXED = (
    "AwsSolutions-EC26",
    "The rule cannot read a mixed instances policy; its launch template encrypts the volumes.",
)

_MIXED_METADATA = (
    "EC2IMDSv2Enabled",
    "The rule cannot read a mixed instances policy; its launch template demands IMDSv2.",
)


@dataclass(frozen=True)
class Compute:
    """The group, and all its resources."""

    group: autoscaling.AutoScalingGroup
    resources: tuple[AWSObject, ...]


def build(
    options: Options,
    network: Network,
    security_group: ec2.SecurityGroup,
    front: Front,
    profile: iam.InstanceProfile,
    data: Database,
    ways_out: Iterable[AWSObject],
) -> Compute:
    """The group behind the load balancer.

    `data` is the database that its instances are told of. `ways_out` are the routes and endpoints
    that an instance needs before it can start.

    An instance that comes is not registered with the load balancer before it says that its
    application answers; one that does not come up is replaced without ever having been asked
    (Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling lifecycle hooks"). One that goes
    is first taken off the load balancer, which waits for the requests it still answers
    (`load_balancer.DEREGISTRATION_DELAY_SECONDS`); a hook would add nothing to that.
    """
    template = _launch_template(security_group, profile, front, data)
    least, most = REPLACEMENT_PERCENT
    group = autoscaling.AutoScalingGroup(
        GROUP,
        AutoScalingGroupName=Sub(NAME),
        VPCZoneIdentifier=[Ref(subnet) for subnet in network.application_subnets],
        MinSize=Ref(parameters.MIN_CAPACITY),
        MaxSize=Ref(parameters.MAX_CAPACITY),
        TargetGroupARNs=[Ref(front.target_group)],
        HealthCheckType="ELB",
        HealthCheckGracePeriod=GRACE_SECONDS,
        DefaultInstanceWarmup=WARM_UP_SECONDS,
        # In the group itself: a hook beside it would come after the first instances.
        LifecycleHookSpecificationList=[
            autoscaling.LifecycleHookSpecification(
                LifecycleHookName=LAUNCH_HOOK,
                LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
                HeartbeatTimeout=LAUNCH_TIMEOUT_SECONDS,
                DefaultResult="ABANDON",
            )
        ],
        InstanceMaintenancePolicy=autoscaling.InstanceMaintenancePolicy(
            MinHealthyPercentage=least, MaxHealthyPercentage=most
        ),
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
        # ways out before it can signal that it is up.
        DependsOn=[front.listener.title, *(way.title for way in ways_out)],
        Metadata=exempt(
            _NO_NOTIFICATIONS, *((_MIXED, _MIXED_METADATA) if options.spot_percent else ())
        ),
        **_instances(options, template),
    )
    return Compute(group, (template, group))


def _instances(options: Options, template: ec2.LaunchTemplate) -> dict[str, Any]:
    """What the group starts: On-Demand Instances, and above MinCapacity Spot where wanted.

    Amazon EC2 Auto Scaling User Guide, "Auto Scaling groups with multiple instance types and
    purchase options". A Spot Instance at risk is replaced before it is taken away.
    """
    specification = autoscaling.LaunchTemplateSpecification(
        LaunchTemplateId=Ref(template), Version=GetAtt(template, "LatestVersionNumber")
    )
    if not options.spot_percent:
        return {"LaunchTemplate": specification}
    return {
        "CapacityRebalance": True,
        "MixedInstancesPolicy": autoscaling.MixedInstancesPolicy(
            InstancesDistribution=autoscaling.InstancesDistribution(
                OnDemandBaseCapacity=Ref(parameters.MIN_CAPACITY),
                OnDemandPercentageAboveBaseCapacity=100 - options.spot_percent,
                OnDemandAllocationStrategy="prioritized",
                SpotAllocationStrategy="price-capacity-optimized",
            ),
            LaunchTemplate=autoscaling.LaunchTemplate(
                LaunchTemplateSpecification=specification,
                Overrides=[
                    autoscaling.LaunchTemplateOverrides(InstanceType=name)
                    for name in (Ref(parameters.INSTANCE_TYPE), *options.types_for_spot)
                ],
            ),
        ),
    }


def _settings(front: Front, data: Database) -> user_data.Settings:
    """What an instance is told of the stack."""
    return user_data.Settings(
        resource=GROUP,
        group=Sub(NAME),
        hook=LAUNCH_HOOK,
        target_group=Ref(front.target_group),
        bucket=Ref(artifact_source.BUCKET),
        key=Ref(artifact_source.KEY),
        sha256=Ref(artifact_source.SHA256),
        port=PORT,
        health_path=load_balancer.HEALTH_PATH,
        database_host=data.endpoint,
        database_port=data.port,
        database_name=database.NAME,
        database_secret_arn=data.secret_arn,
    )


def _launch_template(
    security_group: ec2.SecurityGroup,
    profile: iam.InstanceProfile,
    front: Front,
    data: Database,
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
            UserData=user_data.encoded(_settings(front, data)),
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
