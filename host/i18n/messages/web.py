"""Messages of host/web."""

from ..message import Message, N_

MESSAGES: dict[str, Message] = {}
