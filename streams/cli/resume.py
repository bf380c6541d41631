"""`pressline resume`: let go on what `pause` or `drain` held back."""

from typing import Any

import click

from schemas.control import ControlAction
from streams.cli.exits import run
from streams.cli.scope_options import audit_options, change, scope_options, scopes_of, show
from streams.settings import Settings


@click.command("resume")
@scope_options
@audit_options
def command(*, as_json: bool, by: str, why: str, **scopes: Any) -> None:
    """Let work go on that was paused or drained; `pressline pause --list` shows what there is.

    A breaker of that provider, model or tenant is reset: what it held back goes on as well.
    """
    wanted = scopes_of(scopes)
    show(run(lambda: change(Settings.load(), wanted, ControlAction.RESUMED, by=by, why=why)), as_json=as_json)
