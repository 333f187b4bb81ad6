"""Messages of host/deploy."""

from ..message import N_, Message

_MODEL_MEMORY = N_("The model does not fit into the memory that the firmware leaves.")
_NEEDS = N_("the loaded model takes {needed} bytes")
_HAS = N_("at most {limit} bytes with {firmware}")
_PLAIN_IMAGE = N_("a plain MaixPy image, a .bin file as Sipeed publishes it")

_FIRMWARE: dict[str, Message] = {
    "model_too_large": Message(
        _MODEL_MEMORY,
        _NEEDS,
        _HAS,
        N_("Train a smaller model: a narrower backbone. No known firmware holds this one."),
    ),
    "model_too_large_choice": Message(
        _MODEL_MEMORY,
        _NEEDS,
        _HAS,
        N_("Train again with {choice}, which fits. No known firmware holds this one."),
    ),
    "model_too_large_firmware": Message(
        _MODEL_MEMORY,
        _NEEDS,
        _HAS,
        N_("Use a firmware that holds it ({others}), or train a narrower backbone."),
    ),
    "model_too_large_choice_or_firmware": Message(
        _MODEL_MEMORY,
        _NEEDS,
        _HAS,
        N_("Train again with {choice}, which fits, or use a firmware that holds it ({others})."),
    ),
    "input_too_large": Message(
        N_("The model wants larger pictures than the board's camera gives."),
        N_("{size} pixels"),
        N_("at most {limit} pixels"),
        N_("Train with a smaller input size; 224x224 is usual."),
    ),
    "firmware_unknown": Message(
        N_("There is no firmware of that name in the table."),
        N_("{path}"),
        N_("one of: {names}"),
        N_("Choose one of these, or leave the choice empty for the usual one."),
    ),
    "firmware_missing": Message(
        N_("The firmware file cannot be read."),
        N_("{reason}"),
        _PLAIN_IMAGE,
        N_("Put the file into the firmware folder and check its name."),
    ),
    "firmware_is_kfpkg": Message(
        N_("This is a kfpkg, not a firmware image."),
        N_("a zip file"),
        _PLAIN_IMAGE,
        N_("Unpack it (it is a zip file) and take the .bin file that it puts at address 0."),
    ),
    "firmware_has_header": Message(
        N_("This firmware image carries a flash header already."),
        N_("the length of the image in its first bytes"),
        _PLAIN_IMAGE,
        N_("Take the plain image; the flashing tool adds the header itself."),
    ),
    "firmware_too_large": Message(
        N_("The firmware reaches into the place of the model."),
        N_("{bytes} bytes"),
        N_("at most {limit} bytes, because the model lies at 0x300000"),
        N_("Take a smaller build, for example minimum_with_ide_support."),
    ),
    "firmware_not_maixpy": Message(
        N_("This file is no MaixPy firmware for the K210."),
        N_("{bytes} bytes without MaixPy's banner"),
        _PLAIN_IMAGE,
        N_("Download MaixPy v1 for the K210 from Sipeed and put the .bin file here."),
    ),
}

_PACKAGE: dict[str, Message] = {
    "package_missing": Message(
        N_("There is no package in this folder."),
        N_("{reason}"),
        N_("a folder with manifest.json and m.kmodel"),
        N_("Name the folder that the training made, or train again."),
    ),
    "package_damaged": Message(
        N_("The package's manifest cannot be used."),
        N_("{reason}"),
        N_("manifest.json as this version of MaixForge writes it"),
        N_("Make the package again."),
    ),
    "package_unfinished": Message(
        N_("The package's model is missing or is not the one of its manifest."),
        "",
        N_("m.kmodel with the SHA-256 that manifest.json names"),
        N_("Make the package again."),
    ),
    "package_name_unusable": Message(
        N_("The name of the model cannot be used."),
        N_("{found}"),
        N_("1 to {limit} characters that can be printed"),
        N_("Give the model a short name."),
    ),
    "package_label_unusable": Message(
        N_("A label cannot be shown by the board."),
        N_("{found}"),
        N_("1 to 64 printable ASCII characters without blanks at the ends"),
        N_("Rename the class, for example with plain English letters."),
    ),
    "labels_do_not_fit": Message(
        N_("The number of labels is not the number of the model's outputs."),
        N_("{labels} labels, outputs of the model: {outputs}"),
        N_("one label per class of the model"),
        N_("Use the labels that this model was trained with; a detector also needs --anchors."),
    ),
    "kmodel_too_large": Message(
        N_("The kmodel is larger than any K210 firmware loads."),
        N_("{found} bytes"),
        N_("at most {limit} bytes"),
        N_("Train a narrower backbone."),
    ),
    "board_option_unusable": Message(
        N_("A setting for the board has no usable value."),
        N_("{path}: {found}"),
        "",
        N_("Leave it out, or choose one of the values that the help names."),
    ),
    "kfpkg_suffix": Message(
        N_("The flashing tools know this format only by its file name."),
        N_("{path}"),
        N_("a name that ends in .kfpkg"),
        N_("Choose another file name."),
    ),
}

_CODE_NEEDED = N_("36 digits and letters A to F, as the board shows them")

_MACHINE_CODE: dict[str, Message] = {
    "machine_code_characters": Message(
        N_("The machine code has letters or signs that no machine code has."),
        N_("{found} of them"),
        _CODE_NEEDED,
        N_("Read it again from the board, or scan its QR code."),
    ),
    "machine_code_length": Message(
        N_("The machine code is too short or too long."),
        N_("{found} digits"),
        _CODE_NEEDED,
        N_("Read it again from the board: nine groups of four."),
    ),
    "machine_code_check": Message(
        N_("There is a typing mistake in the machine code."),
        N_("check digits that do not fit the others"),
        _CODE_NEEDED,
        N_("Compare it with the board group by group, or scan its QR code."),
    ),
    "machine_code_scan": Message(
        N_("No machine code, or more than one, was found in this picture."),
        N_("{total} QR codes, {found} of them machine codes"),
        N_("the QR code of one board, whole, with its white border"),
        N_(
            "Go nearer, so that the board's screen fills the picture, and turn it until nothing "
            "is reflected in it; or type the code."
        ),
    ),
    "machine_code_burnt": Message(
        N_("This machine code names a board whose key is burnt in; the key is not in the code."),
        N_("the code of a burnt key, which is not among the keys here"),
        N_("the key, from the computer that burnt it"),
        N_("Export the key there and import it here, with maixforge keys."),
    ),
}

MESSAGES: dict[str, Message] = {**_FIRMWARE, **_PACKAGE, **_MACHINE_CODE}
