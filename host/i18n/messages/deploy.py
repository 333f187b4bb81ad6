"""Messages of host/deploy."""

from ..message import Message, N_

MESSAGES: dict[str, Message] = {}
