"""A rolling update by CloudFormation: batches of new instances, signals, and the way back.

While as many instances are in service as MinInstancesInService asks for, a batch is launched
before anything is terminated, within MaxSize. With WaitOnResourceSignals a batch counts once each
of its instances has signalled; too many failures or the time-out PauseTime roll back. Without, the
next batch follows after PauseTime, whatever the instances do. Source: AWS CloudFormation Template
Reference, "UpdatePolicy attribute".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from webtier.drill.fleet import Version

if TYPE_CHECKING:
    from webtier.drill.fleet import Fleet, Instance
    from webtier.drill.tier import RollingUpdate


@dataclass
class Deployment:
    """One update of the group to another version; call `step` each second."""

    fleet: Fleet
    version: Version
    finished: bool = False
    rolled_back: bool = False
    waiting: list[Instance] = field(default_factory=list)
    since: float = 0.0
    size: int = 0
    failures: int = 0
    ended: float = 0.0

    def __post_init__(self) -> None:
        self.size = self.fleet.desired
        update = self.fleet.tier.group.update
        self.fleet.version = self.version
        self.fleet.tell(f"an update to a {self.version.value} version begins")
        if update is None:
            self.fleet.tell("without an UpdatePolicy it replaces nothing")
            self.finished = True
        elif update.min_in_service >= self.fleet.tier.group.max_size:
            self._refused()
        else:
            self.fleet.suspended = update.suspended

    def step(self) -> None:
        """Go on as far as it goes in this second."""
        update = self.fleet.tier.group.update
        if self.finished or update is None or not self._settled(update):
            return
        members = self.fleet.members
        old = [one for one in members if one.version is not self.version]
        if not old:
            self._finish()
            return
        new = len(members) - len(old)
        ending = min(update.batch, len(old), len(members) - update.min_in_service)
        starting = min(update.batch, self.fleet.tier.group.max_size - len(members))
        if ending > 0:
            for instance in old[:ending]:
                self.fleet.terminate(instance)
            starting = max(0, min(ending, self.size - new))
        elif starting <= 0:
            self._refused()
            return
        self._launch(starting)

    def _refused(self) -> None:
        self.fleet.tell("the update fails: MinInstancesInService leaves no room below MaxSize")
        self._back()

    def _launch(self, count: int) -> None:
        self.since = self.fleet.now
        # One that goes when its successor is ready is no part of the group's size.
        self.fleet.desired = len(self.fleet.members) - self.fleet.leaving() + count
        self.waiting = [self.fleet.launch() for _ in range(count)]

    def _settled(self, update: RollingUpdate) -> bool:
        """Whether the last batch is done with; a failed one turns the update round."""
        if not self.waiting:
            return True
        now, assumed = self.fleet.now, self.fleet.assumptions
        self._follow()
        if not update.signals:
            return now >= self.since + max(update.pause, assumed.launch_seconds)
        late = now >= self.since + update.pause
        failed = [one for one in self.waiting if self._failed(one, late=late)]
        going = [one for one in self.waiting if one not in failed and not self.fleet.signalled(one)]
        if failed:
            self.failures += len(failed)
            self.waiting = going
            if self.failures * 100 > self.size * (100 - update.success_percent):
                self.fleet.tell(f"{failed[0].name} reports failure: the update is rolled back")
                self._back()
        return not self.finished and not going

    def _follow(self) -> None:
        """Wait for what the group launched in place of an abandoned one: any signal counts."""
        members = self.fleet.members
        here = [one for one in self.waiting if one in members]
        others = [one for one in members if one.launched >= self.since and one not in here]
        self.waiting = here + others[: len(self.waiting) - len(here)]

    def _failed(self, instance: Instance, *, late: bool) -> bool:
        if self.fleet.signalled(instance):
            return False
        gives_up = (
            self.fleet.assumptions.boot_seconds + self.fleet.assumptions.failure_signal_seconds
        )
        return late or (
            instance.version is Version.BROKEN and self.fleet.now >= instance.launched + gives_up
        )

    def _back(self) -> None:
        if self.rolled_back:
            self._finish()
            return
        self.rolled_back = True
        self.version = self.fleet.version = Version.CURRENT
        self.waiting, self.failures = [], 0

    def _finish(self) -> None:
        self.finished, self.ended = True, self.fleet.now
        self.fleet.suspended = frozenset()
        self.fleet.desired = self.size
        while len(self.fleet.members) > self.size:
            self.fleet.terminate(self.fleet.surplus())
        outcome = "rolled back" if self.rolled_back else "complete"
        self.fleet.tell(f"the update is {outcome}")
