"""Messages about cards and boards: host/deploy's card and serial parts, host/jobs/collect."""

from ..message import N_, Message

_CARD_WANTED = N_("FAT32 with an MBR partition table")
_FORMAT = N_(
    "Format it as FAT32 with an MBR partition table (Windows, macOS: the SD Association's card "
    "formatter, cards up to 32 GB; Linux: see docs/board-setup.md). Everything on it is lost."
)
_AT_LEAST = N_("{low} to {high}")
_PLAIN_NAME = N_("a short name of English letters, digits, space, - and _")

_COLLECTOR: dict[str, Message] = {
    "collector_classes": Message(
        N_("A data set needs another number of classes."),
        "{found}",
        _AT_LEAST,
        N_("Name the classes that you want to photograph, one a line or with commas."),
    ),
    "collector_class_taken": Message(
        N_("A class cannot have this name on the card."),
        "{path}",
        N_("a name that begins with no # and is not train, valid or test"),
        N_("Choose another name for the class."),
    ),
    "collector_name": Message(
        N_("The data set's name cannot be that of a folder on the card."),
        "{path}",
        _PLAIN_NAME,
        N_("Choose another name."),
    ),
    "collector_board_unknown": Message(
        N_("This board is not in the list."),
        "{path}",
        N_("one of: {names}"),
        N_("Choose one of these, or leave the choice empty: the script finds out."),
    ),
    "collector_wanted": Message(
        N_("The number to reach for each class is out of range."),
        "{found}",
        _AT_LEAST,
        N_("Choose a number in this range."),
    ),
}

_PAGE: dict[str, Message] = {
    "board_ports_closed": Message(
        N_("The serial ports of this host are not for visitors from other computers."),
        "",
        "",
        N_(
            "Put the card into a card reader of your computer. The owner of the host may allow it: "
            "MAIXFORGE_BOARD_PORTS=true."
        ),
    ),
    "board_port_unknown": Message(
        N_("The computer has no such serial port."),
        "{path}",
        N_("a port of the list"),
        N_("Is the board connected? Load the list again."),
    ),
    "board_port_taken": Message(
        N_("Something is being fetched from this port already."),
        "{path}",
        "",
        N_("Wait until it is over, or cancel it."),
    ),
    "board_transfer_missing": Message(
        N_("This transfer is not known any more."),
        "{path}",
        "",
        N_("Start it again: what has arrived is kept."),
    ),
    "board_into_detector": Message(
        N_("Pictures with boxes cannot be added to a job over the serial port."),
        "{path}",
        N_("a job and a data set of classes"),
        N_("Take them over as a new job."),
    ),
}

_CARD: dict[str, Message] = {
    "card_missing": Message(
        N_("There is no such folder."),
        "",
        N_("the folder where the computer shows the card"),
        N_("Put the card in, open it once in the file manager, and name that folder."),
    ),
    "card_read_only": Message(
        N_("The card cannot be written."),
        N_("read-only, or mounted for another user"),
        "",
        N_("Push the lock on the card's edge towards its contacts, and put it in again."),
    ),
    "card_not_mounted": Message(
        N_("This folder is on the computer's own disk and no card by itself."),
        "",
        N_("the folder where the computer shows the card"),
        N_("If this is meant, copy its contents to the root of a card afterwards."),
    ),
    "card_not_fat": Message(
        N_("The board cannot read this card's file system."),
        "{found}",
        _CARD_WANTED,
        _FORMAT,
    ),
    "card_gpt": Message(
        N_("The board cannot read this card's partition table."),
        N_("a GPT"),
        _CARD_WANTED,
        _FORMAT,
    ),
    "card_large": Message(
        N_("Some boards do not read cards of more than 32 GB."),
        N_("it has {found} GB"),
        "",
        N_("If the board does not see it, try a smaller card."),
    ),
    "card_full": Message(
        N_("There is too little room on the card."),
        N_("{found} kB free"),
        N_("at least {needed} kB"),
        N_("Copy its pictures to the computer and delete them from the card, or take another."),
    ),
    "card_zip_unusable": Message(
        N_("This is no zip for a card."),
        "{reason}",
        N_("an SD zip of a training, or a card of `maixforge collector`"),
        N_("Name the file sd.zip of a training, or make a collector card."),
    ),
    "card_would_replace": Message(
        N_("Files on the card would be replaced."),
        "{names}",
        "",
        N_("Add --yes when they may be."),
    ),
    "card_write_failed": Message(
        N_("The card took this file not or not whole."),
        "{reason}",
        "",
        N_("Put the card in again and try once more; try another card."),
    ),
    "card_read_back": Message(
        N_("The card holds other bytes than were written to it."),
        "",
        "",
        N_("It is worn out or says it is larger than it is: take another card."),
    ),
}

_PORT: dict[str, Message] = {
    "port_not_found": Message(
        N_("No board is plugged in, as far as its USB chip tells."),
        N_("serial ports: {found}"),
        N_("a USB cable with data lines"),
        N_("Name the port yourself, e.g. /dev/ttyUSB0 or COM3; try another cable."),
    ),
    "port_ambiguous": Message(
        N_("There are several boards or ports."),
        "{found}",
        N_("one of them"),
        N_("Name the port. Of a board with two ports the first is usually the right one."),
    ),
    "port_missing": Message(
        N_("There is no such serial port."),
        N_("serial ports: {found}"),
        "",
        N_("Plug the board in; name one of the ports that are there."),
    ),
    "port_forbidden": Message(
        N_("You may not open this serial port."),
        "{reason}",
        "",
        N_("On Linux: sudo usermod -aG dialout $USER, then log out and in again."),
    ),
    "port_busy": Message(
        N_("Another program has this serial port open."),
        "{reason}",
        "",
        N_("Close MaixPy IDE, kflash_gui and serial terminals, then try again."),
    ),
    "port_unusable": Message(
        N_("This serial port cannot be opened."),
        "{reason}",
        N_("the board's serial port, e.g. /dev/ttyUSB0 or COM3"),
        N_("Pull the board's cable, put it in again, and try once more."),
    ),
}

_BOARD: dict[str, Message] = {
    "board_silent": Message(
        N_("Nothing answers on this port."),
        "",
        N_("a board with MaixPy v1 that is switched on, at 115200 baud"),
        N_(
            "Press reset and try again; try the other port of boards with two; without MaixPy on "
            "it, flash it first."
        ),
    ),
    "board_no_repl": Message(
        N_("The board talks, but its running program does not let go."),
        N_("last heard: {said}"),
        N_("MicroPython's prompt"),
        N_(
            "Take the card out, press reset, put the card in when the board shows its red start "
            "screen, and try again. CanMV and other programs have no such prompt."
        ),
    ),
    "board_lost": Message(
        N_("The connection to the board broke."),
        "{reason}",
        "",
        N_("Check cable and plug, then run the same command again: it goes on where it was."),
    ),
    "board_path_missing": Message(
        N_("There is no such file or folder on the board."),
        "{reason}",
        N_("a path such as /sd/maixforge or /flash/boot.py"),
        N_("See what is there: maixforge board ls /sd"),
    ),
    "board_no_card": Message(
        N_("The board has no card that it can read."),
        "{reason}",
        _CARD_WANTED,
        N_("Put the card in and press reset."),
    ),
    "board_full": Message(
        N_("The board's card or flash is full."),
        "{reason}",
        "",
        N_("Delete what is no longer needed, or take another card."),
    ),
    "board_refused": Message(
        N_("The board could not do this."),
        "{reason}",
        "",
        N_("Press reset and try again. In /flash there are no folders."),
    ),
    "board_copy_differs": Message(
        N_("The copy is not what was sent; it was thrown away."),
        N_("another CRC-32"),
        "",
        N_("Try again; take a shorter cable; a card that fails often is worn out."),
    ),
    "board_name_unsafe": Message(
        N_("A file on the card has a name that could write outside of your folder."),
        "{path}",
        "",
        N_("Rename it on the card, or pull another folder."),
    ),
    "board_script_failed": Message(
        N_("The script ended with an error."),
        "{reason}",
        "",
        N_("Its last lines above say where."),
    ),
}

MESSAGES: dict[str, Message] = {**_COLLECTOR, **_PAGE, **_CARD, **_PORT, **_BOARD}
