"""Commands for keys of boards: burning one into the chip's fuses, and the keys on this computer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import config
from .command import ExistingPath, PathType, command, json_option
from .errors import UserError
from .i18n import N_
from .terminal import Terminal

if TYPE_CHECKING:
    from .deploy.key_store import KeyStore, StoredKey
    from .deploy.keygen import Plan, Program, Slot

SLOTS = {
    "blank": N_("empty"),
    "burnt": N_("a key or a part of one, not locked"),
    "locked": N_("a key, locked"),
}
FUSES = {
    "key_write_off": N_("the key can no longer be changed"),
    "test_mode_off": N_("the chip's test mode is closed, which might read the key out"),
    "jtag_off": N_("JTAG is closed"),
    "key_verify_off": N_("the key can no longer be compared"),
    "cipher_off": N_("encrypted firmware is no longer decrypted"),
    "isp_off": N_("the board can no longer be flashed over its port"),
    "pinned_firmware": N_("only one firmware ever starts"),
    "blank_test_off": N_("the test for empty fuses is off"),
    "ram_bisr_off": N_("the repair of the RAM is off"),
    "i2c2axi_off": N_("the bridge from I2C to the bus is off"),
}
BURNT = {"clear": N_("no"), "half": N_("half"), "set": N_("yes")}
STEPS = {
    "write": (0.1, N_("burning the key")),
    "compare": (0.5, N_("comparing the key")),
    "known_answer": (0.6, N_("trying the key")),
    "key_write_off": (0.7, N_("locking the key")),
    "test_mode_off": (0.8, N_("closing the test mode")),
    "jtag_off": (0.9, N_("closing JTAG")),
}
STATES = {
    "bound": N_("bound, no fuse"),
    "pending": N_("pending: perhaps burnt; run keygen again"),
    "burnt": N_("burnt, not locked; run keygen again"),
    "locked": N_("burnt and locked"),
}


def _store(terminal: Terminal) -> KeyStore:
    from .deploy.key_store import KeyStore  # noqa: PLC0415

    store = KeyStore(config.load().data)
    terminal.findings(store.findings)
    return store


def _secret(terminal: Terminal, text: str) -> str:
    """Ask for something without showing it; from a pipe it is a line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return click.prompt(terminal.tr(text), hide_input=True, err=True)


@click.command()
@click.argument("port")
@click.option("--burn", is_flag=True, help="Burn and lock the key. Without it nothing is changed.")
@click.option("--close-jtag", is_flag=True, help="Close JTAG as well, for ever.")
@click.option("--name", default="", help="Name of the board among the keys (default: by its chip).")
@click.option("--board", default="", help="Board, e.g. dock (default: three wirings are tried).")
@click.option("--running", is_flag=True, help="The key generator runs on the board already.")
@json_option
@command
def keygen(
    terminal: Terminal,
    port: str,
    burn: bool,
    close_jtag: bool,
    name: str,
    board: str,
    running: bool,
) -> None:
    """Look at the fuses of the board at PORT; with --burn give it a key of its own, for ever.

    The program runs in the board's RAM; its flash stays as it is.
    """
    from .deploy import flash  # noqa: PLC0415
    from .deploy import keygen as room  # noqa: PLC0415

    if board and board not in flash.BOARDS:
        raise UserError("flash_board_unknown", board, names=", ".join(flash.BOARDS))
    store = _store(terminal)
    terminal.findings(store.look()[1])  # a damaged file may be the key of this very board
    with room.running(port, board, already=running) as program:
        slot = program.status()
        _show_slot(terminal, slot)
        what = room.plan(slot, store, close_jtag=close_jtag)
        name = what.entry.name if what.entry else name or f"k210-{slot.chip[:8]}"
        if not what.entry:
            store.refuse_taken(name)
        _show_plan(terminal, what, slot, name, store.folder, close_jtag)
        found = {
            "dry_run": not burn,
            "chip": slot.chip[:8],
            "state": slot.state,
            "functions": dict(slot.functions),
            "machine_code": slot.code if slot.locked else "",
            "do": what.do,
            "burns": list(what.sets(slot, close_jtag)),
            "name": name,
        }
        if not burn:
            if what.do != "nothing":
                terminal.say(N_("This was a dry run: nothing was burnt. To burn, add --burn."))
            terminal.result(found)
            return
        entry = _burn(terminal, program, slot, what, store, name=name, close_jtag=close_jtag)
    _show_burnt(terminal, entry, store)
    terminal.result({**found, **_facts(entry, codes=True)})


def _burn(
    terminal: Terminal,
    program: Program,
    slot: Slot,
    what: Plan,
    store: KeyStore,
    **choices: Any,
) -> StoredKey:
    """Ask, then do what the plan says; where nothing is left to do, only note that."""
    from .deploy.keygen import perform  # noqa: PLC0415

    if what.do == "nothing":
        assert what.entry is not None
        return store.advance(what.entry, "locked", chip=slot.chip, jtag_closed=slot.jtag_closed)
    text = N_("Type BURN to burn this for ever; anything else leaves the board as it is")
    word = click.prompt(terminal.tr(text), default="", show_default=False, err=True)
    with terminal.progress(N_("Burn")) as bar:

        def moved(step: str) -> None:
            fraction, words = STEPS.get(step, (0.0, ""))
            bar.update(fraction, detail=terminal.tr(words))

        entry = perform(program, slot, what, store, word=word, progress=moved, **choices)
        bar.update(1.0)
    return entry


def _show_slot(terminal: Terminal, slot: Slot) -> None:
    tr = terminal.tr
    terminal.say(N_("Chip: {chip} (the first digits of its number)"), chip=slot.chip[:8])
    terminal.say(N_("Key slot: {state}"), state=tr(SLOTS[slot.state]))
    if slot.locked:
        terminal.say(N_("Machine code: {code}"), code=slot.code)
    rows = [(tr(text), tr(BURNT[slot.functions[fuse]])) for fuse, text in FUSES.items()]
    terminal.table([N_("fuse"), N_("burnt")], rows)


def _show_plan(
    terminal: Terminal, what: Plan, slot: Slot, name: str, folder: Path, close_jtag: bool
) -> None:
    if what.do == "nothing":
        terminal.say(
            N_("The key is locked and is here as {name}. There is nothing to do."), name=name
        )
        return
    terminal.say(N_("What --burn changes, for ever, with no way back for anybody:"))
    if what.do == "burn" and not what.entry:
        text = N_("- a new random key goes into the key slot; it is kept in {path} as {name}")
        terminal.say(text, path=folder, name=name)
    elif what.do != "lock":
        terminal.say(N_("- the burn of {name}, which was interrupted, is completed"), name=name)
    for fuse in what.sets(slot, close_jtag):
        terminal.say("- {what}", what=terminal.tr(FUSES[fuse]))
    if not close_jtag and slot.functions["jtag_off"] == "clear":
        terminal.say(N_("JTAG stays open (--close-jtag closes it)."))
    terminal.say(N_("The board goes on to take every firmware and model, flashed as before."))


def _show_burnt(terminal: Terminal, entry: StoredKey, store: KeyStore) -> None:
    terminal.say(N_("The key of {name} is burnt, compared and locked."), name=entry.name)
    terminal.say(N_("Machine code: {code}"), code=entry.key.code)
    terminal.say(
        N_(
            "The key lies in {path}; nobody can read it from the board. Make a copy of it: "
            "maixforge keys export FILE"
        ),
        path=store.folder,
    )
    terminal.say(N_("Press RESET to start what is in the board's flash."))


@click.group()
def keys() -> None:
    """The keys of boards on this computer."""


@keys.command("list")
@click.option("--codes", is_flag=True, help="Show the machine codes of burnt boards, too.")
@json_option
@command
def list_keys(terminal: Terminal, codes: bool) -> int:
    """List the boards whose keys are here."""
    found, wrong = _store(terminal).look()
    columns = [N_("board"), N_("key"), N_("chip"), N_("made")]
    columns += [N_("machine code")] if codes else []
    rows = [
        (one.name, terminal.tr(STATES[one.state]), one.chip[:8] or "-", one.made[:10] or "-",
         *([one.key.code or "-"] if codes else []))
        for one in found
    ]  # fmt: skip
    terminal.table(columns, rows)
    terminal.findings(wrong)
    terminal.result(
        {
            "keys": [_facts(one, codes) for one in found],
            "findings": [one.as_dict(terminal.language) for one in wrong],
        }
    )
    return int(bool(wrong))


def _facts(entry: StoredKey, codes: bool = False) -> dict[str, Any]:
    facts = {
        "name": entry.name,
        "strength": entry.key.strength,
        "state": entry.state,
        "board_id": entry.key.board_id.hex(),
        "chip": entry.chip[:8],
        "jtag_closed": entry.jtag_closed,
        "made": entry.made,
    }
    return {**facts, "machine_code": entry.key.code} if codes else facts


@keys.command()
@click.argument("name")
@click.option("--picture", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="A photo of the QR code on the board's screen.")  # fmt: skip
@json_option
@command
def add(terminal: Terminal, name: str, picture: Path | None) -> None:
    """Add the board NAME by the machine code that it shows; without a photo it is asked for."""
    from .deploy import machine_code  # noqa: PLC0415
    from .deploy.board_key import BoardKey  # noqa: PLC0415
    from .deploy.key_store import StoredKey, checked_name  # noqa: PLC0415

    store = _store(terminal)
    store.refuse_taken(checked_name(name))
    if picture:
        from .jobs import scanned  # noqa: PLC0415

        with picture.open("rb") as source:
            code = scanned.machine_code_in(source, picture.name, config.load().pixels)
    else:
        code = machine_code.parse(_secret(terminal, N_("Machine code (it is not shown)")))
    entry = StoredKey.new(name, BoardKey.of_code(code))
    store.add(entry)
    terminal.say(N_("Added: {name}"), name=entry.name)
    terminal.result(_facts(entry))


@keys.command()
@click.argument("file", type=PathType)
@click.argument("names", nargs=-1)
@json_option
@command
def export(terminal: Terminal, file: Path, names: tuple[str, ...]) -> None:
    """Write the keys of NAMES (default: all) to FILE, sealed with a passphrase."""
    from .deploy import key_export  # noqa: PLC0415
    from .files import atomic_write  # noqa: PLC0415

    store = _store(terminal)
    chosen, wrong = [store.get(one) for one in names], []
    if not names:
        chosen, wrong = store.look()
    if file.exists():
        raise UserError("key_file_exists", str(file))
    if not chosen:
        raise UserError.of(wrong) if wrong else UserError("key_unknown", names="-")
    terminal.findings(wrong)
    passphrase = _secret(terminal, N_("Passphrase (it is not shown)"))
    if passphrase != _secret(terminal, N_("The passphrase again")):
        raise UserError("passphrase_differs")
    data = key_export.seal(chosen, passphrase)
    try:
        atomic_write(file, data, mode=0o600, replace=False)
    except FileExistsError:
        raise UserError("key_file_exists", str(file)) from None
    terminal.say(N_("Written: {path} ({n} keys). It opens with the passphrase only."),
                 path=file, n=len(chosen))  # fmt: skip
    terminal.result({"file": str(file), "names": [one.name for one in chosen]})


@keys.command("import")
@click.argument("file", type=ExistingPath)
@click.option("--name", default="", help="Another name for the one key in it.")
@json_option
@command
def import_keys(terminal: Terminal, file: Path, name: str) -> None:
    """Take in the keys of FILE, which `keys export` wrote; none that is here is overwritten."""
    from .deploy import key_export  # noqa: PLC0415
    from .errors import naming  # noqa: PLC0415

    store = _store(terminal)
    with naming(file.name):
        data = key_export.read(file)
        found = key_export.unseal(data, _secret(terminal, N_("Passphrase (it is not shown)")))
    done = key_export.take_in(store, found, name)
    words = {"added": N_("added"), "same": N_("there already"), "updated": N_("state updated")}
    terminal.table([N_("board"), ""], [(one, terminal.tr(words[how])) for one, how in done.items()])
    terminal.result({"keys": done})


@keys.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask (for bound keys only).")
@json_option
@command
def forget(terminal: Terminal, name: str, yes: bool) -> None:
    """Delete the key of the board NAME from this computer."""
    store = _store(terminal)
    try:
        entry = store.get(name)
    except UserError as error:
        if error.code != "key_damaged":
            raise
        terminal.findings(error.findings)
        entry = None
    shown = entry.name if entry else name
    if entry and not entry.burnable:
        text = terminal.tr(N_("Forget the key of {name}? Its machine code brings it back."))
        if not yes:
            click.confirm(text.format(name=shown), abort=True, err=True)
    else:
        terminal.say(N_("This key cannot be read from the board, ever. Without a copy of it nobody "
                        "can seal a model for this board again."))  # fmt: skip
        text = terminal.tr(N_("Type the board's name to delete its key"))
        if click.prompt(text, default="", show_default=False, err=True).strip() != shown:
            raise UserError("key_forget_refused", shown)
    store.forget(shown)
    terminal.say(N_("Deleted: {name}"), name=shown)
    terminal.result({"deleted": shown})
