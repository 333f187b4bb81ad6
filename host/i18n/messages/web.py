"""Messages of host/web and host/server."""

from ..message import N_, Message

MESSAGES: dict[str, Message] = {
    "upload_too_large": Message(
        what=N_("The upload is too large."),
        found="{found} MB",
        needed=N_("at most {needed} MB"),
        fix=N_(
            "Make the pictures smaller with: maixforge prepare FOLDER -o DATA.zip "
            "or raise the setting MAIXFORGE_UPLOAD_BYTES."
        ),
    ),
    "upload_missing": Message(
        what=N_("Nothing was uploaded."),
        found="",
        needed=N_("one zip, or a folder with one sub-folder for each class"),
        fix=N_("Choose a zip or a folder and send it again."),
    ),
    "form_expired": Message(
        what=N_("This page is too old to be believed."),
        found="",
        needed=N_("a page of this host, opened since its key was made"),
        fix=N_(
            "Reload the page and try again. Cookies must be allowed for this address. Programs "
            "need a token: maixforge token NAME"
        ),
    ),
    "request_refused": Message(
        what=N_("The host cannot answer this request."),
        found="{reason}",
        needed="",
        fix=N_("Go back to the start page and try again from there."),
    ),
    "page_missing": Message(
        what=N_("There is no such page."),
        found="{path}",
        needed="",
        fix=N_("Go back to the start page."),
    ),
    "file_missing": Message(
        what=N_("This file is not there."),
        found="{path}",
        needed="",
        fix=N_("Files can be downloaded when the job is done; look at its page."),
    ),
    "option_unknown": Message(
        what=N_("There is no choice {path} for this job."),
        found="",
        needed=N_("one of: {known}"),
        fix=N_("Correct the spelling or leave it out."),
    ),
    "body_wrong": Message(
        what=N_("What was sent is no form."),
        found="",
        needed=N_("a form, or a JSON object with texts, numbers, true and false"),
        fix=N_("Look into /api/openapi.json for what this address takes."),
    ),
    "streams_busy": Message(
        what=N_("Too many pages watch a training at once."),
        found="",
        needed=N_("at most {needed} at one time"),
        fix=N_("Close pages that nobody looks at; the others ask again by themselves."),
    ),
    "host_failed": Message(
        what=N_("MaixForge made a mistake while it answered."),
        found="{path}",
        needed="",
        fix=N_("Try again. If it happens again, report it with the last lines of the host's log."),
    ),
    "port_in_use": Message(
        what=N_("Another program already listens on port {port}."),
        found="{reason}",
        needed=N_("a free port"),
        fix=N_("Stop the other program or set MAIXFORGE_PORT to another number, e.g. 8081."),
    ),
}
