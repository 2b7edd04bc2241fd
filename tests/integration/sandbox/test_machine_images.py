from __future__ import annotations

import pytest


@pytest.mark.parametrize("account", ["111111111111", "222222222222"])
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_each_architecture_has_its_image(aws, account, architecture):
    name = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
    parameter = aws.client("ssm", account).get_parameter(Name=name)["Parameter"]
    assert parameter["Value"].startswith("ami-")
