"""Messages of the Try it page, the pictures behind a result, and the comparison."""

from ..message import N_, Message

_ONE = "{found}"
_FORMATS = N_("JPEG, PNG, BMP, GIF or WebP")

MESSAGES: dict[str, Message] = {
    "try_picture_missing": Message(
        what=N_("No picture was chosen."),
        found="",
        needed=N_("one picture"),
        fix=N_("Choose a picture and send it again."),
    ),
    "try_picture_large": Message(
        what=N_("The picture's file is too large."),
        found="{found} MB",
        needed=N_("at most {needed} MB"),
        fix=N_("Save the picture smaller or as JPEG and send it again."),
    ),
    "try_picture_empty": Message(
        what=N_("The picture's file is empty."),
        found=_ONE,
        needed=N_("one picture"),
        fix=N_(
            "Choose another picture. A full card or a board switched off too early leaves such "
            "files."
        ),
    ),
    "try_picture_not_a_picture": Message(
        what=N_("The file is named like a picture but is none."),
        found=_ONE,
        needed=_FORMATS,
        fix=N_("Choose a picture."),
    ),
    "try_picture_format": Message(
        what=N_("The picture is in a format that is not read here."),
        found=_ONE,
        needed=_FORMATS,
        fix=N_(
            "Save it as JPEG and send that. On an iPhone choose Settings, Camera, Formats, Most "
            "Compatible."
        ),
    ),
    "try_picture_too_large": Message(
        what=N_("The picture has too many pixels."),
        found=_ONE,
        needed=N_("at most {needed} pixels"),
        fix=N_("Make it smaller with a picture editor, then send it again."),
    ),
    "try_picture_truncated": Message(
        what=N_("The picture is cut off."),
        found=_ONE,
        needed=N_("a whole picture file"),
        fix=N_("Copy it again, or choose another one."),
    ),
    "try_picture_unreadable": Message(
        what=N_("The picture is damaged."),
        found=_ONE,
        needed=N_("a picture that a viewer can open"),
        fix=N_("Save it again with a picture editor, or choose another one."),
    ),
}
