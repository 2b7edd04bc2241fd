"""The lock of a deployment, on the embedded AWS's S3."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from deploy import lock as module
from deploy.errors import DeployError
from deploy.lock import Lock, LockLostError, holder_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import EmbeddedAws

KEY = "locks/shop/dev.json"


class Locks:
    """Locks of one object, and what they said."""

    def __init__(self, client: Any, bucket: str) -> None:
        self.client, self.bucket = client, bucket
        self.said: list[str] = []

    def lock(self) -> Lock:
        return Lock(self.client, self.bucket, KEY, "shop at the stage dev", self.said.append)

    @property
    def content(self) -> dict[str, Any]:
        response = self.client.get_object(Bucket=self.bucket, Key=KEY)
        content: dict[str, Any] = json.loads(response["Body"].read())
        return content


@pytest.fixture
def locks(aws: EmbeddedAws, unique: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Locks]:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.05)
    s3, bucket = aws.client("s3"), f"locks-{unique}"
    s3.create_bucket(Bucket=bucket)
    yield Locks(s3, bucket)
    s3.delete_object(Bucket=bucket, Key=KEY)
    s3.delete_bucket(Bucket=bucket)


def test_a_lock_names_its_holder_and_goes_when_it_is_released(locks: Locks) -> None:
    with locks.lock():
        holder = holder_of(locks.client, Bucket=locks.bucket, Key=KEY)
        assert holder is not None
        assert "(process " in holder.owner
        assert 0 < holder.left.total_seconds() <= module.LEASE_SECONDS
    assert holder_of(locks.client, Bucket=locks.bucket, Key=KEY) is None


def test_another_waits_until_the_lock_is_released(locks: Locks) -> None:
    order: list[str] = []

    def second() -> None:
        with locks.lock():
            order.append("second")

    with locks.lock():
        thread = threading.Thread(target=second)
        thread.start()
        while not locks.said:
            time.sleep(0.01)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]
    assert "is deploying shop at the stage dev since" in locks.said[0]


def test_waiting_has_an_end(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT_SECONDS", 0)
    with locks.lock(), pytest.raises(DeployError, match="has been deploying shop at the stage dev"):
        locks.lock().__enter__()


def test_a_lease_is_renewed_while_it_is_held(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RENEWAL_SECONDS", 0.02)
    with locks.lock():
        first = locks.content["writes"]
        deadline = time.monotonic() + 30
        while locks.content["writes"] < first + 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_lease_that_has_run_out_is_taken_over_and_its_holder_stops(
    locks: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE_SECONDS", 0)
    # The first holder is suspended: it does not renew until the second has the lock.
    monkeypatch.setattr(module, "_RENEWAL_SECONDS", 3600)
    second = locks.lock()

    def wake() -> None:
        with second:
            monkeypatch.setattr(module, "_RENEWAL_SECONDS", 0.01)
            first._released.set()
            first._renewing.join()
            first._released.clear()
            threading.Thread(target=first._renew).start()
            assert stopped.wait(30)

    def deploy() -> None:
        with first:
            waking.start()
            try:
                time.sleep(30)
            finally:
                stopped.set()

    stopped = threading.Event()
    first = locks.lock()
    waking = threading.Thread(target=wake)
    with pytest.raises(LockLostError, match="somebody else began to deploy shop"):
        deploy()
    waking.join()

    assert "was cut off: going on from there" in locks.said[0]
    # What the second holds is not released by the first; it was by the second.
    assert holder_of(locks.client, Bucket=locks.bucket, Key=KEY) is None
