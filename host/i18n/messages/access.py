"""Messages of host/web/access, host/web/credentials and host/remote."""

from ..message import N_, Message

MESSAGES: dict[str, Message] = {
    "host_needs_password": Message(
        what=N_("Other computers could reach the host, and it has no password yet."),
        found=N_("an address, a name or a proxy for others, but neither password nor token"),
        needed=N_("a password, or a token for programs only"),
        fix=N_(
            "Run: maixforge password - with the same MAIXFORGE_DATA - and start the host again; "
            "or leave MAIXFORGE_HOST, MAIXFORGE_TRUSTED_HOSTS, MAIXFORGE_PROXY and "
            "MAIXFORGE_HTTPS unset, for this computer only."
        ),
    ),
    "host_not_encrypted": Message(
        what=N_("The host is open to the network without TLS."),
        found=N_("whoever shares the network can read passwords, tokens and pictures on their way"),
        needed=N_("a network that you trust, or a reverse proxy with TLS"),
        fix=N_("docs/security.md shows a reverse proxy; then set MAIXFORGE_HTTPS=true."),
    ),
    "host_name_untrusted": Message(
        what=N_("The host does not answer under this name."),
        found="{found}",
        needed=N_("localhost, an address of this computer, or a name from MAIXFORGE_TRUSTED_HOSTS"),
        fix=N_("Put the name into MAIXFORGE_TRUSTED_HOSTS where the host is started."),
    ),
    "login_needed": Message(
        what=N_("This needs a login."),
        found="",
        needed=N_("a session, or a token in the header Authorization: Bearer"),
        fix=N_("Log in on the page /login. Programs: make a token with maixforge token NAME."),
    ),
    "login_wrong": Message(
        what=N_("That is not the password."),
        found="",
        needed=N_("the password of this host, or a token"),
        fix=N_("Mind capitals. Who runs the host can set a new one: maixforge password"),
    ),
    "login_too_often": Message(
        what=N_("Too many wrong passwords or tokens came from this address."),
        found="",
        needed=N_("at most {needed} in {minutes} minutes"),
        fix=N_("Wait {minutes} minutes; until then even the right password is refused."),
    ),
    "uploads_too_many": Message(
        what=N_("Too many uploads came from this address."),
        found="",
        needed=N_("at most {needed} an hour"),
        fix=N_("Wait a while, or raise MAIXFORGE_UPLOADS where the host is started."),
    ),
    "token_wrong": Message(
        what=N_("The host does not know this token."),
        found="",
        needed=N_("a token of this host that was not taken away"),
        fix=N_("Where the host runs, make one with: maixforge token NAME"),
    ),
    "token_exists": Message(
        what=N_("There is a token of this name already."),
        found="{path}",
        needed=N_("another name"),
        fix=N_("Take the old one away first: maixforge token NAME --remove"),
    ),
    "token_missing": Message(
        what=N_("There is no token of this name."),
        found="{path}",
        needed="",
        fix=N_("maixforge token lists the names."),
    ),
    "token_name_wrong": Message(
        what=N_("A token cannot have this name."),
        found="",
        needed=N_("1 to {needed} visible characters"),
        fix=N_("Name it after the computer that will use it, e.g. laptop."),
    ),
    "password_length": Message(
        what=N_("The password is too short or too long."),
        found=N_("{found} characters"),
        needed=N_("{low} to {high} characters"),
        fix=N_("Take a few words that belong together for nobody but you."),
    ),
    "access_file_broken": Message(
        what=N_("The file of passwords and tokens cannot be read, so nobody is let in."),
        found="{path}",
        needed=N_("the file as maixforge password wrote it"),
        fix=N_("Delete it where the host runs, then set password and tokens anew."),
    ),
    "remote_address_wrong": Message(
        what=N_("This is no address of a host."),
        found="",
        needed=N_("e.g. http://10.0.0.5:8080 or https://forge.example.org, and nothing behind it"),
        fix=N_("Copy it from the browser's address bar. Tokens never belong into an address."),
    ),
    "remote_unreachable": Message(
        what=N_("The host at {path} cannot be reached."),
        found="{reason}",
        needed=N_("a host that runs and that this computer has a way to"),
        fix=N_(
            "Open the address in a browser. Does the host run (maixforge serve), and does it "
            "listen to others (docs/security.md)?"
        ),
    ),
    "remote_tls": Message(
        what=N_("The certificate of {path} cannot be trusted, so nothing was sent."),
        found="{reason}",
        needed=N_("a valid certificate for this name, or http if the host has no TLS"),
        fix=N_("Ask whoever runs the host. A certificate of your own: set REQUESTS_CA_BUNDLE."),
    ),
    "remote_not_maixforge": Message(
        what=N_("What answers at {path} is no MaixForge host."),
        found="{reason}",
        needed=N_("the API of MaixForge below /api"),
        fix=N_("Check name and port; a proxy in between has to pass /api on as it is."),
    ),
    "remote_version": Message(
        what=N_("The host and this program do not speak the same version of the API."),
        found=N_("the host is MaixForge {version}"),
        needed=N_("this is MaixForge {ours}"),
        fix=N_("Install the same version on both computers."),
    ),
    "remote_option": Message(
        what=N_("A host elsewhere cannot take {path}."),
        found="",
        needed="",
        fix=N_("Leave it out, or train here, without --host."),
    ),
    "remote_data_wrong": Message(
        what=N_("Only a folder or a zip can be sent to a host."),
        found="{path}",
        needed=N_("a zip, or a folder of class folders or of boxes"),
        fix=N_("maixforge check tells what is wrong with a data set."),
    ),
    "remote_cancelled": Message(
        what=N_("The job was cancelled at the host."),
        found="{path}",
        needed="",
        fix=N_("Somebody did so on its page; start it there again."),
    ),
    "download_exists": Message(
        what=N_("There is such a file already. Nothing was fetched."),
        found="{path}",
        needed=N_("a folder without it"),
        fix=N_("Choose another folder with -o, or replace files with --force."),
    ),
    "token_file_open": Message(
        what=N_("Others on this computer can read the file of tokens."),
        found="{path}",
        needed=N_("a file that only you may read (0600)"),
        fix=N_("Run: chmod 600 {path} - and if others were here, make a new token."),
    ),
    "token_file_wrong": Message(
        what=N_("The file of tokens cannot be read."),
        found="{path}",
        needed=N_("lines such as: http://10.0.0.5:8080 TOKEN"),
        fix=N_("Correct it, or put the token into the variable MAIXFORGE_TOKEN."),
    ),
}
