"""Messages of sealed models: host/deploy/seal and what uses it."""

from ..message import N_, Message

MESSAGES: dict[str, Message] = {
    "card_plain_model": Message(
        N_("A model that is not sealed lies on the card; it stays there."),
        "{path}",
        "",
        N_(
            "Delete it; if nobody may ever see it, take a new card: deleted files can be found "
            "again."
        ),
    ),
    "sealed_damaged": Message(
        N_("The sealed model is damaged: it is not the file that was written."),
        N_("bytes that were changed, are missing or too many"),
        N_("m.kmx, whole, as MaixForge made it"),
        N_("Copy it again from the package, or make the package again."),
    ),
    "seal_fixed": Message(
        what=N_("This job was ordered sealed for one board and stays so."),
        found=N_("sealed for {board}"),
        needed=N_("the same board"),
        fix=N_(
            "For another board, or for none, train again: the same data and seed give the same"
            " model."
        ),
    ),
    "seal_canmv": Message(
        N_("A sealed job makes no kmodel V5: that one could not be sealed."),
        N_("a board to seal for, and CanMV"),
        "",
        N_("Leave out one of the two; CanMV loads plain files only."),
    ),
    "seal_key_pending": Message(
        N_("Nobody knows yet whether this board has its key."),
        N_("{path}: pending; the burning was interrupted"),
        N_("a board whose key was burnt and compared, or a bound one"),
        N_("Run maixforge keygen with the board once more; it goes on where it ended."),
    ),
    "sealed_for_another_board": Message(
        N_("The model is sealed for another board."),
        N_("the id of a board that has another key"),
        N_("a model that was sealed with this board's key"),
        N_("Seal the model for this board, or use the board that it was sealed for."),
    ),
}
