"""Messages of host/datasets about pictures with boxes."""

from ..message import N_, Message

_SOME = N_("{count}: {names}")
_LOOK = N_("Look at these pictures in your labelling program and correct the boxes.")
_EXPORT = N_("Export the labels again from your labelling program.")

_FILES: dict[str, Message] = {
    "formats_mixed": Message(
        N_("There are labels in more than one format, and it is not clear which ones count."),
        N_("{names}"),
        N_("one format in one folder"),
        N_("Keep the labels of one format, or choose the folder that holds only those."),
    ),
    "labels_damaged": Message(
        N_("Some label files are damaged; their pictures are not used."),
        _SOME,
        N_("whole label files"),
        _EXPORT,
    ),
    "labels_too_large": Message(
        N_("Some label files are too large."),
        _SOME,
        N_("at most {needed}"),
        N_("Export fewer pictures at a time, or boxes without outlines (segmentation)."),
    ),
    "xml_dtd": Message(
        N_("Some XML files define a document type or entities, which labels never need."),
        _SOME,
        N_("XML as labelling programs write it, without <!DOCTYPE> and <!ENTITY>"),
        N_("Delete these files, or export the labels again from your labelling program."),
    ),
    "record_damaged": Message(
        N_("Some TFRecord files are damaged or cut off; their pictures are not used."),
        _SOME,
        N_("records whose checksums fit"),
        _EXPORT,
    ),
    "record_nested": Message(
        N_("Some pictures were wrapped in a second TFRecord; they have been unwrapped."),
        _SOME,
        "",
        N_("Nothing to do. VoTT does this when a .tfrecord was opened as if it were a picture."),
    ),
    "vott_records": Message(
        N_("VoTT leaves out of TFRecords, without a word, the pictures that it fails to export."),
        "",
        "",
        N_("Compare the number of pictures with that in VoTT."),
    ),
    "vott_entry_bad": Message(
        N_("Some entries of a VoTT file are incomplete and are not used."),
        _SOME,
        N_("a picture's name and its regions in each"),
        _EXPORT,
    ),
    "coco_entry_bad": Message(
        N_("Some entries of a COCO file have no id or no name and are not used."),
        _SOME,
        N_("an id and a name in each"),
        _EXPORT,
    ),
    "coco_id_twice": Message(
        N_("Some ids of a COCO file are given twice; the first one counts."),
        _SOME,
        N_("every id once"),
        _EXPORT,
    ),
    "coco_image_unknown": Message(
        N_("Some boxes of a COCO file belong to a picture that the file does not list."),
        _SOME,
        N_("an image_id that is among the images"),
        _EXPORT,
    ),
    "crowds_left_out": Message(
        N_("Some boxes stand for a crowd (iscrowd) and are left out."),
        _SOME,
        "",
        N_("Nothing to do. A box per object teaches more."),
    ),
}

_PICTURES: dict[str, Message] = {
    "no_labelled_pictures": Message(
        N_("There are labels here, but no picture that can be used with them."),
        N_("0"),
        N_("the pictures beside their labels"),
        N_(
            "Put the pictures into the same folder or zip as the labels and mend what is said "
            "below; or add or take pictures on the job's own page."
        ),
    ),
    "labelled_picture_missing": Message(
        N_("Some labels are of pictures that are not here; they are not used."),
        _SOME,
        N_("every labelled picture, under the name that the label gives"),
        N_("Add the pictures, or give them their old names again."),
    ),
    "picture_unlabelled": Message(
        N_("Some pictures have no labels at all; they count as pictures with nothing on them."),
        _SOME,
        N_("labels for every picture that shows one of your objects"),
        N_("Label them or take them away if any of your objects is on them; else nothing to do."),
    ),
    "pictures_without_boxes": Message(
        N_("Some pictures are labelled as showing nothing; they teach what is no object."),
        _SOME,
        "",
        N_("Nothing to do if you expected this."),
    ),
    "pictures_not_listed": Message(
        N_("Some pictures do not belong to the labels and are not used."),
        _SOME,
        "",
        N_("Nothing to do if you expected this. Else label them."),
    ),
    "pictures_left_out": Message(
        N_("Some pictures are not used because none of their boxes could be."),
        _SOME,
        N_("at least one good box on a picture that shows objects"),
        _LOOK,
    ),
    "picture_with_other_boxes": Message(
        N_("The same picture is there twice with different boxes."),
        _SOME,
        N_("every picture once, with all its boxes"),
        N_("Delete the one whose boxes are wrong."),
    ),
    "pictures_too_alike": Message(
        N_("Most of the pictures look nearly the same."),
        N_("{found} of {count}"),
        N_("pictures that differ in angle, distance, light and background"),
        N_("Photograph with more variety. Until then the result looks better than it is."),
    ),
    "split_twice": Message(
        N_("Some pictures are listed for training and for validation or test; they train."),
        _SOME,
        N_("every picture in one part"),
        N_("Take them off one of the lists."),
    ),
    "size_missing": Message(
        N_("Some labels give no size of the picture; it was read from the picture itself."),
        _SOME,
        "",
        N_("Nothing to do."),
    ),
    "boxes_scaled": Message(
        N_("Some pictures were made larger or smaller after labelling; the boxes were, too."),
        _SOME,
        N_("the size of the picture that was labelled"),
        N_("Look at some of the boxes. If they are wrong, put the original pictures back."),
    ),
    "size_differs": Message(
        N_("Some labels give a size of another shape than the picture; it was not believed."),
        _SOME,
        N_("the size of the picture that was labelled"),
        N_("Make sure that these are the pictures that were labelled."),
    ),
    "boxes_orientation": Message(
        N_("Some pictures are stored turned or mirrored (EXIF); boxes are taken as drawn upright."),
        _SOME,
        N_("boxes drawn on the picture as a viewer shows it"),
        N_("Look at some of the boxes. If they lie wrong, save the pictures upright first."),
    ),
}

_BOXES: dict[str, Message] = {
    "box_outside": Message(
        N_("Some boxes reach out of their picture and were cut at its edges."),
        _SOME,
        N_("boxes inside the picture"),
        _LOOK,
    ),
    "box_off_picture": Message(
        N_("Some boxes lie wholly outside of their picture and are not used."),
        _SOME,
        N_("boxes inside the picture"),
        _LOOK,
    ),
    "box_empty": Message(
        N_("Some boxes have no size, or a negative one, and are not used."),
        _SOME,
        N_("at least two pixels in width and height, left before right, top before bottom"),
        _LOOK,
    ),
    "box_not_finite": Message(
        N_("Some boxes have edges that are no numbers (NaN, infinite) and are not used."),
        _SOME,
        N_("numbers"),
        _EXPORT,
    ),
    "box_unreadable": Message(
        N_("Some boxes cannot be read and are not used."),
        _SOME,
        N_("a label and four numbers for each box"),
        _EXPORT,
    ),
    "box_twice": Message(
        N_("Some boxes are there twice; one of each is kept."),
        _SOME,
        N_("every object once"),
        N_("Nothing to do, or delete the copies in your labelling program."),
    ),
    "box_two_labels": Message(
        N_("Some boxes have two labels; the model can learn only one for an object."),
        _SOME,
        N_("one label for each box"),
        N_("Decide for one of the labels, or make the labels one."),
    ),
    "boxes_too_many": Message(
        N_("There are too many boxes to be one data set."),
        "",
        N_("at most {needed}"),
        N_("Leave out some of the pictures."),
    ),
    "boxes_none": Message(
        N_("There are no boxes on any picture."),
        N_("0"),
        N_("pictures with boxes around your objects"),
        N_("Draw boxes with the collector on the board, or with a labelling program."),
    ),
    "boxes_too_few": Message(
        N_("This class has too few boxes."),
        N_("{found}"),
        N_("at least {needed}, better 100"),
        N_("Photograph and label more: other angles, distances, light and backgrounds."),
    ),
    "boxes_few": Message(
        N_("This class has few boxes; the model will miss many of these objects."),
        N_("{found}"),
        N_("better {needed} or more"),
        N_("Photograph and label more: other angles, distances, light and backgrounds."),
    ),
    "boxes_many": Message(
        N_("This class has very many boxes; training takes long."),
        N_("{found}"),
        N_("{needed} do as well"),
        N_("Nothing to do if you have the time."),
    ),
}

_LABELS: dict[str, Message] = {
    "label_unknown": Message(
        N_("Some boxes have a label that the data set does not list; they are not used."),
        _SOME,
        N_("labels that are in labels.txt, classes.txt, data.yaml or the categories"),
        N_("Add the label to the list, or correct it in your labelling program."),
    ),
    "label_unlisted": Message(
        N_("Some labels are not among the tags of the export, perhaps deleted; they are used."),
        _SOME,
        "",
        N_("Nothing to do, or delete these boxes in VoTT and export again."),
    ),
    "label_missing": Message(
        N_("Some boxes have no label and are not used."),
        _SOME,
        N_("a label for each box"),
        _LOOK,
    ),
    "classes_unnamed": Message(
        N_("Nothing says what the class numbers of the YOLO labels mean; numbers are the labels."),
        "",
        N_("data.yaml with names, or classes.txt with one name a line"),
        N_("Add one of them beside the labels."),
    ),
    "labels_without_boxes": Message(
        N_("Some labels have no boxes and are left out."),
        _SOME,
        "",
        N_("Nothing to do if you expected this."),
    ),
    "labels_many": Message(
        N_("There are too many labels."),
        N_("{found}: {names}"),
        N_("at most {needed}"),
        N_("Leave some out or join them in your labelling program."),
    ),
    "labels_too_many": Message(
        N_("There are too many labels to be one data set."),
        N_("{found}"),
        N_("at most {needed}"),
        N_("Leave some out or join them in your labelling program."),
    ),
}

_CONVERT: dict[str, Message] = {
    "convert_classes": Message(
        N_("These pictures have no boxes: they are sorted into folders."),
        "",
        N_("pictures with boxes: Pascal VOC, YOLO, COCO, VoTT or a collector's card"),
        N_("Nothing to do: class folders are read by every training program as they are."),
    ),
    "convert_exists": Message(
        N_("There is something at the place to write to."),
        "",
        N_("a new folder"),
        N_("Choose another name, or move away what is there. Nothing is overwritten."),
    ),
    "convert_inside": Message(
        N_("The new folder would lie inside of the data set itself."),
        "",
        N_("a folder outside of it"),
        N_("Choose another place."),
    ),
}

MESSAGES: dict[str, Message] = {**_FILES, **_PICTURES, **_BOXES, **_LABELS, **_CONVERT}
