"""`maixforge password` and `maixforge token`: who may use the host in this data folder."""

from __future__ import annotations

import click

from . import config
from .command import command, json_option
from .i18n import N_
from .terminal import Terminal


@click.command()
@click.option("--remove", is_flag=True, help="Take the password away.")
@json_option
@command
def password(terminal: Terminal, remove: bool) -> None:
    """Set the password of the host's pages; only a hash of it is kept, in the data folder.

    A running host follows at once, and everybody has to log in anew.
    """
    from .web.credentials import Credentials  # noqa: PLC0415

    credentials = Credentials(config.load().data)
    text = ""
    if not remove:
        asked = (terminal.tr(N_("New password")), terminal.tr(N_("Once more")))
        text = click.prompt(asked[0], hide_input=True, confirmation_prompt=asked[1], err=True)
    credentials.set_password(text)
    terminal.say(N_("The password is gone.") if remove else N_("The password is set."))
    terminal.result({"ok": True, "password": not remove})


@click.command()
@click.argument("name", default="")
@click.option("--remove", is_flag=True, help="Take the token away.")
@json_option
@command
def token(terminal: Terminal, name: str, remove: bool) -> None:
    """Make a token called NAME, for a program or for --host; without NAME list them.

    It is printed once, alone on the standard output; only a hash of it is kept.
    """
    from .web.credentials import Credentials  # noqa: PLC0415

    credentials = Credentials(config.load().data)
    if remove:
        credentials.remove_token(name)
        terminal.say(N_("The token {name} is gone."), name=name)
        terminal.result({"ok": True, "name": name})
    elif name:
        made = credentials.add_token(name)
        terminal.say(N_("Keep this token; it is not shown again."))
        if terminal.as_json:
            terminal.result({"ok": True, "name": name, "token": made})
        else:
            click.echo(made)
    else:
        tokens = credentials.known().tokens
        terminal.table([N_("token"), N_("made")], [(one.name, one.made) for one in tokens])
        terminal.result({"tokens": [{"name": one.name, "made": one.made} for one in tokens]})
