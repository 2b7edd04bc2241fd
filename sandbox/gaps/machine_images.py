"""The public parameter that names the newest Amazon Linux 2023 image for Graviton.

AWS: `/aws/service/ami-amazon-linux-latest/...` in every account and Region, one parameter for each
architecture. Source: AWS Systems Manager user guide, "Calling AMI public parameters",
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html.

MiniStack 1.5.33: has the parameter for x86_64 only.

The filler: adds the one for arm64. Instances are records in the sandbox, so it names an image that
nothing boots.
"""

from __future__ import annotations

from ministack.services import ssm

_NAME = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
_IMAGE = "ami-0c2023a1b2c3d4a64"


def install() -> None:
    """Make the parameter readable in every account."""
    ssm._PUBLIC_AMI_PARAMETERS[_NAME] = _IMAGE
