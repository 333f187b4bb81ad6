"""Messages about keys of boards: host/deploy's key_store, key_export and keygen."""

from ..message import N_, Message

_OTHER_NAME = N_("Choose another name, with --name.")

_STORE: dict[str, Message] = {
    "keys_folder": Message(
        N_("The folder of the keys cannot be kept from others."),
        N_("{path}: another user's, a link, or on a disk that knows no rights"),
        N_("a folder and files of your own user, on a disk with rights (no FAT)"),
        N_("Set MAIXFORGE_DATA to a folder on such a disk, and take the keys there."),
    ),
    "keys_were_open": Message(
        N_("Other users of this computer could read this; it is closed to them now."),
        N_("rights {mode}"),
        N_("rights for the owner only"),
        N_("If somebody may have looked, the keys in it protect no longer: do not trust them."),
    ),
    "key_damaged": Message(
        N_("The file of a key is damaged or was changed."),
        "{reason}",
        "",
        N_("Put a copy of the file there, or import an export. Without either the key is lost."),
    ),
    "key_name": Message(
        N_("A board cannot have this name."),
        "{path}",
        N_("1 to 40 letters, digits, blanks, - and _, with a letter or digit at both ends"),
        N_("Choose another name."),
    ),
    "key_name_taken": Message(
        N_("Another board has this name already. Nothing was changed."),
        "{path}",
        N_("a name of its own for each board"),
        _OTHER_NAME,
    ),
    "key_there": Message(
        N_("The key of this board is here already. Nothing was changed."),
        "{path}",
        "",
        N_("Use it under that name, or forget it first: maixforge keys forget."),
    ),
    "key_unknown": Message(
        N_("There is no key of such a board here."),
        "{path}",
        N_("one of: {names}"),
        N_("See maixforge keys list; add the board's machine code with maixforge keys add."),
    ),
    "key_forget_refused": Message(
        N_("The key was kept."),
        N_("what was typed is not the board's name"),
        "{path}",
        N_("Only typing the name deletes a key that is, or may be, burnt into a board."),
    ),
}

_EXPORT: dict[str, Message] = {
    "passphrase_short": Message(
        N_("The passphrase is too short."),
        N_("{found} characters"),
        N_("at least {least}"),
        N_("Take some words that nobody would guess, e.g. five drawn from a word list."),
    ),
    "passphrase_differs": Message(
        N_("The passphrase was typed in two different ways."),
        "",
        "",
        N_("Type it again."),
    ),
    "key_file_exists": Message(
        N_("The file exists already. Nothing was changed."),
        "{path}",
        "",
        N_("Choose another file name."),
    ),
    "key_file_unknown": Message(
        N_("This is no export of keys."),
        "{path}",
        N_("a file that maixforge keys export wrote"),
        N_("Choose another file."),
    ),
    "key_file_newer": Message(
        N_("A newer MaixForge wrote this export."),
        N_("version {found}"),
        N_("version {known}"),
        N_("Update MaixForge and import it again."),
    ),
    "key_file_damaged": Message(
        N_("The export is damaged; nothing of it was taken."),
        N_("bytes that do not fit its check sum, or a part is missing"),
        "",
        N_("Copy it again from where it lay, or export again."),
    ),
    "key_file_costly": Message(
        N_("The export asks for more, or for less, work than an export of ours."),
        N_("scrypt with N = 2^{found}"),
        N_("2^{least} to 2^{most}"),
        N_("Do not trust this file. Export again."),
    ),
    "key_file_passphrase": Message(
        N_("The passphrase does not open the export."),
        N_("a whole file, not damaged by accident"),
        N_("the passphrase that was typed when it was exported"),
        N_("Type it again; look at capital letters and the keyboard's language."),
    ),
    "key_import_name": Message(
        N_("--name is for a file with one key."),
        N_("{found} keys"),
        N_("one key"),
        N_("Leave --name out."),
    ),
}

MESSAGES: dict[str, Message] = {**_STORE, **_EXPORT}
