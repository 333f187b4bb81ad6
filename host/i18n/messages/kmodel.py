"""Messages of host/kmodel."""

from ..message import Message, N_

MESSAGES: dict[str, Message] = {}
