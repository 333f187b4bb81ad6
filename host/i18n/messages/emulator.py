"""Messages of host/emulator and of `maixforge sim`."""

from ..message import N_, Message

MESSAGES: dict[str, Message] = {
    "no_micropython": Message(
        N_("The virtual board needs MicroPython, which this computer has no package for."),
        "{platform}",
        N_("Linux on a 64-bit Intel or AMD processor, Python 3.11 or 3.12"),
        N_("Use Linux, Windows' WSL or a container there; or try the script on a board."),
    ),
    "sim_script_unknown": Message(
        N_("There is no such script."),
        "{path}",
        N_("a .py file, or one of: {names}"),
        N_("Check the name."),
    ),
    "sim_compiled": Message(
        N_("The virtual board cannot run this card's compiled program."),
        "{reason}",
        N_("a card made by this version of MaixForge"),
        N_("Make the card anew, or run collect_classify or collect_detect by name."),
    ),
    "sim_keys": Message(
        N_("A key press cannot be read."),
        "{found}",
        N_("ms:key:press with key {roles} or a pin, press short, long, longer or a number of ms"),
        N_("Write for example 1000:enter:short,2500:enter:long."),
    ),
    "sim_key_missing": Message(
        N_("This board has no such key."),
        "{found}",
        N_("one of: {roles}"),
        N_("Name another key, or its pin."),
    ),
    "sim_no_pictures": Message(
        N_("There is no picture in the folder of the camera."),
        "{path}",
        N_("JPEG or PNG files"),
        N_("Name another folder, or leave --camera out: the camera then sees a test picture."),
    ),
    "sim_card_large": Message(
        N_("The folder is too large for a virtual card."),
        N_("{size} MB"),
        N_("at most {limit} MB"),
        N_("Name a folder with less in it."),
    ),
    "sim_card_name": Message(
        N_("A file name of the folder cannot be on the board's card."),
        "{path}",
        N_('ASCII, no \\ : * ? " < > |'),
        N_("Rename the file."),
    ),
    "sim_refused": Message(
        N_("The virtual board stopped the script."),
        "{found}",
        "",
        N_("A real board would crash, hang or silently do something else here."),
    ),
}
