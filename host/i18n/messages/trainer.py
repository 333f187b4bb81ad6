"""Messages of host/trainer."""

from ..message import Message, N_

MESSAGES: dict[str, Message] = {}
