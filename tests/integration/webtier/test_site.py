"""The web tier as it is deployed, in use: two instances, a load balancer, a database.

What happens to people who use it while an instance is lost, the database fails over, a new version
is deployed, and one that is broken: no change that was acknowledged is lost, and errors come only
where they are promised.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox.environment import WORKLOAD_ACCOUNT
from tests import browser as browsers
from tests.conftest import template_source
from tests.integration.webtier import modelled, small_artifact
from webtier import artifact, build
from webtier.drill.deployment import Deployment
from webtier.drill.fleet import Version

if TYPE_CHECKING:
    from tests.conftest import EmbeddedAws
    from webtier.drill.fleet import Fleet

WRITERS = 3


@dataclass
class Site:
    """A deployed web tier."""

    aws: EmbeddedAws
    stack: str
    outputs: dict[str, str]
    body: dict[str, Any]
    template: dict[str, str]
    artifact: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://{self.outputs['LoadBalancerDnsName']}"

    def instances(self) -> dict[str, str]:
        """The group's instances and their zones."""
        group = self.aws.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[self.outputs["GroupName"]]
        )["AutoScalingGroups"][0]
        return {found["InstanceId"]: found["AvailabilityZone"] for found in group["Instances"]}

    def targets(self) -> dict[str, str]:
        """The registered targets and their states."""
        elb = self.aws.client("elbv2")
        arn = self.resource("TargetGroup")
        described = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return {found["Target"]["Id"]: found["TargetHealth"]["State"] for found in described}

    def is_whole(self) -> bool:
        """Whether there are two instances, and both are healthy."""
        healthy = dict.fromkeys(self.instances(), "healthy")
        return len(healthy) == 2 and self.targets() == healthy

    def resource(self, logical_id: str) -> str:
        described = self.aws.client("cloudformation").describe_stack_resource(
            StackName=self.stack, LogicalResourceId=logical_id
        )
        return str(described["StackResourceDetail"]["PhysicalResourceId"])

    def deploy(self, content: bytes) -> str:
        """Update the stack to another artifact; the status it ends in."""
        parameters = small_artifact.put(self.aws, content)
        client = self.aws.client("cloudformation")
        client.update_stack(
            StackName=self.stack,
            **self.template,
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        return wait_for_stack(self.aws, self.stack)

    def versions(self) -> set[str]:
        """What the instances that answer say they run."""
        return {found["version"] for found in self.health(6)}

    def health(self, times: int) -> list[dict[str, str]]:
        """What the instances say whose turn it is."""
        with httpx.Client(base_url=self.url, timeout=30) as client:
            return [client.get("/health").json() for _ in range(times)]


@dataclass
class Traffic:
    """People who add notes and read the list, until told to stop."""

    url: str
    acknowledged: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    instances: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def use(self) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as client:
            while not self._stop.is_set():
                identifier = str(uuid.uuid4())
                form = {"id": identifier, "text": f"note {identifier}"}
                while not self._ask(client, "POST", "/notes", data=form):
                    if self._stop.wait(0.1):
                        return
                self.acknowledged.append(identifier)
                self._ask(client, "GET", "/")

    def _ask(self, client: httpx.Client, method: str, path: str, **more: Any) -> bool:
        answer = client.request(method, path, **more)
        self.statuses[answer.status_code] += 1
        if answer.status_code == 503 and "Retry-After" not in answer.headers:
            self.unexpected.append(answer.text)
        if found := re.search(r'id="instance">(i-[0-9a-f]+)', answer.text):
            self.instances[found[1]] += 1
        return answer.status_code in (200, 303)

    def lost(self) -> list[str]:
        """Acknowledged notes that are not there, asked for until the database answers."""
        with httpx.Client(base_url=self.url, timeout=60) as client:

            def status(identifier: str) -> int:
                while (found := client.get(f"/notes/{identifier}").status_code) == 503:
                    time.sleep(0.2)
                return found

            return [found for found in self.acknowledged if status(found) != 200]


def wait_for_stack(aws: EmbeddedAws, name: str, seconds: float = 240) -> str:
    deadline = time.monotonic() + seconds
    while True:
        (stack,) = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            return str(stack["StackStatus"])
        assert time.monotonic() < deadline, stack["StackStatus"]
        time.sleep(0.2)


def eventually(look: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def content() -> bytes:
    """The application as it is."""
    return artifact.build(["host"]).content


@pytest.fixture(scope="module")
def site(embedded_aws: EmbeddedAws, content: bytes) -> Iterator[Site]:
    """The stage `local`, deployed."""
    name = f"site-{uuid.uuid4().hex[:8]}"
    settings = build.Options.from_table({"architecture": "x86_64", "plain-http": True})
    body = build.template(settings).to_dict()
    text = json.dumps(body, separators=(",", ":"))
    template = template_source(embedded_aws, WORKLOAD_ACCOUNT, name, text)
    given = small_artifact.put(embedded_aws, content)
    client = embedded_aws.client("cloudformation")
    client.create_stack(
        StackName=name,
        **template,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    assert wait_for_stack(embedded_aws, name) == "CREATE_COMPLETE"
    (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    made = Site(embedded_aws, name, outputs, json.loads(text), template, given)
    eventually(made.is_whole)
    yield made
    client.delete_stack(StackName=name)


@contextlib.contextmanager
def in_use(site: Site) -> Iterator[Traffic]:
    """Traffic while the body runs, and a while before and after it."""
    traffic = Traffic(site.url)
    threads = [threading.Thread(target=traffic.use) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(traffic.acknowledged) >= WRITERS)
        yield traffic
        before = len(traffic.acknowledged)
        eventually(lambda: len(traffic.acknowledged) >= before + 2 * WRITERS)
    finally:
        traffic._stop.set()
        for thread in threads:
            thread.join(60)


def test_both_instances_in_both_zones_answer(site: Site) -> None:
    assert len(set(site.instances().values())) == 2
    with in_use(site) as traffic:
        eventually(lambda: len(traffic.instances) == 2)
    assert traffic.instances.keys() == site.instances().keys()
    assert traffic.statuses.keys() == {200, 303}
    assert traffic.lost() == []


def test_a_lost_instance_is_replaced_and_people_notice_little(site: Site) -> None:
    before = site.instances()
    lost = min(before)
    pid = int((site.aws.directory / "tmp" / lost / "pid").read_text())
    with in_use(site) as traffic:
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: lost not in site.instances() and site.is_whole())
    # What was on its way to the lost one; the load balancer says so until it knows.
    assert traffic.statuses.keys() <= {200, 303, 502}
    assert len(before.keys() & site.instances().keys()) == 1
    assert traffic.lost() == []


def subscribed(site: Site) -> str:
    """The URL of a queue that gets every alert from now on."""
    sqs = site.aws.client("sqs")
    url = str(sqs.create_queue(QueueName=f"alerts-{uuid.uuid4().hex[:12]}")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    topic = site.outputs["AlertsTopicArn"]
    site.aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url


def received(site: Site, url: str) -> Iterator[str]:
    """The texts of the alerts in a queue."""
    sqs = site.aws.client("sqs")
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
    ).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield json.loads(message["Body"])["Message"]


def test_while_the_database_fails_over_people_are_told_and_lose_nothing(site: Site) -> None:
    rds = site.aws.client("rds")
    database = site.resource("Database")
    before = site.instances()
    alerts = subscribed(site)
    with in_use(site) as traffic:
        rds.reboot_db_instance(DBInstanceIdentifier=database, ForceFailover=True)
        eventually(lambda: traffic.statuses[503] > 0)
        eventually(
            lambda: (
                rds.describe_db_instances(DBInstanceIdentifier=database)["DBInstances"][0][
                    "DBInstanceStatus"
                ]
                == "available"
            )
        )
    assert traffic.statuses.keys() == {200, 303, 503}
    assert traffic.unexpected == []
    assert traffic.lost() == []
    assert site.instances() == before, "the instances are well: they have to stay"
    # And who runs it is told, through the encrypted topic.
    sent = [json.loads(text) for text in received(site, alerts)]
    told = [alert["Event Message"] for alert in sent if alert.get("Source ID") == database]
    assert "Multi-AZ instance failover started." in told
    assert "Multi-AZ instance failover completed." in told


def test_a_new_version_is_deployed_without_one_error(site: Site, content: bytes) -> None:
    before, old = site.instances(), site.versions()
    with in_use(site) as traffic, modelled.watched(site.targets) as seen:
        assert site.deploy(changed(content)) == "UPDATE_COMPLETE"
        eventually(site.is_whole)
    assert traffic.statuses.keys() == {200, 303}
    assert traffic.lost() == []
    assert not before.keys() & site.instances().keys()
    assert len(site.versions()) == 1
    assert site.versions() != old
    way = modelled.path(site.body, lambda fleet: Deployment(fleet, Version.GOOD))
    assert way == [(2, 0), (3, 0), (2, 0), (3, 0), (2, 0)]
    assert modelled.is_on_the_way(seen, way), seen


def test_an_instance_that_hangs_is_replaced_as_the_drills_say(site: Site) -> None:
    def hang(fleet: Fleet) -> None:
        fleet.members[0].hung = True

    hanging = min(site.instances())
    pid = int((site.aws.directory / "tmp" / hanging / "pid").read_text())
    workers = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=True)
    processes = [pid, *map(int, workers.stdout.split())]
    with modelled.watched(site.targets) as seen:
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            eventually(lambda: site.targets()[hanging] == "unhealthy")
            # From here on, the model says, nobody is sent there.
            assert hanging not in {one["instance"] for one in site.health(6)}
            eventually(lambda: hanging not in site.targets(), 120)
        finally:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)
        eventually(site.is_whole)
    way = modelled.path(site.body, hang)
    assert way == [(2, 0), (1, 1), (2, 1), (2, 0)]
    assert modelled.is_on_the_way(seen, way), seen
    assert (1, 1) in seen
    assert seen[-1] == way[-1]


def test_a_broken_version_is_rolled_back_without_one_error(site: Site) -> None:
    good = site.versions()
    with in_use(site) as traffic:
        broken = small_artifact.pack(b"#!/bin/sh\necho the moon is missing >&2\nexit 3\n")
        assert site.deploy(broken) == "UPDATE_ROLLBACK_COMPLETE"
    events = site.aws.client("cloudformation").describe_stack_events(StackName=site.stack)
    reasons = [event.get("ResourceStatusReason", "") for event in events["StackEvents"]]
    assert any("FAILURE signal" in reason and "moon is missing" in reason for reason in reasons)
    assert traffic.statuses.keys() == {200, 303}
    assert traffic.lost() == []
    assert site.versions() == good


def changed(content: bytes) -> bytes:
    """The same application as another artifact: gzip allows for several members in a row."""
    import gzip

    return content + gzip.compress(b"\0" * 512, mtime=0)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsers.launched() as running:
        yield running


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    """A page of the site in a browser of its own; whatever the browser complains of fails."""
    context = chromium.new_context(base_url=site.url)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto("/")
    yield opened
    context.close()
    assert [text for text in complaints if "status of 503" not in text] == []


def test_a_person_adds_changes_and_deletes_a_note(page: Page) -> None:
    text = f"Water the <plants> {uuid.uuid4().hex}"
    page.get_by_label("A new note").fill(text)
    page.get_by_role("button", name="Add").click()
    first = page.get_by_role("listitem").filter(has_text=text)
    expect(first).to_be_visible()
    expect(page.locator("#instance")).to_contain_text("i-")
    first.get_by_role("link").click()
    page.get_by_label("The note").fill(f"Done: {text}")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("listitem").filter(has_text=f"Done: {text}")).to_be_visible()
    page.get_by_role("listitem").filter(has_text=text).get_by_role("link").click()
    page.get_by_role("button", name="Delete this note").click()
    expect(page.get_by_role("heading", name="Notes")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text=text)).to_have_count(0)


def test_going_back_and_sending_again_adds_no_second_note(page: Page) -> None:
    text = uuid.uuid4().hex
    page.get_by_label("A new note").fill(text)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("listitem").filter(has_text=text)).to_have_count(1)
    identifier = page.evaluate("() => performance.getEntriesByType('navigation')[0].name")
    assert identifier.endswith("/"), "a reload must not post again"
    page.reload()
    expect(page.get_by_role("listitem").filter(has_text=text)).to_have_count(1)


def test_it_is_used_with_the_keyboard_alone(page: Page) -> None:
    text = uuid.uuid4().hex
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("A new note")).to_be_focused()
    page.keyboard.type(text)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("listitem").filter(has_text=text)).to_be_visible()


def test_the_page_follows_light_and_dark_and_narrow_screens(page: Page) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        style = page.evaluate(
            "() => [getComputedStyle(document.body)].flatMap(s => [s.color, s.backgroundColor])"
        )
        assert contrast(*style) > 7, (scheme, style)
        grounds.append(style[1])
    assert len(set(grounds)) == 2
    page.set_viewport_size({"width": 320, "height": 600})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 320


def contrast(*colours: str) -> float:
    """WCAG 2.2, "contrast ratio", of two colours as `rgb(r, g, b)`."""

    def luminance(colour: str) -> float:
        channels = [int(number) / 255 for number in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted(map(luminance, colours))
    return (lighter + 0.05) / (darker + 0.05)


def test_a_form_of_another_site_is_refused(chromium: Browser, site: Site) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.set_content(
        f'<form method="post" action="{site.url}/notes">'
        f'<input name="id" value="{uuid.uuid4()}"><input name="text" value="stolen">'
        "<button>Win</button></form>"
    )
    with page.expect_navigation() as navigation:
        page.get_by_role("button", name="Win").click()
    answer = navigation.value
    assert answer is not None
    assert answer.status == 403
    context.close()


def test_the_browser_shows_the_outage_and_its_end(page: Page, site: Site) -> None:
    rds, database = site.aws.client("rds"), site.resource("Database")
    rds.reboot_db_instance(DBInstanceIdentifier=database, ForceFailover=True)
    deadline = time.monotonic() + 30
    while "Back in a moment" not in page.content():
        assert time.monotonic() < deadline
        page.goto("/")
    expect(page.get_by_role("heading", name="Back in a moment")).to_be_visible()
    while "Back in a moment" in page.content():
        assert time.monotonic() < deadline + 60
        time.sleep(0.2)
        page.goto("/")
    expect(page.get_by_role("heading", name="Notes")).to_be_visible()
