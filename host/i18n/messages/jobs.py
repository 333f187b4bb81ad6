"""Messages of host/jobs and host/config."""

from ..message import N_, Message

STATES = (
    N_("checked"),
    N_("queued"),
    N_("running"),
    N_("paused"),
    N_("done"),
    N_("failed"),
    N_("cancelled"),
)
"""The states of a job; also what an action on it needs."""
QUEUED_OR_RUNNING = N_("queued, running")

MESSAGES: dict[str, Message] = {
    "calibration_empty": Message(
        what=N_("The calibration folder {path} has no pictures."),
        found=N_("no file with the name of a picture"),
        needed=N_("100 or more pictures like those that the board will see"),
        fix=N_("Name the folder of the pictures that the network was trained with."),
    ),
    "calibration_small": Message(
        what=N_("There are few calibration pictures, so the kmodel may be less exact."),
        found=N_("{count} pictures"),
        needed=N_("{advised} or more; 100 are good"),
        fix=N_("Add pictures like those that the board will see."),
    ),
    "int8_drop": Message(
        what=N_("Quantization costs {drop} points of accuracy."),
        found=N_("right on the K210: {int8} %; right before quantization: {float} %"),
        needed=N_("at most {allowed} points less than the float network"),
        fix=N_(
            "Train with more pictures, with the preset best or with a wider network; the report "
            "says which layers lose most. The files are made all the same."
        ),
    ),
    "int8_drop_map50": Message(
        what=N_("Quantization costs {drop} points of mAP50."),
        found=N_("mAP50 on the K210: {int8} %; before quantization: {float} %"),
        needed=N_("at most {allowed} points less than the float network"),
        fix=N_(
            "Train with more pictures, with the preset best or with a wider network; the report "
            "says which layers lose most. The files are made all the same."
        ),
    ),
    "boxes_no_room": Message(
        what=N_("Some pictures have more objects than the board's firmware has room for."),
        found=N_("the best threshold would give more boxes; boot.py has {threshold} instead"),
        needed=N_("at most {room} boxes in a picture"),
        fix=N_(
            "Show the board fewer objects at once: of more it says so instead of drawing boxes. "
            "Only the surest of a crowd are found."
        ),
    ),
    "canmv_detect": Message(
        what=N_("A detector can be made for MaixPy only, not for CanMV."),
        found=N_("pictures with boxes, and a kmodel V5 is asked for"),
        needed=N_("kmodel V3 and MaixPy v1"),
        fix=N_("Leave {path} out; the board then needs stock MaixPy v1."),
    ),
    "test_task_wrong": Message(
        what=N_("The held-back data is for another task than the data to train on."),
        found="{task}",
        needed="{needed}",
        fix=N_(
            "Hold back pictures that are labelled as those to train on: with boxes, or in one "
            "folder a class."
        ),
    ),
    "setting_unknown": Message(
        what=N_("There is no such setting."),
        found="",
        needed=N_("one of: {known}"),
        fix=N_("Correct the spelling or remove it; docs/settings.md lists every setting."),
    ),
    "setting_invalid": Message(
        what=N_("The setting {path} has a value that cannot be used."),
        found="{value}",
        needed="{needed}",
        fix=N_("Set another value; docs/settings.md lists every setting with its unit."),
    ),
    "settings_unreadable": Message(
        what=N_("The settings file cannot be read."),
        found="{reason}",
        needed=N_("a TOML file, lines such as: port = 8080"),
        fix=N_("Correct the file, or unset MAIXFORGE_CONFIG to start without it."),
    ),
    "data_folder_in_use": Message(
        what=N_("Another MaixForge host already works in this data folder."),
        found="",
        needed=N_("one host for each data folder"),
        fix=N_("Use the one that runs, stop it first, or set MAIXFORGE_DATA to another folder."),
    ),
    "data_folder_unwritable": Message(
        what=N_("The data folder cannot be written."),
        found="{reason}",
        needed=N_("a folder that you may write to"),
        fix=N_("Set MAIXFORGE_DATA to a folder of your own."),
    ),
    "project_damaged": Message(
        what=N_("This zip is not a project of MaixForge that can be read."),
        found="{reason}",
        needed=N_("a zip that maixforge export or a job's page has written"),
        fix=N_("Export the project again. A zip of pictures is not imported but uploaded."),
    ),
    "disk_room": Message(
        what=N_("There is too little room on the disk, so the job rests; nothing is lost."),
        found=N_("{free} MB are free where the jobs are"),
        needed=N_("about {room} MB"),
        fix=N_(
            "Delete old jobs or other files. The job goes on by itself where it stopped, as soon "
            "as there is room."
        ),
    ),
    "job_folder_in_use": Message(
        what=N_("Another process still works on this job."),
        found="{path}",
        needed=N_("one process for each job"),
        fix=N_(
            "Wait until it has ended: the host then goes on by itself, in a terminal start the "
            "command again."
        ),
    ),
    "job_missing": Message(
        what=N_("There is no job with this number."),
        found="{path}",
        needed="",
        fix=N_("It may have been deleted; look in the list of jobs."),
    ),
    "job_state_wrong": Message(
        what=N_("The job cannot do that now."),
        found=N_("the job is: {state}"),
        needed="{needed}",
        fix=N_("Reload the page to see where the job stands."),
    ),
    "option_invalid": Message(
        what=N_("The choice {path} has a value that cannot be used."),
        found="{value}",
        needed="{needed}",
        fix=N_("Choose one of the values that the page offers."),
    ),
    "job_process_died": Message(
        what=N_("The training process ended before it was done."),
        found=N_("exit code {exit_code}; last line of its log: {last}"),
        needed="",
        fix=N_(
            "Start the job again. If it happens again, read child.log in the job's folder: "
            "it holds everything that the process said."
        ),
    ),
    "job_process_killed": Message(
        what=N_("The training process was stopped from outside by signal {signal}."),
        found=N_("last line of its log: {last}"),
        needed=N_("enough free memory; signal 9 is mostly the system that ran out of it"),
        fix=N_(
            "Close other programs and start the job again, or choose the preset fast or a "
            "smaller backbone."
        ),
    ),
    "job_process_unstartable": Message(
        what=N_("The training process could not be started."),
        found="{reason}",
        needed="",
        fix=N_("Check that the disk is not full and that MaixForge is installed completely."),
    ),
    "result_unreadable": Message(
        what=N_("The training ended, but its result cannot be read."),
        found="{reason}",
        needed=N_("a complete result.json in the job's folder"),
        fix=N_("Start the job again; check that the disk is not full."),
    ),
    "spec_unreadable": Message(
        what=N_("The job's order cannot be read."),
        found="{reason}",
        needed=N_("the spec.json that MaixForge wrote itself"),
        fix=N_("Start the job again from its page."),
    ),
    "picture_missing": Message(
        what=N_("This picture is not there."),
        found="{path}",
        needed="",
        fix=N_("Reload the page."),
    ),
    "edit_nothing": Message(
        what=N_("There is nothing to undo or to do again."),
        found="{path}",
        needed="",
        fix=N_("Reload the page: the edit may have been made in another window."),
    ),
    "edit_unreadable": Message(
        what=N_("The edit cannot be read."),
        found="{reason}",
        needed=N_("a JSON object as docs/web.md shows"),
        fix=N_("Correct the request; nothing was changed."),
    ),
    "edit_unfit": Message(
        what=N_("This data set has no such edit."),
        found="{path}, {task}",
        needed=N_("move for classes; boxes for detection; delete, rename, add for both"),
        fix=N_("Choose another edit; nothing was changed."),
    ),
    "added_nothing": Message(
        what=N_("No pictures were sent."),
        found="",
        needed=N_("one or more JPEG, PNG or BMP files"),
        fix=N_("Choose pictures and send them again."),
    ),
    "added_class_missing": Message(
        what=N_("It is not said which class the pictures are of."),
        found="",
        needed=N_("the name of a class, which may be a new one"),
        fix=N_("Choose or type the class and send the pictures again; nothing was added."),
    ),
    "added_file_too_large": Message(
        what=N_("A picture's file is too large."),
        found="{found} MB",
        needed=N_("at most {needed} MB"),
        fix=N_("Make the picture smaller, for example with maixforge prepare, and send it again."),
    ),
    "added_too_large": Message(
        what=N_("The data set would become too large; nothing was added."),
        found="{found} MB",
        needed=N_("at most {needed} MB with all that was sent and added before"),
        fix=N_(
            "Make the pictures smaller, for example with maixforge prepare, or ask whoever runs "
            "this host to raise MAIXFORGE_UPLOAD_BYTES."
        ),
    ),
    "added_too_many": Message(
        what=N_("The data set would have too many pictures; nothing was added."),
        found="",
        needed=N_("at most {needed} with all that were sent and added before"),
        fix=N_("Begin another data set, or ask whoever runs this host to raise MAIXFORGE_MEMBERS."),
    ),
    "edit_label_unknown": Message(
        what=N_("The data set has no label of this name."),
        found="{path}",
        needed="",
        fix=N_("Reload the page: the label may have been renamed in another window."),
    ),
    "edit_box_outside": Message(
        what=N_("A box does not lie inside its picture, or is too small."),
        found="{found}",
        needed=N_("edges inside the picture of {size} pixels, 2 pixels or more each way"),
        fix=N_("Draw the box anew; nothing was changed."),
    ),
    "edits_full": Message(
        what=N_("The journal of edits is full."),
        found="",
        needed=N_("at most {needed} MB of edits"),
        fix=N_("Correct the rest in your own copy of the pictures and send it as a new data set."),
    ),
    "edits_unreadable": Message(
        what=N_("The job's journal of edits is damaged."),
        found=N_("line {line}"),
        needed=N_("the edits.jsonl that MaixForge wrote itself"),
        fix=N_(
            "Remove that line and those after it from the file in the job's folder; later edits "
            "are lost with them."
        ),
    ),
    "test_label_unknown": Message(
        what=N_("The held-back data has a class that the training data does not have: {path}."),
        found="{path}",
        needed=N_("one of: {needed}"),
        fix=N_("Name its folders as those of the training data."),
    ),
    "output_folder_used": Message(
        what=N_("The output folder holds other files."),
        found="{path}",
        needed=N_("an empty folder, a new one, or one that MaixForge wrote"),
        fix=N_("Choose another folder with -o."),
    ),
    "path_unusable": Message(
        what=N_("The file or folder cannot be used."),
        found="{reason}",
        needed="",
        fix=N_("Check the path, that you may read or write there, and that the disk is not full."),
    ),
    "kmodel_no_boxes": Message(
        what=N_("The model does not answer with YOLOv2 boxes."),
        found=N_("{values} values"),
        needed=N_("the last convolution's map: 5 * (5 + classes) channels"),
        fix=N_("Leave --anchors out, or name the model that they belong to."),
    ),
    "labels_not_text": Message(
        what=N_("The labels cannot be read."),
        found="{reason}",
        needed=N_("a text file in UTF-8, one label a line"),
        fix=N_("Save the labels as UTF-8, or name another file."),
    ),
    "internal_error": Message(
        what=N_("MaixForge has a fault here; your files are untouched."),
        found="{reason}",
        needed="",
        fix=N_("Run it again with --verbose and report what it prints."),
    ),
    "library_missing": Message(
        what=N_("A library that this needs is not installed."),
        found="",
        needed=N_("what pyproject.toml lists"),
        fix=N_("Run make setup, or pip install with requirements/run.txt; see docs/install.md."),
    ),
    "anchors_invalid": Message(
        what=N_("The anchors cannot be used."),
        found="{found}",
        needed=N_("ten positive numbers: width and height of five anchors, in grid cells"),
        fix=N_("Copy them from the model's boot.py or its training report."),
    ),
}
