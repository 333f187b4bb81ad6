# What went wrong, in words that say what to do.


class Trouble(Exception):
    # Trouble(title, paragraph, ...): something that the person at the board can mend.
    pass


class CardTrouble(Trouble):
    pass


class CameraTrouble(Trouble):
    pass


def explain(error):
    # Title and paragraphs of any exception.
    if isinstance(error, Trouble):
        return error.args[0], list(error.args[1:])
    if isinstance(error, MemoryError):
        return "Out of memory", ["Use the firmware minimum_with_ide_support.", "", str(error)]
    kind = type(error).__name__
    return "Error", ["%s: %s" % (kind, error), "", "Press reset to try again."]


def print_trouble(title, paragraphs):
    print("maixforge: %s: %s" % (title, " ".join([text for text in paragraphs if text])))
