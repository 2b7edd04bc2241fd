"""Where the instances find their artifact: three parameters, and the permission to read it.

`python -m deploy webtier` puts the artifact into the account's bucket of artifacts and sets them.
"""

from __future__ import annotations

from troposphere import Parameter, Sub

BUCKET = Parameter(
    "ArtifactBucket",
    Type="String",
    AllowedPattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    ConstraintDescription="the name of a bucket",
    Description="The bucket that holds the artifact.",
)
KEY = Parameter(
    "ArtifactKey",
    Type="String",
    AllowedPattern=r"^[A-Za-z0-9._/-]{1,512}$",
    ConstraintDescription="a key of letters, digits and ._/-",
    Description="The artifact's key in that bucket: what the instances install and start.",
)
SHA256 = Parameter(
    "ArtifactSha256",
    Type="String",
    AllowedPattern="^[0-9a-f]{64}$",
    ConstraintDescription="64 hexadecimal digits",
    Description="The artifact's checksum; an instance installs nothing else.",
)
PARAMETERS = (BUCKET, KEY, SHA256)

# The object alone: an instance reads no other stage's or part's artifacts.
ARN = Sub(f"arn:${{AWS::Partition}}:s3:::${{{BUCKET.title}}}/${{{KEY.title}}}")
