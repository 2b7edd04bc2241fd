"""One deployment of a part and stage at a time: a lease, kept as an object of S3.

Whoever deploys holds the object. It is made, renewed, taken over and removed by conditional writes,
so that of two who try only one succeeds (Amazon S3 user guide, "How to prevent object overwrites
with conditional writes"). A holder that was killed stops renewing, and its lease runs out. Whether
it has is told by S3's clock alone, the `Date` of its answer against the object's `Last-Modified`:
the clocks of two machines may differ.
"""

import getpass
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from deploy.errors import DeployError, DeployInterruptedError

LEASE_SECONDS = 60
_RENEWAL_SECONDS = 15
# Seconds between two looks at a lock that is held, and between two lines about it.
_LOOK_SECONDS, _TELL_SECONDS = 2, 15
# A database takes longer to create than anything else here: up to 30 minutes.
_LONGEST_WAIT_SECONDS = 45 * 60
# A condition that does not hold, one that another write has just met, and no object to compare.
_REFUSED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404"})


class LockLostError(DeployError):
    """Somebody else holds the lock, because this process did not renew it in time."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock. `left` is what remains of the lease, negative where it has run out."""

    lock_id: str
    owner: str
    since: str
    etag: str
    left: timedelta


class Lock:
    """The lock `key` of `bucket`, to be used as a context manager. `client` is boto3's s3 client.

    `what` names in a sentence what is locked; `on_line` is told of waiting for another holder.
    """

    def __init__(
        self, client: Any, bucket: str, key: str, what: str, on_line: Callable[[str], None]
    ) -> None:
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        self._what = what
        self._on_line = on_line
        self._id = uuid4().hex
        self._since = f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}"
        self._writes = 0
        self._etag = ""
        self._lost = threading.Event()
        self._released = threading.Event()
        self._renewing = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self) -> "Lock":
        """Wait for the lock and take it.

        Raises DeployError: it was held for too long.
        Raises DeployInterruptedError: Ctrl-C.
        """
        try:
            self._acquire()
        except KeyboardInterrupt as interrupt:
            raise DeployInterruptedError(
                "interrupted before anything was changed: run the same command again"
            ) from interrupt
        self._renewing.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the lock. Raises LockLostError: it was not this process's any more."""
        self._released.set()
        self._renewing.join()
        if self._lost.is_set():
            raise LockLostError(
                f"stopped: this machine did not reach S3 for over {LEASE_SECONDS} seconds, and "
                f"somebody else began to deploy {self._what}; run this again when that has ended"
            ) from error
        try:
            self._client.delete_object(**self._object, IfMatch=self._etag)
        except (BotoCoreError, ClientError) as failure:
            # The lease runs out by itself; what this deployment did, or died of, matters more.
            self._on_line(f"the lock stays for {LEASE_SECONDS} seconds: {failure}")

    def _acquire(self) -> None:
        began = time.monotonic()
        told = -float(_TELL_SECONDS)
        while not self._write({"IfNoneMatch": "*"}):
            holder = holder_of(self._client, **self._object)
            if holder is None:
                continue
            if holder.lock_id == self._id:
                # The first answer got lost, and boto3 sent the request again.
                self._etag = holder.etag
                return
            if holder.left <= timedelta() and self._write({"IfMatch": holder.etag}):
                self._on_line(
                    f"{holder.owner} began to deploy {self._what} at {holder.since} and was cut "
                    "off: going on from there"
                )
                return
            waited = time.monotonic() - began
            if waited > _LONGEST_WAIT_SECONDS:
                raise DeployError(
                    f"{holder.owner} has been deploying {self._what} since {holder.since}: "
                    "run this again when that has ended"
                )
            if waited - told >= _TELL_SECONDS:
                told = waited
                self._on_line(
                    f"{holder.owner} is deploying {self._what} since {holder.since}: waiting "
                    "(Ctrl-C to give up)"
                )
            time.sleep(_LOOK_SECONDS)

    def _write(self, condition: dict[str, str]) -> bool:
        """Write the lock on the condition, return whether it held."""
        self._writes += 1
        content = {
            "id": self._id,
            "owner": this_process(),
            "since": self._since,
            "lease_seconds": LEASE_SECONDS,
            # So that no two writes have the same ETag.
            "writes": self._writes,
        }
        try:
            response = self._client.put_object(
                **self._object,
                **condition,
                Body=json.dumps(content).encode(),
                ContentType="application/json",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _REFUSED:
                return False
            raise
        self._etag = response["ETag"]
        return True

    def _renew(self) -> None:
        while not self._released.wait(_RENEWAL_SECONDS):
            try:
                if self._write({"IfMatch": self._etag}):
                    continue
                holder = holder_of(self._client, **self._object)
            except (BotoCoreError, ClientError):
                # The next try may get through, in time.
                continue
            if holder is not None and holder.lock_id == self._id:
                self._etag = holder.etag
                continue
            self._lost.set()
            # Ends the step that runs as Ctrl-C does; __exit__ says why.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            return


def holder_of(client: Any, Bucket: str, Key: str) -> Holder | None:  # noqa: N803 - boto3's names
    """Return who holds the lock, None where nobody does."""
    try:
        response = client.get_object(Bucket=Bucket, Key=Key)
    except ClientError as error:
        if error.response["Error"]["Code"] in _REFUSED:
            return None
        raise
    content = json.loads(response["Body"].read())
    now = parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
    until = response["LastModified"] + timedelta(seconds=content["lease_seconds"])
    return Holder(content["id"], content["owner"], content["since"], response["ETag"], until - now)


def this_process() -> str:
    """Return who deploys: user, machine and process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} (process {os.getpid()})"
