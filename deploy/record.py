"""Record a stack's outputs where Chalice reads them: config.json and the policy files.

Source: Chalice documentation, "Configuration File" (https://aws.github.io/chalice/topics/configfile).
"""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.errors import SettingsError

Document = Mapping[str, Any]


def record(
    directory: Path,
    stage: str,
    environment: Mapping[str, str],
    policies: Mapping[str, Document],
    api_policy: Document | None = None,
) -> tuple[Path, ...]:
    """Write the stage's environment variables and policy documents, return the changed files.

    `directory` is the Chalice project. `policies` are keyed by the function's name in Chalice.
    `api_policy` is the resource policy of the API; without one the API has none from here, and one
    that the stage names itself in config.json stays.
    Other keys of config.json stay as they are and where they are; a file whose content is right
    is not touched. The policy files come first, so that config.json never names one that is not
    there.

    Raises SettingsError: config.json is missing, is not JSON, or does not have the stage.
    """
    folder = directory / ".chalice"
    path = folder / "config.json"
    config = recorded(path, stage, environment, policies)
    contents: dict[Path, Document] = {
        folder / f"policy-{stage}-{function}.json": policy for function, policy in policies.items()
    }
    settings, own = config["stages"][stage], f"api-policy-{stage}.json"
    if api_policy is not None:
        contents[folder / own] = api_policy
        settings["api_gateway_policy_file"] = own
    elif settings.get("api_gateway_policy_file") == own:
        del settings["api_gateway_policy_file"]
    return tuple(
        written
        for written, content in [*contents.items(), (path, config)]
        if _write(written, content)
    )


def recorded(
    path: Path, stage: str, environment: Mapping[str, str], policies: Mapping[str, Document]
) -> dict[str, Any]:
    """Return the Chalice configuration at `path` with the stage's variables and policy files.

    Raises SettingsError: as `record`.
    """
    config = read_config(path)
    settings = config.get("stages", {}).get(stage)
    if not isinstance(settings, dict):
        raise SettingsError(f'{path} has no stage {stage}: add "{stage}": {{}} to its "stages"')
    settings.setdefault("environment_variables", {}).update(environment)
    functions = settings.setdefault("lambda_functions", {})
    for function in policies:
        functions.setdefault(function, {})["iam_policy_file"] = f"policy-{stage}-{function}.json"
    return config


def read_config(path: Path) -> dict[str, Any]:
    """Return the Chalice configuration at `path`.

    Raises SettingsError: there is no such file, or it is not a JSON object.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path} is missing: the part is not a Chalice project") from error
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise SettingsError(f"{path} is not a JSON object")
    return config


def _write(path: Path, content: Document) -> bool:
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    # A file of its own, then a rename: a reader, or a crash, never meets half a file.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True
