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

_AGAIN = N_(
    "Nothing is lost: the key is stored here. Press RESET and run the same command again; it goes "
    "on where it ended."
)
_NEW_BOARD = N_("Use this board without a burnt key (its machine code works), or another board.")
_FAULT = N_("This is a fault of MaixForge or of the line. Try again; report it if it stays.")
_SOUND = N_("a chip whose fuses can be written")
_FOR_EVER = N_("no such bit; it cannot be taken back")

_TALK: dict[str, Message] = {
    "keygen_image_missing": Message(
        N_("The key generator's program cannot be read."),
        "{path}: {reason}",
        N_("firmware/keygen/keygen.bin, which is part of MaixForge"),
        N_("Install MaixForge from its folder (make setup), or put the file back."),
    ),
    "keygen_silent": Message(
        N_("The key generator does not answer. Nothing was burnt."),
        N_("no byte at 115200 baud"),
        "",
        N_(
            "Check the port; of boards with two take the other one. Run the command again; with "
            "--running the program must run already."
        ),
    ),
    "keygen_garbled": Message(
        N_("What the board says is not the key generator. Nothing was burnt."),
        "{said}",
        N_("answers as in firmware/keygen/README.md"),
        N_("Run the command without --running, so that it starts the program itself."),
    ),
    "keygen_version": Message(
        N_("The key generator on the board is of another version. Nothing was burnt."),
        "",
        N_("version {known}"),
        N_("Run the command without --running, so that it starts its own program."),
    ),
    "keygen_lost": Message(
        N_("The connection to the board broke."),
        "{reason}",
        "",
        N_(
            "Plug the board in and run the same command again. A key that was being burnt is "
            "stored here, and its burn goes on where it ended."
        ),
    ),
    "keygen_confused": Message(
        N_("The command arrived at the board damaged; the board did nothing."),
        "",
        "",
        N_("Try again, with a shorter cable and no hub."),
    ),
    "keygen_trap": Message(
        N_("The key generator's program failed in the middle of its work."),
        N_("exception {cause} of the processor"),
        "",
        _AGAIN,
    ),
    "keygen_unknown": Message(
        N_("The board refused for a reason that this MaixForge does not know."),
        "{state}",
        "",
        N_("Update MaixForge and run the same command again."),
    ),
}

_STATE: dict[str, Message] = {
    "keygen_locked_blank": Message(
        N_("This board's key slot is locked and empty. No key can ever be burnt into it."),
        N_("a locked slot with only zeros"),
        N_("an empty slot that is not locked"),
        _NEW_BOARD,
    ),
    "keygen_locked_unknown": Message(
        N_("This board has a key that is locked and is not among the keys here."),
        N_("another key, burnt elsewhere or forgotten"),
        N_("the key, from the computer that burnt it"),
        N_(
            "Set MAIXFORGE_DATA if your keys lie in another folder, or import an export with "
            "maixforge keys import. The board cannot give its key away."
        ),
    ),
    "keygen_foreign_key": Message(
        N_("This board has a key, or a part of one, that is not among the keys here."),
        N_("a slot that is not empty"),
        N_("the key that was begun here, or an empty slot"),
        N_(
            "Set MAIXFORGE_DATA if your keys lie in another folder, or import the key from the "
            "computer that burnt it; then run the same command again."
        ),
    ),
    "keygen_differs": Message(
        N_("The board says that it burnt the key, but its machine code is another. Not locked."),
        N_("a key that differs in the chip"),
        N_("the machine code of the key that was sent"),
        N_("Press RESET and run the same command again; if it stays, the chip's fuses are faulty."),
    ),
    "keygen_not_locked": Message(
        N_("The board says that it locked the key, but it does not read back so."),
        "",
        N_("key_write_off and test_mode_off set, and the machine code unchanged"),
        _AGAIN,
    ),
}

_REFUSED: dict[str, Message] = {
    "keygen_usage": Message(N_("The board did not understand the command."), "{state}", "", _FAULT),
    "keygen_word": Message(
        N_("The word was not typed, so the board was left as it is."),
        "{state}",
        N_("BURN, in capital letters"),
        N_("Run the command again if you want to burn."),
    ),
    "keygen_id": Message(
        N_("This is another board than the one that was looked at."),
        "{state}",
        N_("the same board from the beginning to the end"),
        N_("Leave the board plugged in and run the command again."),
    ),
    "keygen_crc": Message(
        N_("The key arrived at the board damaged."),
        "{state}",
        "",
        N_("Try again, with a shorter cable and no hub."),
    ),
    "keygen_weight": Message(
        N_("The key has too few or too many one-bits to be a random one."),
        "{state}",
        N_("40 to 88 of 128"),
        _FAULT,
    ),
    "keygen_key_write_off": Message(
        N_("Writing a key is locked on this board (function bit 2)."),
        "{state}",
        _FOR_EVER,
        _NEW_BOARD,
    ),
    "keygen_key_verify_off": Message(
        N_("Comparing the key is locked on this board (function bit 3): no burn could be checked."),
        "{state}",
        _FOR_EVER,
        _NEW_BOARD,
    ),
    "keygen_cipher_off": Message(
        N_("The use of the key is locked on this board (function bit 8)."),
        "{state}",
        _FOR_EVER,
        _NEW_BOARD,
    ),
    "keygen_not_blank": Message(
        N_("The key slot holds something that this key does not begin with."),
        "{state}",
        N_("an empty slot, or the beginning of the same key"),
        N_("Import the key from the computer that burnt it, and run the same command again."),
    ),
    "keygen_slot_unclear": Message(
        N_("The slot looks empty, but the AES engine does not seem to use it."),
        "{state}",
        N_("an engine that answers as for 16 zero bytes"),
        N_("Press RESET and try again. If it stays, do not burn a key into this board."),
    ),
    "keygen_engine": Message(
        N_("The board's AES engine does not answer, or answers wrongly."),
        "{state}",
        N_("the right answer for a known key"),
        N_("Press RESET and try again. If it stays, the chip is faulty: burn nothing."),
    ),
    "keygen_clock": Message(
        N_("The chip's clocks do not run as fuses need them."),
        "{state}",
        N_("the clocks after a reset, as the program sets them"),
        N_("Press RESET and run the command again, without --running."),
    ),
    "keygen_read": Message(
        N_("The board's fuse memory cannot be read."),
        "{state}",
        "",
        N_("Press RESET and try again. If it stays, the chip is faulty: burn nothing."),
    ),
    "keygen_busy": Message(
        N_("The fuse memory did not become ready in time."), "{state}", "", _AGAIN
    ),
    "keygen_address": Message(
        N_("The fuse memory refused the address: it is write-protected."),
        "{state}",
        _SOUND,
        _NEW_BOARD,
    ),
    "keygen_write": Message(
        N_("A fuse could not be burnt."),
        "{state}",
        _SOUND,
        N_(
            "Use a good power supply and a short cable, press RESET and run the same command "
            "again. If it stays, the chip is faulty."
        ),
    ),
    "keygen_repair": Message(
        N_("The fuse memory could not store its own repair data."), "{state}", _SOUND, _AGAIN
    ),
    "keygen_compare": Message(
        N_("The chip says that its slot does not hold the key that was sent."),
        "{state}",
        "",
        _AGAIN,
    ),
    "keygen_known_answer": Message(
        N_("The AES engine does not use the new key yet."),
        "{state}",
        "",
        N_(
            "The key is stored here. Take the board off its power, plug it in and run the same "
            "command again; it goes on where it ended. That may be needed twice."
        ),
    ),
    "keygen_blank": Message(
        N_("There is no key in the slot that could be locked."), "{state}", "", _FAULT
    ),
    "keygen_code": Message(
        N_("The slot holds another key than the one to be locked."), "{state}", "", _FAULT
    ),
    "keygen_not_set": Message(
        N_("A bit of the lock was burnt but does not read back."), "{state}", _SOUND, _AGAIN
    ),
}

MESSAGES: dict[str, Message] = {**_STORE, **_EXPORT, **_TALK, **_STATE, **_REFUSED}
