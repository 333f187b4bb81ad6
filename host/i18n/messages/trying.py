"""Messages of the Try it page, the pictures behind a result, and the comparison."""

from ..message import N_, Message

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
}
