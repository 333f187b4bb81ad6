"""What a board says when something is wrong: its literal words, why, and what to do.

`ours` are the titles that our board scripts show (a test takes them from the scripts), `maixpy` the
words of MaixPy v1 itself. Causes and fixes are texts of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..i18n import N_

Source = Literal["ours", "maixpy"]


@dataclass(frozen=True, slots=True)
class BoardError:
    """One trouble. `said` are the board's words, one of which it shows; three dots stand for what
    differs."""

    name: str
    source: Source
    said: tuple[str, ...]
    cause: str
    fix: str


def _row(name: str, source: Source, said: str, cause: str, fix: str) -> BoardError:
    return BoardError(name, source, tuple(said.split(" | ")), cause, fix)


ERRORS: tuple[BoardError, ...] = (
    _row("version", "ours",
         "Model not readable | load error:2002 | ERR_KMODEL_VERSION | only support kmodel V3",
         N_("There is no whole kmodel V3 where boot.py looks. The words speak of versions, but"
            " mostly nothing was flashed there, the file is cut off, or boot.py and model are of"
            " different packages."),
         N_("Copy all files of one zip to the root of the card again, or flash the kfpkg again.")),
    _row("memory", "ours",
         "Not enough memory | load error:2006 | ERR_NO_MEM",
         N_("The firmware leaves less memory than the model takes."),
         N_("Choose a firmware above that the model fits, or train with fewer blocks or a smaller"
            " width. Load no second model.")),
    _row("format", "ours", "Model damaged | load error:2003",
         N_("Bytes of the model are wrong: a copy that was cut off, or a bad card."),
         N_("Copy the model to the card again and eject the card safely; or flash the kfpkg"
            " again.")),
    _row("other-board", "ours", "Model is for another board | load error:2004",
         N_("The model is sealed with the key of another board."),
         N_("Use the board that it was sealed for, or make a package for this one here.")),
    _row("unread", "ours", "Cannot read the model | load error:2005",
         N_("The file system could not give the whole file."),
         N_("Copy it again. Is the card FAT32 with an MBR partition table, and sound?")),
    _row("address", "ours",
         "Bad model address | load error:2001 | model_addr must > 0",
         N_("boot.py names a place in the flash where no model can be."),
         N_("Use boot.py and model of the same package; models lie at 0x300000.")),
    _row("no-convolution", "ours", "Not a K210 model | load error:2007",
         N_("The model does not begin with a layer of the KPU."),
         N_("Take the model that was made here, not one of another tool.")),
    _row("cannot-run", "ours", "Model cannot run | load error:2008",
         N_("The model was loaded, but the firmware could not run it: it is damaged."),
         N_("Copy the whole package again.")),
    _row("too-many-models", "ours", "Too many models loaded | load error:2009",
         N_("Five models are in memory and none was freed."),
         N_("Switch the board off and on. A script of your own has to call KPU.deinit.")),
    _row("outputs", "ours", "Model has no output shape | load error:2013 | ERR_OUTPUTS_SET",
         N_("It is a kmodel V4, made by another tool."),
         N_("Take the kmodel V3 that was made here.")),
    _row("layer", "ours", "Model not supported | load error:2014",
         N_("The model has a layer that this firmware lacks."),
         N_("Flash a newer MaixPy, or take the model that was made here.")),
    _row("load-other", "ours",
         "Cannot load the model | load error:2010 | load error:2011 | load error:2012 |"
         " load error:2015",
         N_("The firmware's loader gave up for a reason of its own."),
         N_("Copy the package again; if that does not help flash MaixPy"
            " minimum_with_ide_support.")),
    _row("picture-size", "ours",
         "Model wants other pictures | check img format err | img w=..., but model w=...",
         N_("The picture's size is not the model's."),
         N_("Take boot.py and model of the same package, and leave window and input in boot.py as"
            " they are.")),
    _row("no-model", "ours", "No model | ... is missing | m.kmx is missing",
         N_("The model is neither on the card nor in the flash, or its folder is not the root of"
            " the card."),
         N_("Unpack the zip so that boot.py and model lie at the root of the card, or flash the"
            " kfpkg.")),
    _row("labels", "ours", "labels.txt is missing | Labels do not fit",
         N_("labels.txt is not there, or has not as many lines as the model has classes: files of"
            " two packages are mixed."),
         N_("Copy all files of one package to the root of the card.")),
    _row("no-boxes", "ours", "Model finds no boxes",
         N_("The model is a classifier, boot.py that of a detector."),
         N_("Copy all files of one package to the root of the card.")),
    _row("settings", "ours",
         "Settings in boot.py | threshold only support 0 to 1 | nms_value only support 0 to 1 |"
         " anchor_number should > 0",
         N_("A setting at the head of boot.py was changed to something impossible."),
         N_("threshold and nms are from 0 to 1, anchors are ten numbers: copy boot.py again, or"
            " choose the values under Try it.")),
    _row("too-many-objects", "ours", "Too many objects | 10 = full",
         N_("The firmware has room for ten boxes; more overwrite other memory."),
         N_("Raise the threshold (under Try it, or in boot.py) and press reset.")),
    _row("no-card", "ours", "No SD card | Card is gone | OSError: [Errno 19] ENODEV",
         N_("The board sees no card: none is in, it is not FAT32 with an MBR partition table, or it"
            " does not speak the board's old mode."),
         N_("Format it as on the list above, push it in until it clicks, press reset. Try another"
            " card, best one of 32 GB or less.")),
    _row("card-full", "ours", "Card is full | OSError: [Errno 28] ENOSPC",
         N_("There is no room for another picture."),
         N_("Everything that was saved is kept. Put in another card.")),
    _row("card-locked", "ours", "Card is read-only",
         N_("The card's lock is closed, or the card has given up writing."),
         N_("Slide the lock to the open side, or take another card.")),
    _row("card-problem", "ours",
         "Card problem | OSError: [Errno 5] EIO | OSError: [Errno 22] EINVAL",
         N_("The card's file system is damaged, or a name has letters that are not ASCII."),
         N_("Copy its files to a computer, format it as FAT32, copy them back.")),
    _row("file-for-folder", "ours", "A file is called ...",
         N_("The collector needs a folder of that name, and a file has it."),
         N_("Rename or delete the file on a computer.")),
    _row("set-full", "ours", "Data set is full",
         N_("The collector has used every number of this data set."),
         N_("Start another: change the name in classes.txt on the card.")),
    _row("no-camera", "ours",
         "No camera | Reset Failed | no sensor | not found sensor",
         N_("No camera answers: its cable is loose or the wrong way round."),
         N_("Switch off, push the cable in with its contacts to the board, close the latch, switch"
            " on.")),
    _row("camera-silent", "ours",
         "Camera gives no picture | Sensor timeout! | RuntimeError: Not init!",
         N_("The camera answered and then gave no picture."),
         N_("Check its cable, then press reset. Another power supply may help.")),
    _row("memory-script", "ours",
         "Out of memory | MemoryError | Out of normal MicroPython Heap Memory! |"
         " memory allocation failed, allocating ... bytes | OSError: [Errno 12] ENOMEM",
         N_("MicroPython's memory is used up: a full build of the firmware, or other programs in"
            " the flash."),
         N_("Flash MaixPy minimum_with_ide_support, and take other programs off the board.")),
    _row("old-firmware", "ours", "Old firmware",
         N_("MaixPy of before November 2020 computes SHA-256 wrong, which sealed models need."),
         N_("Flash MaixPy of 2021 or newer.")),
    _row("no-id", "ours", "No unique id",
         N_("The firmware does not give the number of the chip, which opens a bound model."),
         N_("Flash stock MaixPy v1 of 2021 or newer.")),
    _row("flash-unread", "ours", "Cannot read the flash",
         N_("The firmware could not read its own flash."),
         N_("Press reset. If it stays so put the model on a card.")),
    _row("other", "ours", "Error | ... : ...",
         N_("Something that our scripts do not know."),
         N_("Press reset. If it comes again note the words and look for them in this list.")),
    _row("welcome", "maixpy", "Welcome to MaixPy | [MaixPy] init end",
         N_("A red screen: MaixPy has found no boot.py. The card was not seen, or the files lie in"
            " a folder of the card."),
         N_("Unpack the zip to the root of the card, press reset with the card in. MaixPy of 20"
            " April to 5 May 2022 runs no boot.py: take another.")),
    _row("suffix", "maixpy", "model format don't match, only supply .kmodel",
         N_("KPU.load was given a file whose name does not end in .kmodel."),
         N_("Do not rename the model; a sealed one (m.kmx) needs the boot.py of its package.")),
    _row("load-type", "maixpy", "[MAIXPY]kpu: only accept int or string",
         N_("KPU.load was given something that is neither an address nor a path."),
         N_("Take boot.py of the package, unchanged.")),
    _row("missing-file", "maixpy", "OSError: [Errno 2] ENOENT | open file fail",
         N_("A file that a script opens is not there; file names are exact to the letter."),
         N_("Copy all files of the zip to the root of the card; take paths such as /sd/m.kmodel.")),
    _row("import", "maixpy",
         "ImportError: no module named 'maix' | ImportError: no module named 'KPU'",
         N_("boot.py and firmware do not belong together: CanMV has modules of other names than"
            " MaixPy."),
         N_("Flash stock MaixPy v1 for these packages.")),
    _row("syntax", "maixpy", "SyntaxError: invalid syntax",
         N_("boot.py was changed and is no Python any more, or is not whole."),
         N_("Copy boot.py of the zip again.")),
    _row("spiffs", "maixpy", "SPIFFS not support | [SPIFFS] | NotImplementedError",
         N_("The board's own flash has no folders, and files there cannot be appended to."),
         N_("Put files at the root of /flash; data collection needs a card.")),
    _row("region", "maixpy", "region_layer_init err",
         N_("The firmware could not set up the boxes: memory, or other than five anchors."),
         N_("Take boot.py and model of the same package, and a firmware that leaves more"
            " memory.")),
    _row("pixformat", "maixpy", "Pixel format is not supported!",
         N_("The camera cannot give the kind of picture that a script asks for."),
         N_("Take boot.py of the package: it asks for RGB565 at 320 x 240.")),
    _row("greeting", "maixpy", "Greeting fail | Failed to Connect to K210's Stub",
         N_("While flashing: the board does not answer the computer."),
         N_("Name the board with --board; hold BOOT, press and release RESET, start again; another"
            " cable without a hub. docs/flashing.md has more.")),
)  # fmt: skip
"""What is looked for first comes first."""
