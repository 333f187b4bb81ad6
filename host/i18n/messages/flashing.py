"""Messages about flashing: host/deploy/flash_file.py, flash.py and flash_verify.py."""

from ..message import N_, Message

_KINDS = N_("a .kfpkg, a firmware .bin, a .kmodel or a sealed .kmx")
_REASON = "{reason}"
_WRITTEN = N_("{done} were written ({reason})")
_NOT_BROKEN = N_(
    "The board is not broken: the part that flashes is in the chip itself. Run the same command "
    "again; it begins anew. Check cable and plug, and try --slow."
)

_FILE: dict[str, Message] = {
    "flash_file_missing": Message(
        N_("The file cannot be read."), _REASON, _KINDS, N_("Check the file's name.")
    ),
    "flash_file_kind": Message(
        N_("This file is nothing for a board's flash."),
        "",
        _KINDS,
        N_(
            "A training makes model.kfpkg and m.kmodel; the firmware is Sipeed's .bin. An ELF file "
            "is made a .bin with objcopy -O binary."
        ),
    ),
    "flash_file_sd_zip": Message(
        N_("This zip is for an SD card and not for the flash."),
        N_("a boot.py and no flash-list.json"),
        _KINDS,
        N_("Unpack it to the card's root, or let `maixforge card` write the card."),
    ),
    "flash_file_damaged": Message(
        N_("The file is damaged or is not what its name says."),
        _REASON,
        _KINDS,
        N_("Download or make it again."),
    ),
    "flash_list_unusable": Message(
        N_("The kfpkg's list of files cannot be used; nothing was written."),
        _REASON,
        N_(
            "flash-list.json with address (a multiple of 4096), bin (a plain name) and sha256Prefix"
        ),
        N_("Ask whoever made this file for another one, or make a package again."),
    ),
    "flash_too_large": Message(
        N_("This does not fit into the board's flash."),
        N_("it would end at byte {end}"),
        N_("at most 16,777,216 bytes (16 MB)"),
        N_("Check that it is the right file."),
    ),
    "flash_overlap": Message(
        N_("Two parts of the file would lie in the same place."),
        N_("{first} reaches into {second}"),
        "",
        N_("Make the package again with a smaller first part or another address."),
    ),
    "flash_not_bootable": Message(
        N_("A board with this at address 0 would not start."),
        N_("no header whose length and SHA-256 are right"),
        N_("a firmware with sha256Prefix true, or a ready image with false"),
        N_("Make the package again; kflash adds the header where sha256Prefix is true."),
    ),
    "flash_encrypted": Message(
        N_("This firmware is encrypted."),
        "",
        N_("a board with the very same key burnt into it"),
        N_("On every other board it does not start; flashing a plain firmware brings it back."),
    ),
    "flash_no_maixpy": Message(
        N_("This firmware is no MaixPy."),
        "",
        "",
        N_("Go on if it is what you want; the scripts and models of MaixForge need MaixPy v1."),
    ),
    "flash_over_model": Message(
        N_("The firmware reaches over the place where models usually lie (0x300000)."),
        N_("{first} to {end}"),
        "",
        N_("A model in the flash is lost; one on an SD card works."),
    ),
    "flash_inside_firmware": Message(
        N_("This would be written into the place of the firmware."),
        N_("{first} to {end}"),
        N_("0x300000 or higher for anything but a firmware"),
        N_("Unless you know better, do not: the board may not start until it is flashed again."),
    ),
    "flash_over_files": Message(
        N_("This would overwrite the board's own files (/flash)."),
        N_("{first} to {end}"),
        N_("nothing behind 0xcfffff"),
        N_("Copy what you need first: maixforge board pull /flash FOLDER"),
    ),
    "flash_needs_yes": Message(
        N_("There are warnings, and nobody to ask."),
        "",
        "",
        N_("Read them above and add --yes when it shall be written all the same."),
    ),
}

_WRITE: dict[str, Message] = {
    "flash_no_greeting": Message(
        N_('The board does not answer ("Greeting fail").'),
        _REASON,
        N_("a K210 that the computer can reset and put into its loader"),
        N_(
            "1. Check the port; of boards with two take the other one. 2. Name the board with "
            "--board; wrong wiring never answers. 3. Hold BOOT while you press and release RESET, "
            "then start the command. 4. Another cable, no hub; the battery on (M5StickV, Amigo)."
        ),
    ),
    "flash_no_stub": Message(
        N_("The board answered, and then its flashing program did not start."),
        _REASON,
        "",
        N_("Nothing was written. Try again with --slow, then with another cable or --board."),
    ),
    "flash_interrupted": Message(
        N_("The connection broke while the flash was being written."),
        _WRITTEN,
        "",
        _NOT_BROKEN,
    ),
    "flash_cancelled": Message(
        N_("You stopped it while the flash was being written."),
        N_("{done} were written"),
        "",
        _NOT_BROKEN,
    ),
    "flash_line_noise": Message(
        N_("A piece arrived at the board damaged; kflash would have left it out."),
        N_("a wrong check sum after {done}"),
        "",
        N_("Run it again with --slow or a smaller --baud, and with a shorter cable."),
    ),
    "flash_no_reboot": Message(
        N_("Everything was written, but the board did not say that it starts again."),
        _REASON,
        "",
        N_("Press RESET. Use --verify if you want to be sure of the contents."),
    ),
    "flash_port_lost": Message(
        N_("The port went away before the board answered."),
        _REASON,
        "",
        N_("Plug the cable in firmly and run the same command again. Nothing was written."),
    ),
    "flash_board_unknown": Message(
        N_("There is no board of this name."),
        "{path}",
        N_("one of: {names}"),
        N_("Choose one of these, or leave it out: three wirings are tried in turn."),
    ),
}

_VERIFY: dict[str, Message] = {
    "flash_differs": Message(
        N_("The flash holds something else than was written."),
        N_("{names}; the first difference in {name}, in the 16 KiB from {address} on"),
        "",
        N_(
            "Flash it again with --slow. The same place a second time means a worn flash; a place "
            "in 0xd00000 and above is the board's own."
        ),
    ),
    "flash_unverified": Message(
        N_("The flash could not be read back: nothing is known about its contents."),
        _REASON,
        N_("a board on which MaixPy v1 runs, of December 2020 or newer"),
        N_(
            "Press RESET, look whether the board starts, and run the command with --no-write. "
            "Reading back needs MaixPy with Maix.utils.flash_read; other firmware cannot be asked."
        ),
    ),
}

_ENCRYPT: dict[str, Message] = {
    "flash_nothing_to_encrypt": Message(
        N_("There is no plain firmware in this file that could be encrypted."),
        "",
        N_("a firmware .bin, or a kfpkg with one at address 0"),
        N_("Models are sealed in another way, see docs/sealing.md."),
    ),
    "firmware_key_bound": Message(
        N_("The firmware can be encrypted only for a board with a burnt key."),
        N_("{path} is bound by its number; nothing is in its fuses"),
        "",
        N_("A board with empty fuses would not start it. Leave --encrypt out."),
    ),
    "firmware_key_pending": Message(
        N_("It is not known yet whether this board's key is in its fuses."),
        "{path}",
        N_("a board that has answered with its key"),
        N_("Finish it first: maixforge keygen shows where it stands."),
    ),
}

_DOCTOR: dict[str, Message] = {
    "doctor_python": Message(
        N_("This Python is not one that MaixForge runs on."),
        N_("Python {found}"),
        N_("Python 3.11 or 3.12"),
        N_("Run make setup PYTHON=/path/to/python3.11"),
    ),
    "doctor_packages": Message(
        N_("Libraries are missing or of another version."),
        "{names}",
        "",
        N_("Run `make setup` in MaixForge's folder."),
    ),
    "doctor_avx": Message(
        N_("This processor has no AVX, which TensorFlow needs."),
        "",
        "",
        N_(
            'Training ends with "Illegal instruction". In a virtual machine choose the CPU type '
            "host; else train on another computer."
        ),
    ),
    "doctor_disk": Message(
        N_("There is little room on the disk."),
        "{found}",
        N_("at least {needed}"),
        N_("Delete old jobs, or set MAIXFORGE_DATA to a folder on another disk."),
    ),
    "doctor_data_folder": Message(
        N_("The data folder cannot be written."),
        "",
        "",
        N_("Set MAIXFORGE_DATA to a folder of yours, or mend its rights."),
    ),
    "doctor_memory": Message(
        N_("There is little memory free."),
        "{found}",
        N_("at least {needed}"),
        N_("Close other programs; train with fewer pictures or a smaller network."),
    ),
    "doctor_no_firmware": Message(
        N_("There is no MaixPy firmware in the folder."),
        "",
        "",
        N_("Fine when the boards have MaixPy; put Sipeed's .bin there to have it in kfpkg files."),
    ),
    "doctor_no_boot": Message(
        N_("There is no boot.py on the card: a board starts nothing from it."),
        "",
        "",
        N_("Write a package or a collector to it: maixforge card"),
    ),
    "doctor_model": Message(
        N_("The model on the card is damaged, or is no kmodel V3."),
        "{reason}",
        "",
        N_("Write the package to the card again."),
    ),
}

MESSAGES: dict[str, Message] = {**_FILE, **_WRITE, **_VERIFY, **_ENCRYPT, **_DOCTOR}
