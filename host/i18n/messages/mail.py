"""Messages of host/jobs/smtp and host/jobs/outbox."""

from ..message import N_, Message

MESSAGES: dict[str, Message] = {
    "setting_secret": Message(
        what=N_("The settings file holds the password of the mail server."),
        found="",
        needed=N_("the password in a file of its own, readable by its owner only"),
        fix=N_(
            "Take it out of this file, write it to another one (chmod 600) and name that as "
            "smtp_password_file; or set the variable MAIXFORGE_SMTP_PASSWORD."
        ),
    ),
    "mail_setting_missing": Message(
        what=N_("Mails shall be sent, but a setting is missing: {path}."),
        found="",
        needed=N_("the address of the sender; with a user name also the password"),
        fix=N_("Set it, or leave MAIXFORGE_SMTP_HOST unset; see docs/mail.md."),
    ),
    "mail_password_open": Message(
        what=N_("Others may read the file with the password of the mail server."),
        found=N_("permissions {mode}"),
        needed="0600",
        fix=N_("Run: chmod 600 {path} - and change the password if others were here."),
    ),
    "mail_password_odd": Message(
        what=N_("The password of the mail server cannot be sent."),
        found="",
        needed=N_("ASCII characters, on the first line of the file"),
        fix=N_("Set another password at the mail server, for this program only if it can do that."),
    ),
    "mail_file_unreadable": Message(
        what=N_("A file that the settings of the mail server name cannot be used."),
        found="{reason}",
        needed=N_("a password, or certificates as PEM"),
        fix=N_("Check MAIXFORGE_SMTP_PASSWORD_FILE and MAIXFORGE_SMTP_CA; see docs/mail.md."),
    ),
    "mail_login_open": Message(
        what=N_("The password would go over the network for everybody to read."),
        found=N_("a login without TLS at another computer"),
        needed=N_("starttls or tls"),
        fix=N_("Set MAIXFORGE_SMTP_SECURITY to what the mail server offers."),
    ),
    "mail_unreachable": Message(
        what=N_("The mail server does not answer, or has hung up."),
        found="{reason}",
        needed="",
        fix=N_("Check MAIXFORGE_SMTP_HOST, MAIXFORGE_SMTP_PORT and the network."),
    ),
    "mail_put_off": Message(
        what=N_("The mail server asks to try again later."),
        found="{reason}",
        needed="",
        fix=N_("Nothing: it is tried again a few times, with growing pauses."),
    ),
    "mail_refused": Message(
        what=N_("The mail server does not take the mail."),
        found="{reason}",
        needed=N_(
            "an address that exists, a sender that the server knows, a mail that is not too large"
        ),
        fix=N_(
            "Check the address. Who runs the host checks MAIXFORGE_MAIL_FROM and "
            "MAIXFORGE_MAIL_ATTACHMENT."
        ),
    ),
    "mail_login_refused": Message(
        what=N_("The mail server does not let MaixForge log in."),
        found="{reason}",
        needed=N_("a name and a password that it takes from programs"),
        fix=N_(
            "Check MAIXFORGE_SMTP_USER and the password; large mail providers want an app "
            "password. Then: maixforge doctor"
        ),
    ),
    "mail_certificate": Message(
        what=N_("The certificate of the mail server cannot be trusted."),
        found="{reason}",
        needed=N_("a certificate of an authority that is known here, for this name of the server"),
        fix=N_(
            "Use the name that the certificate has. Of a certificate of your own, name the file "
            "in MAIXFORGE_SMTP_CA."
        ),
    ),
    "mail_tls": Message(
        what=N_("The mail server does not speak TLS in the way that is set."),
        found="{reason}",
        needed=N_("{security}, as MAIXFORGE_SMTP_SECURITY says"),
        fix=N_(
            "Port 587 mostly wants starttls, port 465 tls. Nothing is ever sent without TLS "
            "instead."
        ),
    ),
    "mail_unsure": Message(
        what=N_("Nobody knows whether the mail was sent."),
        found=N_("host or connection ended just when the server had the whole mail; {reason}"),
        needed="",
        fix=N_("Look whether it came. It is sent again only when you ask for that."),
    ),
    "mail_not_failed": Message(
        what=N_("There is no mail that could be sent again."),
        found="{path}",
        needed=N_("a job that has ended, whose mail was not sent"),
        fix=N_("Reload the page to see where the mail stands."),
    ),
}
