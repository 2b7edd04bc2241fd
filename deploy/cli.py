"""`python -m deploy`: the command line."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from deploy import deletion, deployment, parts, planning, progress, redrive, report, rollback
from deploy.errors import DeployError, SettingsError, explain
from deploy.parts import PARTS
from deploy.target import Target

_EPILOG = """\
examples:
  python -m deploy crud_api --stage dev           create or update the stack, deploy the app
  python -m deploy webtier --stage prod --plan    show what would change, change nothing
  python -m deploy crud_api --stage dev --delete  delete the app and the stack, keep the data
  python -m deploy webtier --stage dev --application FILE  have the instances run FILE
  python -m deploy crud_api --stage dev --per-operation  a function and a role per operation
  python -m deploy crud_api --stage dev --rollback       deploy the version before again
  python -m deploy image_api --stage dev --redrive       have failed events processed again

exit status:
  0  done; with --plan: nothing would change
  1  it failed; the first line says which resource or setting, and why
  2  wrong call; with --plan: something would change
  130  interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.delete and not arguments.yes and not sys.stdin.isatty():
        parser.error("--delete asks for a confirmation: run it on a terminal, or add --yes")
    if arguments.delete_data and not arguments.delete:
        parser.error("--delete-data is for --delete")
    if arguments.json and not arguments.plan:
        parser.error("--json is for --plan")
    part = PARTS[arguments.part]
    if arguments.application and not part.takes_application:
        parser.error(f"{part.name} has no --application")
    if arguments.per_operation and part.per_operation is None:
        parser.error(f"{part.name} has no --per-operation")
    root: Path = arguments.root.resolve()
    try:
        names = parts.stage_names(root / part.name / "stages.toml")
        if arguments.stage not in names:
            parser.error(
                f"{part.name} has no stage {arguments.stage}: it has {', '.join(names)}; another "
                f"one is a table of its own in {part.name}/stages.toml"
            )
        if arguments.versions:
            return rollback.show_versions(part, arguments.stage, root)
        if arguments.rollback is not None:
            return rollback.rollback(part, arguments.stage, root, arguments.rollback or None)
        target = Target.of(
            part,
            arguments.stage,
            root,
            application=arguments.application,
            to_delete=arguments.delete,
        )
        if arguments.per_operation and target.per_operation is None:
            raise SettingsError(f"{part.name} in {arguments.root} has no module per_operation")
        if arguments.plan:
            return _plan(target, per_operation=arguments.per_operation, as_json=arguments.json)
        if arguments.delete:
            return deletion.delete(target, confirmed=arguments.yes, with_data=arguments.delete_data)
        if arguments.redrive:
            return redrive.redrive_part(target)
        return deployment.deploy(target, per_operation=arguments.per_operation)
    except DeployError as error:
        progress.error(str(error), error.details)
        return error.exit_code
    except (BotoCoreError, ClientError) as error:
        progress.error(explain(error))
        return 1
    except OSError as error:
        progress.error(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return 1
    except KeyboardInterrupt:
        progress.error("interrupted")
        return 130


def _plan(target: Target, *, per_operation: bool, as_json: bool) -> int:
    plan = planning.make_plan(
        target,
        per_operation=per_operation,
        on_step=lambda text: progress.step(f"looking at {text}"),
    )
    if as_json:
        print(json.dumps(plan.to_json(), indent=2))
    else:
        report.show(plan)
    return plan.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy",
        description="Deploy one part: its stack by a change set, the stack's outputs recorded for "
        "Chalice,\nthen the app by `chalice deploy`. Credentials, region and endpoint are boto3's.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=tuple(PARTS), help="the part to deploy")
    parser.add_argument(
        "--stage",
        required=True,
        help="the stage: local, dev, prod, or another table of the part's stages.toml",
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--plan", action="store_true", help="show the changes and change nothing")
    action.add_argument(
        "--redrive",
        action="store_true",
        help="put the events of the part's failure queue back to its functions",
    )
    action.add_argument(
        "--rollback",
        type=int,
        nargs="?",
        const=0,
        metavar="VERSION",
        help="deploy an earlier version of the app again, by default the one before",
    )
    action.add_argument("--versions", action="store_true", help="list the versions of the app")
    action.add_argument("--delete", action="store_true", help="delete the app, then the stack")
    parser.add_argument("--json", action="store_true", help="with --plan: print it as JSON")
    parser.add_argument(
        "--delete-data", action="store_true", help="with --delete: delete the data too, for good"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before --delete")
    parser.add_argument(
        "--per-operation",
        action="store_true",
        help="a function for each operation of the API, deployed as a stack of its own",
    )
    parser.add_argument(
        "--application",
        type=Path,
        metavar="FILE",
        help="an artifact of your own for the instances of the web tier, instead of the project's",
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(__file__).resolve().parent.parent,
        metavar="DIR",
        help="the folder that holds the part's folder, for a copy of it (default: this checkout)",
    )
    return parser
