"""Messages of host/trainer."""

from ..message import N_, Message

MESSAGES: dict[str, Message] = {
    "backbone_unknown": Message(
        what=N_("There is no network with this name."),
        found=N_("{path}"),
        needed=N_("one of {known}"),
        fix=N_("Choose one of these names, or leave the choice out for the standard network."),
    ),
    "preset_unknown": Message(
        what=N_("There is no preset with this name."),
        found=N_("{path}"),
        needed=N_("one of {known}"),
        fix=N_("Choose one of these presets."),
    ),
    "input_size_impossible": Message(
        what=N_("The chip cannot run a model with this input size."),
        found=N_("{width} x {height} pixels"),
        needed=N_("width 128 to 320 and height 128 to 224, both multiples of 32"),
        fix=N_("Choose 224 x 224, which suits most cameras and firmware."),
    ),
    "detect_size_impossible": Message(
        what=N_("A detector cannot have this input size."),
        found=N_("{width} x {height} pixels"),
        needed=N_("width 128 to 320 and height 128 to 240, both multiples of 16"),
        fix=N_("Choose 224 x 224, or 240 x 240, the whole height of the camera's picture."),
    ),
    "detect_memory": Message(
        what=N_("The first layers of this network do not fit into the chip at this input size."),
        found=N_("{path} at {width} x {height} pixels: {found} bytes"),
        needed=N_("at most {needed} bytes"),
        fix=N_(
            "Choose 240 x 240 pixels; 320 x 240 is possible with networks of width 0.5 and 0.25."
        ),
    ),
    "training_boxes_missing": Message(
        what=N_("A label has no boxes to train on."),
        found=N_("no boxes of {labels} in the training pictures"),
        needed=N_("at least one training picture with a box of every label"),
        fix=N_("Draw boxes of this label in more pictures, or remove the label."),
    ),
    "validation_boxes_missing": Message(
        what=N_("There are no boxes left to check the training with."),
        found=N_("0 boxes in {count} validation pictures"),
        needed=N_("some labelled pictures that are not trained on"),
        fix=N_("Label more pictures; the program sets a fifth of them aside by itself."),
    ),
    "train_option_invalid": Message(
        what=N_("A training setting has a value that makes no sense."),
        found="{value}",
        needed="{needed}",
        fix=N_("Leave this setting out, or take the values of a preset."),
    ),
    "train_option_unknown": Message(
        what=N_("There is no such training setting."),
        found="{path}",
        needed=N_("a setting of this kind of model"),
        fix=N_("The page of a job lists them under More, Every setting."),
    ),
    "weights_missing": Message(
        what=N_(
            "The pretrained weights of this network are not on this computer "
            "and could not be downloaded."
        ),
        found=N_("no file {path} in {folder}"),
        needed=N_("the file {path}, or a network connection for the first training"),
        fix=N_(
            "Choose the standard network (width 1.0), which needs no download, or copy the file "
            "into that folder, or connect to the network and start again."
        ),
    ),
    "weights_damaged": Message(
        what=N_("The file with the pretrained weights is damaged or is another file."),
        found=N_("{path} in {folder}"),
        needed=N_("the original file"),
        fix=N_("Delete this file and start again, or install MaixForge again."),
    ),
    "training_pictures_missing": Message(
        what=N_("A class has no pictures to train on."),
        found=N_("no training pictures of {labels}"),
        needed=N_("training pictures of at least 2 classes, and of every class"),
        fix=N_("Add pictures of this class, or remove the class."),
    ),
    "validation_pictures_missing": Message(
        what=N_("There are no pictures left to check the training with."),
        found=N_("0 validation pictures"),
        needed=N_("some pictures of every class that are not trained on"),
        fix=N_("Add pictures of every class; the program sets a fifth of them aside by itself."),
    ),
    "nothing_to_judge": Message(
        what=N_("There are no pictures to measure the model with."),
        found=N_("0 pictures"),
        needed=N_("at least one labelled picture that was not trained on"),
        fix=N_("Add pictures, or leave the test set out."),
    ),
    "training_diverged": Message(
        what=N_("The training went astray: its numbers became infinite, so it was stopped."),
        found=N_("loss {loss} in epoch {epoch} of stage {stage}, learning rate {rate}"),
        needed=N_("a finite loss in every step"),
        fix=N_(
            "Start again with a lower learning rate (a tenth), or with the unchanged preset. "
            "Nothing of the damaged model was kept."
        ),
    ),
    "model_unreadable": Message(
        what=N_("The trained model in this folder cannot be read."),
        found=N_("{reason}"),
        needed=N_("the files model.keras and card.json as training wrote them"),
        fix=N_("Copy the whole folder again, or train again."),
    ),
}
