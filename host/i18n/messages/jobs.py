"""Messages of host/jobs."""

from ..message import Message, N_

MESSAGES: dict[str, Message] = {}
