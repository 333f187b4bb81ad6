"""A person at a virtual board: presses of keys, one after the other, as a scenario wants them."""

from __future__ import annotations

PAUSE_MS = 260


class Hands:
    """Builds the `keys` of a scenario. A key bounces `bounce` times when it goes down and up."""

    def __init__(self, pins: dict[str, int], start_ms: int = 1500, bounce: int = 0) -> None:
        self.pins = pins
        self.now = start_ms
        self.bounce = bounce
        self.keys: list[tuple[int, int, int]] = []
        self.presses = 0

    def hold(self, ms: int, role: str = "enter") -> Hands:
        """Hold a key for `ms`, then wait a little."""
        pin = self.pins[role]
        for level, at in ((0, self.now), (1, self.now + ms)):
            self.keys.append((at, pin, level))
            for number in range(self.bounce):
                self.keys.append((at + 2 + 4 * number, pin, 1 - level))
                self.keys.append((at + 4 + 4 * number, pin, level))
        self.now += ms + PAUSE_MS
        self.presses += 1
        return self

    def tap(self, count: int = 1, role: str = "enter") -> Hands:
        """Press a key shortly, `count` times."""
        for _ in range(count):
            self.hold(100, role)
        return self

    def wait(self, ms: int) -> Hands:
        """Do nothing."""
        self.now += ms
        return self
