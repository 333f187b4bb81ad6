"""Messages of host/datasets."""

from ..message import Message, N_

MESSAGES: dict[str, Message] = {}
