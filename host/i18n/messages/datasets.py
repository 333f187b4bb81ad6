"""Messages of host/datasets."""

from ..message import N_, Message

KINDS = (N_("CMYK"), N_("16-bit"), N_("palette"), N_("alpha"))
"""Kinds of pictures that are converted."""

_SIZE_ON_DISK = N_("at most {needed} MB")
_SOME = N_("{count}: {names}")
_PICTURES = N_("{count}: {found}")
_PACK_AGAIN = N_("Unpack the zip on your computer, then make a new zip of the folder.")

_ZIP: dict[str, Message] = {
    "source_missing": Message(
        N_("There is no such file or folder."),
        "",
        N_("a zip file, or a folder with one sub-folder per class"),
        N_("Check the spelling of the path."),
    ),
    "zip_too_large": Message(
        N_("The zip file is too large."),
        N_("{found} MB"),
        _SIZE_ON_DISK,
        N_(
            "Run `maixforge prepare FOLDER -o DATA.zip`: it makes the pictures as small as the "
            "model needs them. Or ask whoever runs this host to raise the limit."
        ),
    ),
    "zip_not_a_zip": Message(
        N_("This file is not a zip file."),
        N_("{found}"),
        N_("a .zip file with one folder of pictures per class"),
        N_(
            "Make a zip of the folder: right-click it, then Compress, or Send to, Compressed "
            "folder. Another kind of archive with its name changed does not do."
        ),
    ),
    "zip_damaged": Message(
        N_("The zip file is damaged or cut off."),
        N_("{reason}"),
        N_("a whole zip file"),
        N_(
            "Make the zip again from the folder, and wait until copying or downloading is "
            "complete before you upload it."
        ),
    ),
    "zip_empty": Message(
        N_("The zip file holds no files."),
        "",
        N_("one folder of pictures per class"),
        N_("Put the class folders with their pictures into the zip."),
    ),
    "zip_too_many_members": Message(
        N_("The zip file holds too many files."),
        "",
        N_("at most {needed} files and folders"),
        N_("Zip only the pictures of this data set."),
    ),
    "zip_path_escapes": Message(
        N_("A name in the zip file points outside of it."),
        "",
        N_("names such as cat/1.jpg, without ..\\, a drive letter, a backslash or a leading /"),
        _PACK_AGAIN,
    ),
    "zip_name_bad": Message(
        N_("A name in the zip file cannot be used as a file name on every system."),
        "",
        N_("short names without a colon or control characters, in few levels of folders"),
        N_(
            "Rename the file or folder, or run `maixforge prepare FOLDER -o DATA.zip`, which "
            "gives every picture a plain name."
        ),
    ),
    "zip_name_clash": Message(
        N_("Two names in the zip file mean the same file or folder."),
        N_("{path} and {other}"),
        N_("names that differ in more than upper and lower case or the way accents are stored"),
        N_("Rename one of them and make the zip again."),
    ),
    "zip_link": Message(
        N_("The zip file holds a link or a device in place of a file."),
        "",
        N_("ordinary files and folders only"),
        N_("Put the pictures themselves into the zip, not links to them."),
    ),
    "zip_encrypted": Message(
        N_("The zip file is protected by a password."),
        "",
        N_("a zip file without a password"),
        N_("Make the zip again without a password."),
    ),
    "zip_method": Message(
        N_("The zip file is packed by a method that is not read here."),
        N_("method {found}"),
        N_("method 8 (Deflate) or 0 (Store)"),
        N_("Make the zip with your system's own zip function, or choose Deflate."),
    ),
    "zip_nested": Message(
        N_("There is another archive inside the zip file."),
        "",
        N_("folders of pictures, not archives"),
        N_("Unpack the inner archive, then make one zip of the folders."),
    ),
    "zip_bomb": Message(
        N_("Something in the zip file unpacks to far more than pictures do."),
        N_("{found} MB or more"),
        _SIZE_ON_DISK,
        N_(
            "Leave this file out. Pictures that are really this large: run "
            "`maixforge prepare FOLDER -o DATA.zip` first."
        ),
    ),
    "zip_overlap": Message(
        N_("Files in the zip overlap, as only damaged or malicious zip files do."),
        "",
        N_("a zip file in which every file has its own place"),
        _PACK_AGAIN,
    ),
    "zip_unpack_failed": Message(
        N_("The zip file could not be unpacked."),
        N_("{reason}"),
        "",
        N_(
            "Shorten long names, use plain letters and digits in them, and try again. If it "
            "stays, whoever runs this host should look at its disk."
        ),
    ),
    "disk_full": Message(
        N_("The disk of this host is full."),
        N_("{reason}"),
        N_("room for the unpacked pictures"),
        N_("Delete old jobs, then try again."),
    ),
}

_FOLDER: dict[str, Message] = {
    "folder_missing": Message(
        N_("There is no such folder."),
        "",
        N_("a folder with one sub-folder per class"),
        N_("Check the spelling of the path."),
    ),
    "folder_unreadable": Message(
        N_("The folder cannot be read."),
        N_("{reason}"),
        N_("a folder that you may read, with all its sub-folders"),
        N_("Check the permissions, and that the card or disk is still there."),
    ),
    "folder_special_file": Message(
        N_("There is a link or a device in the folder."),
        "",
        N_("ordinary files and folders only"),
        N_("Copy the pictures themselves into the folder, not links to them."),
    ),
    "folder_name_unreadable": Message(
        N_("The name of a file or folder is in an unknown encoding."),
        "",
        N_("names of letters and digits"),
        N_("Rename it."),
    ),
    "folder_too_many_files": Message(
        N_("The folder holds too many files to be one data set."),
        "",
        N_("at most {needed} files"),
        N_("Choose the folder that holds the class folders, and nothing above it."),
    ),
    "other_files": Message(
        N_("Some files are not pictures and are not used."),
        _SOME,
        "",
        N_("Nothing to do if you expected this."),
    ),
    "no_pictures": Message(
        N_("There are no pictures here."),
        N_("0"),
        N_("one folder of JPEG or PNG pictures per class"),
        N_(
            "Make a folder per class, named as the class, and put its pictures into it; or add or "
            "take pictures on the job's own page."
        ),
    ),
    "pictures_outside_classes": Message(
        N_("Some pictures lie outside of the class folders and are not used."),
        _SOME,
        N_("every picture inside the folder of its class"),
        N_("Move them into a class folder, or delete them."),
    ),
    "class_folders_nested": Message(
        N_("Some class folders have sub-folders; all pictures in those count as one class."),
        _SOME,
        N_("one folder per class, with the pictures directly in it"),
        N_(
            "If the sub-folders are the classes, or these are several data sets, choose only the "
            "folder that holds the classes."
        ),
    ),
    "class_folders_empty": Message(
        N_("Some folders are empty and are not used."),
        _SOME,
        "",
        N_("Delete them, or put pictures into them."),
    ),
    "split_without_classes": Message(
        N_("The folders for training and validation hold pictures but no class folders."),
        N_("{names}"),
        N_("train/cat/1.jpg, valid/cat/2.jpg"),
        N_("Put a folder per class into each of them."),
    ),
    "class_without_training": Message(
        N_("Some classes have pictures for validation or test, but none to train with."),
        _SOME,
        N_("the same class folders in every part"),
        N_("Add pictures of these classes to the training folder, or spell the names alike."),
    ),
}

_LABELS: dict[str, Message] = {
    "label_not_ascii": Message(
        N_("Some class names have letters that the board cannot show."),
        _SOME,
        N_("English letters, digits, space, - and _"),
        N_("Rename the class folders (or the labels of boxes), for example to apple or class1."),
    ),
    "label_characters": Message(
        N_("Some class names have characters that file systems or scripts trip over."),
        _SOME,
        N_("no quotes, slashes, : * ? < > |, no control characters, no space or dot at the ends"),
        N_("Rename the class folders, or the labels in your labelling program."),
    ),
    "label_reserved": Message(
        N_("Some class names are names of devices on Windows."),
        _SOME,
        N_("other names than con, prn, aux, nul, com1 or lpt1"),
        N_("Rename the class folders, or the labels in your labelling program."),
    ),
    "label_too_long": Message(
        N_("Some class names are too long for the board's screen."),
        _SOME,
        N_("at most {needed} characters"),
        N_("Rename the class folders, or the labels in your labelling program."),
    ),
    "label_twice": Message(
        N_("Some class names differ only in upper and lower case."),
        _SOME,
        N_("names that differ in their letters"),
        N_("Rename the folders or labels, or make them one."),
    ),
}

_COUNTS: dict[str, Message] = {
    "classes_too_few": Message(
        N_("There are too few classes."),
        N_("{found}: {names}"),
        N_("at least {needed}"),
        N_(
            'Add a folder with pictures of something else; a class "background" without any '
            "of your objects does well."
        ),
    ),
    "classes_few": Message(
        N_("With two classes everything the camera sees becomes one of the two."),
        N_("{found}: {names}"),
        N_("better {needed} or more"),
        N_('Add a class "background" with pictures of the scene without your objects.'),
    ),
    "classes_too_many": Message(
        N_("There are too many classes."),
        N_("{found}: {names}"),
        N_("at most {needed}"),
        N_(
            "Leave some out or join them. If these are not your classes, choose the folder that "
            "holds the class folders."
        ),
    ),
    "class_too_small": Message(
        N_("This class has too few usable pictures."),
        N_("{found}"),
        N_("at least {needed}"),
        N_("Photograph more: other angles, distances, light and backgrounds."),
    ),
    "class_too_large": Message(
        N_("This class has too many pictures."),
        N_("{found}"),
        N_("at most {needed}"),
        N_("Remove some, first of all those that look alike."),
    ),
    "duplicates_dropped": Message(
        N_("Some pictures are in their class twice; one of each is kept."),
        _SOME,
        N_("every picture once"),
        N_("Delete the copies. Copies teach nothing, and would make the accuracy look better."),
    ),
    "picture_in_two_classes": Message(
        N_("The same picture is in two classes."),
        _SOME,
        N_("every picture in one class"),
        N_("Delete it from the class where it is wrong."),
    ),
    "near_duplicates": Message(
        N_(
            "Some pictures look nearly the same; they stay on one side of the split into training "
            "and validation."
        ),
        N_("{count} in {groups} groups"),
        "",
        N_("Nothing to do. More varied pictures teach more."),
    ),
    "class_too_alike": Message(
        N_("Most pictures of this class look nearly the same."),
        N_("{found} of {count}"),
        N_("pictures that differ in angle, distance, light and background"),
        N_(
            "Photograph the class again with more variety. Until then the accuracy of this class "
            "looks better than it is."
        ),
    ),
    "validation_moved": Message(
        N_("Some validation pictures look nearly the same as training pictures; they train now."),
        _SOME,
        N_("validation pictures taken at another time or place"),
        N_("Photograph new pictures for validation."),
    ),
    "test_like_training": Message(
        N_("Some test pictures look nearly the same as training pictures."),
        _SOME,
        N_("test pictures taken at another time or place"),
        N_("Photograph new pictures for the test; its accuracy looks better than it is."),
    ),
    "class_without_validation": Message(
        N_("No picture of this class can be set aside for validation."),
        "",
        N_("at least two pictures that differ"),
        N_("Photograph more, with more variety."),
    ),
}

_PICTURE: dict[str, Message] = {
    "picture_file_missing": Message(
        N_("The picture cannot be opened."),
        _PICTURES,
        "",
        N_("Check that the file is still there and that you may read it."),
    ),
    "picture_empty": Message(
        N_("Some pictures are empty files and are not used."),
        _PICTURES,
        N_("files with a picture in them"),
        N_("Delete them. A full card or a board switched off too early leaves such files."),
    ),
    "picture_not_a_picture": Message(
        N_("Some files are named like pictures but are none."),
        _PICTURES,
        N_("JPEG, PNG, BMP, GIF or WebP pictures"),
        N_("Delete them, or save them as pictures. A new name does not change what a file is."),
    ),
    "picture_format": Message(
        N_("Some pictures are in a format that is not read here."),
        _PICTURES,
        N_("JPEG, PNG, BMP, GIF or WebP pictures"),
        N_("Save them as JPEG. On an iPhone choose Settings, Camera, Formats, Most Compatible."),
    ),
    "picture_too_large": Message(
        N_("Some pictures have too many pixels."),
        _PICTURES,
        N_("at most {needed} pixels"),
        N_("Run `maixforge prepare FOLDER -o DATA.zip` on your computer, or make them smaller."),
    ),
    "pictures_too_many_pixels": Message(
        N_("All the pictures together have too many pixels."),
        "",
        N_("at most {needed} megapixels"),
        N_(
            "Run `maixforge prepare FOLDER -o DATA.zip` on your computer: it makes the pictures "
            "as small as the model needs them."
        ),
    ),
    "picture_too_small": Message(
        N_("Some pictures are too small to learn from and are not used."),
        _PICTURES,
        N_("at least {needed} pixels on each side"),
        N_("Photograph them again at the camera's usual size."),
    ),
    "picture_truncated": Message(
        N_("Some pictures are cut off and are not used."),
        _PICTURES,
        N_("whole picture files"),
        N_("Delete them or copy them again. A full card leaves such files."),
    ),
    "picture_unreadable": Message(
        N_("Some pictures are damaged and are not used."),
        _PICTURES,
        N_("pictures that a viewer can open"),
        N_("Delete them, or save them again with a picture editor."),
    ),
    "pictures_animated": Message(
        N_("Some pictures are animated; only the first frame is used."),
        _SOME,
        N_("still pictures"),
        N_("Save the frames that you want as pictures of their own."),
    ),
    "pictures_rotated": Message(
        N_("Some pictures are stored lying on their side and are turned as a viewer shows them."),
        _SOME,
        "",
        N_("Nothing to do."),
    ),
    "pictures_converted": Message(
        N_("Some pictures are of a special kind ({kind}) and are converted to plain colour."),
        _SOME,
        "",
        N_("Nothing to do. What is transparent becomes white."),
    ),
    "prepared_zip_large": Message(
        N_("The prepared zip is larger than a host takes by default."),
        N_("{found} MB"),
        _SIZE_ON_DISK,
        N_("Choose a smaller --size or fewer pictures, or raise the limit of your host."),
    ),
}

MESSAGES: dict[str, Message] = {**_ZIP, **_FOLDER, **_LABELS, **_COUNTS, **_PICTURE}
