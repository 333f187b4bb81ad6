"""Messages of sealed models: host/deploy/seal and what uses it."""

from ..message import N_, Message

MESSAGES: dict[str, Message] = {
    "sealed_damaged": Message(
        N_("The sealed model is damaged: it is not the file that was written."),
        N_("bytes that were changed, are missing or too many"),
        N_("m.kmx, whole, as MaixForge made it"),
        N_("Copy it again from the package, or make the package again."),
    ),
    "sealed_for_another_board": Message(
        N_("The model is sealed for another board."),
        N_("the id of a board that has another key"),
        N_("a model that was sealed with this board's key"),
        N_("Seal the model for this board, or use the board that it was sealed for."),
    ),
}
