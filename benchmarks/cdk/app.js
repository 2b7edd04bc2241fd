// The web tier as people write it for the AWS CDK: a stack of the resources that webtier/build.py
// emits by default, of which benchmarks/webtier_template.py compares the types and numbers.
"use strict";

const cdk = require("aws-cdk-lib");
const autoscaling = require("aws-cdk-lib/aws-autoscaling");
const cloudwatch = require("aws-cdk-lib/aws-cloudwatch");
const actions = require("aws-cdk-lib/aws-cloudwatch-actions");
const ec2 = require("aws-cdk-lib/aws-ec2");
const elb = require("aws-cdk-lib/aws-elasticloadbalancingv2");
const iam = require("aws-cdk-lib/aws-iam");
const kms = require("aws-cdk-lib/aws-kms");
const logs = require("aws-cdk-lib/aws-logs");
const rds = require("aws-cdk-lib/aws-rds");
const s3 = require("aws-cdk-lib/aws-s3");
const sns = require("aws-cdk-lib/aws-sns");
const subscriptions = require("aws-cdk-lib/aws-sns-subscriptions");
const wafv2 = require("aws-cdk-lib/aws-wafv2");

const LOGS = { retention: logs.RetentionDays.ONE_YEAR, removalPolicy: cdk.RemovalPolicy.RETAIN };

class WebTier extends cdk.Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    const certificate = new cdk.CfnParameter(this, "CertificateArn");
    this.key = new kms.Key(this, "Key", { enableKeyRotation: true });
    const vpc = this.network();
    const group = this.instances(vpc);
    const front = this.loadBalancer(vpc, group, certificate.valueAsString);
    this.firewall(front.balancer);
    const database = this.database(vpc, group);
    this.alarms(front, group, database, vpc);
  }

  get availabilityZones() {
    return ["us-east-1a", "us-east-1b"];
  }

  network() {
    const vpc = new ec2.Vpc(this, "Vpc", {
      ipAddresses: ec2.IpAddresses.cidr("10.0.0.0/16"),
      maxAzs: 2,
      natGateways: 2,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: "Public", subnetType: ec2.SubnetType.PUBLIC, mapPublicIpOnLaunch: false },
        { name: "Application", subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
        { name: "Data", subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      ],
      gatewayEndpoints: { S3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    });
    const group = new logs.LogGroup(this, "FlowLogGroup", { ...LOGS, encryptionKey: this.key });
    vpc.addFlowLog("FlowLog", { destination: ec2.FlowLogDestination.toCloudWatchLogs(group) });
    return vpc;
  }

  instances(vpc) {
    const role = new iam.Role(this, "ApplicationRole", {
      assumedBy: new iam.ServicePrincipal("ec2.amazonaws.com"),
    });
    const group = new ec2.SecurityGroup(this, "ApplicationGroup", { vpc, allowAllOutbound: false });
    group.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443));
    const launchTemplate = new ec2.LaunchTemplate(this, "Template", {
      machineImage: ec2.MachineImage.latestAmazonLinux2023({
        cpuType: ec2.AmazonLinuxCpuType.ARM_64,
      }),
      instanceType: new ec2.InstanceType("t4g.small"),
      role,
      securityGroup: group,
      requireImdsv2: true,
      httpPutResponseHopLimit: 1,
      detailedMonitoring: true,
      blockDevices: [
        {
          deviceName: "/dev/xvda",
          volume: ec2.BlockDeviceVolume.ebs(8, {
            encrypted: true,
            volumeType: ec2.EbsDeviceVolumeType.GP3,
          }),
        },
      ],
      userData: ec2.UserData.forLinux(),
    });
    const scaling = new autoscaling.AutoScalingGroup(this, "Group", {
      vpc,
      vpcSubnets: { subnetGroupName: "Application" },
      launchTemplate,
      minCapacity: 2,
      maxCapacity: 6,
      healthChecks: autoscaling.HealthChecks.withAdditionalChecks({
        additionalTypes: [autoscaling.AdditionalHealthCheckType.ELB],
        gracePeriod: cdk.Duration.minutes(2),
      }),
      groupMetrics: [autoscaling.GroupMetrics.all()],
      signals: autoscaling.Signals.waitForAll({ timeout: cdk.Duration.minutes(10) }),
      updatePolicy: autoscaling.UpdatePolicy.rollingUpdate({ minInstancesInService: 2 }),
    });
    scaling.scaleOnCpuUtilization("Cpu", { targetUtilizationPercent: 60 });
    this.applicationGroup = group;
    return scaling;
  }

  loadBalancer(vpc, scaling, certificateArn) {
    const bucket = new s3.Bucket(this, "AccessLogs", {
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      lifecycleRules: [{ expiration: cdk.Duration.days(365) }],
    });
    const group = new ec2.SecurityGroup(this, "BalancerGroup", { vpc, allowAllOutbound: false });
    const balancer = new elb.ApplicationLoadBalancer(this, "LoadBalancer", {
      vpc,
      internetFacing: true,
      securityGroup: group,
      vpcSubnets: { subnetGroupName: "Public" },
      deletionProtection: true,
      dropInvalidHeaderFields: true,
      desyncMitigationMode: elb.DesyncMitigationMode.STRICTEST,
    });
    balancer.logAccessLogs(bucket, "alb");
    const targets = new elb.ApplicationTargetGroup(this, "Targets", {
      vpc,
      port: 8443,
      protocol: elb.ApplicationProtocol.HTTPS,
      targets: [scaling],
      healthCheck: { path: "/health", protocol: elb.Protocol.HTTPS },
      deregistrationDelay: cdk.Duration.seconds(30),
      slowStart: cdk.Duration.seconds(30),
    });
    balancer.addListener("Https", {
      port: 443,
      protocol: elb.ApplicationProtocol.HTTPS,
      certificates: [elb.ListenerCertificate.fromArn(certificateArn)],
      sslPolicy: elb.SslPolicy.TLS13_RES,
      defaultTargetGroups: [targets],
    });
    balancer.addRedirect();
    scaling.scaleOnRequestCount("Requests", { targetRequestsPerMinute: 1000 });
    return { balancer, targets };
  }

  firewall(balancer) {
    const visible = (metricName) => ({
      cloudWatchMetricsEnabled: true,
      metricName,
      sampledRequestsEnabled: true,
    });
    const managed = (name, priority) => ({
      name,
      priority,
      overrideAction: { none: {} },
      statement: { managedRuleGroupStatement: { vendorName: "AWS", name } },
      visibilityConfig: visible(name),
    });
    const acl = new wafv2.CfnWebACL(this, "Firewall", {
      scope: "REGIONAL",
      defaultAction: { allow: {} },
      visibilityConfig: visible("firewall"),
      rules: [
        {
          name: "rate-limit",
          priority: 0,
          action: { block: {} },
          statement: { rateBasedStatement: { aggregateKeyType: "IP", limit: 2000 } },
          visibilityConfig: visible("rate-limit"),
        },
        managed("AWSManagedRulesCommonRuleSet", 1),
        managed("AWSManagedRulesKnownBadInputsRuleSet", 2),
      ],
    });
    new wafv2.CfnWebACLAssociation(this, "FirewallAssociation", {
      resourceArn: balancer.loadBalancerArn,
      webAclArn: acl.attrArn,
    });
    const group = new logs.LogGroup(this, "FirewallLog", {
      ...LOGS,
      logGroupName: "aws-waf-logs-webtier",
      encryptionKey: this.key,
    });
    new wafv2.CfnLoggingConfiguration(this, "FirewallLogging", {
      resourceArn: acl.attrArn,
      logDestinationConfigs: [group.logGroupArn],
      redactedFields: [{ singleHeader: { Name: "authorization" } }],
    });
  }

  database(vpc, scaling) {
    const group = new ec2.SecurityGroup(this, "DatabaseGroup", { vpc, allowAllOutbound: false });
    const engine = rds.DatabaseInstanceEngine.postgres({
      version: rds.PostgresEngineVersion.of("18", "18"),
    });
    for (const name of ["postgresql", "upgrade"]) {
      new logs.LogGroup(this, `Database${name}Log`, {
        ...LOGS,
        logGroupName: `/aws/rds/instance/webtier/${name}`,
        encryptionKey: this.key,
      });
    }
    const database = new rds.DatabaseInstance(this, "Database", {
      instanceIdentifier: "webtier",
      engine,
      vpc,
      vpcSubnets: { subnetGroupName: "Data" },
      securityGroups: [group],
      instanceType: new ec2.InstanceType("t4g.medium"),
      multiAz: true,
      storageEncrypted: true,
      storageEncryptionKey: this.key,
      credentials: rds.Credentials.fromPassword("administrator", cdk.SecretValue.unsafePlainText("")),
      databaseName: "webtier",
      iamAuthentication: true,
      allocatedStorage: 20,
      maxAllocatedStorage: 200,
      backupRetention: cdk.Duration.days(14),
      deletionProtection: true,
      cloudwatchLogsExports: ["postgresql", "upgrade"],
      monitoringInterval: cdk.Duration.minutes(1),
      enablePerformanceInsights: true,
      performanceInsightEncryptionKey: this.key,
      parameterGroup: new rds.ParameterGroup(this, "Settings", {
        engine,
        parameters: { "rds.force_ssl": "1", max_connections: "200" },
      }),
      removalPolicy: cdk.RemovalPolicy.SNAPSHOT,
    });
    // RDS keeps the password; the construct has no property for it.
    database.node.defaultChild.addPropertyDeletionOverride("MasterUserPassword");
    database.node.defaultChild.addPropertyOverride("ManageMasterUserPassword", true);
    database.connections.allowDefaultPortFrom(this.applicationGroup);
    return database;
  }

  alarms({ balancer, targets }, scaling, database, vpc) {
    const topic = new sns.Topic(this, "Alerts", { masterKey: this.key, enforceSSL: true });
    topic.addSubscription(new subscriptions.EmailSubscription("operations@example.com"));
    const minute = { period: cdk.Duration.minutes(1) };
    const metric = (namespace, metricName, dimensionsMap, statistic) =>
      new cloudwatch.Metric({ namespace, metricName, dimensionsMap, statistic, ...minute });
    const group = { AutoScalingGroupName: scaling.autoScalingGroupName };
    const codes = elb.HttpCodeTarget.TARGET_5XX_COUNT;
    const nat = vpc.node
      .findAll()
      .filter((construct) => construct instanceof ec2.CfnNatGateway)
      .map((gateway, index) => [
        `Nat${index}`,
        metric("AWS/NATGateway", "ErrorPortAllocation", { NatGatewayId: gateway.ref }, "Sum"),
        0,
      ]);
    const above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD;
    const below = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD;
    const watched = [
      ["BalancerErrors", balancer.metrics.httpCodeElb(elb.HttpCodeElb.ELB_5XX_COUNT, minute), 10],
      ["Errors", targets.metrics.httpCodeTarget(codes, minute), 10],
      ["Unhealthy", targets.metrics.unhealthyHostCount(minute), 0],
      ["Latency", targets.metrics.targetResponseTime({ ...minute, statistic: "p95" }), 1],
      ["RateLimited", metric("AWS/WAFV2", "BlockedRequests", { Rule: "rate-limit" }, "Sum"), 100],
      ...nat,
      ["GroupCpu", metric("AWS/EC2", "CPUUtilization", group, "Average"), 85],
      ["Capacity", metric("AWS/AutoScaling", "GroupInServiceInstances", group, "Minimum"), 2, below],
      ["AtMaximum", metric("AWS/AutoScaling", "GroupDesiredCapacity", group, "Maximum"), 5],
      ["DatabaseCpu", database.metricCPUUtilization(minute), 80],
      ["Storage", database.metricFreeStorageSpace({ ...minute, statistic: "Minimum" }), 2 ** 30, below],
      ["Memory", database.metricFreeableMemory({ ...minute, statistic: "Minimum" }), 2 ** 28, below],
      ["Connections", database.metricDatabaseConnections({ ...minute, statistic: "Maximum" }), 160],
      ["Ids", database.metric("MaximumUsedTransactionIDs", { ...minute, statistic: "Maximum" }), 1e9],
      ["Notifications", topic.metricNumberOfNotificationsFailed(minute), 0],
    ];
    const alarms = watched.map(([id, of, threshold, comparisonOperator = above]) => {
      const alarm = new cloudwatch.Alarm(this, `${id}Alarm`, {
        metric: of,
        threshold,
        comparisonOperator,
        evaluationPeriods: 5,
        datapointsToAlarm: 3,
        alarmDescription: `${id} is past its threshold. Read docs/webtier.md for what to do.`,
      });
      alarm.addAlarmAction(new actions.SnsAction(topic));
      alarm.addOkAction(new actions.SnsAction(topic));
      return alarm;
    });
    const widgets = watched.map(([title, of]) => new cloudwatch.GraphWidget({ title, left: [of] }));
    new cloudwatch.Dashboard(this, "Dashboard", {
      widgets: [[new cloudwatch.AlarmStatusWidget({ alarms })], widgets],
    });
  }
}

const app = new cdk.App({ analyticsReporting: false });
const stack = new WebTier(app, "WebTier", { env: { account: "111111111111", region: "us-east-1" } });
cdk.Tags.of(stack).add("Project", "aws-architectures");
cdk.Tags.of(stack).add("Part", "webtier");
