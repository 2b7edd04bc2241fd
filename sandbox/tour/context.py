"""What every step needs: the APIs' URLs and clients of the embedded AWS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox import environment, status
from sandbox.tour.report import StepFailure

if TYPE_CHECKING:
    from sandbox.emulator import Emulator


@dataclass(frozen=True)
class Context:
    """A running sandbox and what was deployed into it."""

    emulator: Emulator
    deployed: status.Status

    def api(self, part: str) -> str:
        """The URL of that part's API. Raises StepFailure where it is not deployed."""
        if part not in self.deployed.apis:
            raise StepFailure(
                f"{part} is not deployed; `python -m deploy {part} --stage local` does it"
            )
        return self.deployed.apis[part]

    def client(self, service: str, account: str = environment.WORKLOAD_ACCOUNT) -> Any:
        """A boto3 client of that service as an administrator of the account."""
        return status.client(self.emulator, service, account)

    def outputs(self, stack: str, account: str = environment.WORKLOAD_ACCOUNT) -> dict[str, str]:
        """The outputs of a deployed stack."""
        described = self.client("cloudformation", account).describe_stacks(StackName=stack)
        return {
            output["OutputKey"]: output["OutputValue"]
            for output in described["Stacks"][0].get("Outputs", [])
        }
