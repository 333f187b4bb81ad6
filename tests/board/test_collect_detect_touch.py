"""collect_detect.py with a touch screen."""

import pytest
from test_collect_detect import CARD, HOME, objects

from host.deploy.board import render
from host.emulator import board as virtual

Touch = tuple[int, int | None, int | None]
AMIGO_PICTURE = (16, 48)  # where the picture begins: 224 x 224 at the left of 480 x 320
BIT_PICTURE = (0, 8)


@pytest.fixture(scope="session")
def collector() -> bytes:
    """The collector with its default settings."""
    return render("collect_detect", {})


class Finger:
    """Builds the `touches` of a scenario; positions are pixels of the picture, from 0."""

    def __init__(self, origin: tuple[int, int]) -> None:
        self.origin = origin
        self.now = 1500
        self.touches: list[Touch] = []

    def drag(self, *points: tuple[int, int]) -> "Finger":
        """Put the finger down at the first point, lift it at the last."""
        for x, y in points:
            self.touches.append((self.now, x + self.origin[0], y + self.origin[1]))
            self.now += 150
        self.touches.append((self.now, None, None))
        self.now += 500
        return self

    def screen(self, x: int, y: int) -> "Finger":
        """Touch a dot of the screen."""
        self.touches += [(self.now, x, y), (self.now + 120, None, None)]
        self.now += 900
        return self


def run(collector, finger: Finger, board=virtual.AMIGO_TFT) -> virtual.Result:
    return virtual.run(
        collector, card=CARD, board=board, touches=finger.touches, until_ms=finger.now + 800,
        build="maixpy",  # the builds for the Amigo have no touchscreen module
    )  # fmt: skip


def button(board: virtual.Board, name: str) -> tuple[int, int]:
    width, height = board.panel
    number = ["CLASS", "UNDO", "SAVE", "MORE"].index(name)
    return width - 40, height - 40 * (4 - number) + 20


@pytest.mark.parametrize(
    ("board", "origin"),
    [
        (virtual.AMIGO_TFT, AMIGO_PICTURE),
        (virtual.AMIGO_IPS, AMIGO_PICTURE),
        (virtual.BIT, BIT_PICTURE),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_finger_draws_boxes_corner_to_corner(collector, board, origin):
    finger = Finger(origin).drag((100, 100))  # takes the picture
    finger.drag((20, 30), (60, 70), (119, 99)).drag((200, 180), (150, 150))
    finger.screen(*button(board, "CLASS")).screen(*button(board, "SAVE"))
    result = run(collector, finger, board)
    assert objects(result.files[HOME + "xml/1.xml"]) == [
        ("cat", 21, 31, 120, 100),
        ("guinea_pig", 151, 151, 201, 181),
    ]
    assert {"CLASS", "UNDO", "SAVE", "MORE", "MENU", "drag a box"} <= set(result.texts)


def test_a_corner_can_be_dragged_again_and_a_touch_takes_a_box(collector):
    finger = Finger(AMIGO_PICTURE).drag((100, 100))
    finger.drag((20, 30), (119, 99)).drag((118, 101), (139, 89))  # its lower right corner
    finger.drag((160, 160), (199, 199)).drag((50, 50))  # a second box, then the first again
    finger.screen(*button(virtual.AMIGO, "CLASS")).screen(*button(virtual.AMIGO, "SAVE"))
    result = run(collector, finger)
    assert objects(result.files[HOME + "xml/1.xml"]) == [
        ("guinea_pig", 21, 31, 140, 90),
        ("cat", 161, 161, 200, 200),
    ]


def test_undo_takes_back_a_drag(collector):
    finger = Finger(AMIGO_PICTURE).drag((100, 100)).drag((20, 30), (119, 99))
    finger.drag((160, 160), (199, 199)).screen(*button(virtual.AMIGO, "UNDO"))
    finger.screen(*button(virtual.AMIGO, "SAVE"))
    result = run(collector, finger)
    assert objects(result.files[HOME + "xml/1.xml"]) == [("cat", 21, 31, 120, 100)]


def test_a_finger_that_leaves_the_picture_ends_at_its_edge(collector):
    finger = Finger(AMIGO_PICTURE).drag((100, 100))
    finger.drag((100, 120), (180, 200), (230, 265)).screen(*button(virtual.AMIGO, "SAVE"))
    result = run(collector, finger)
    assert objects(result.files[HOME + "xml/1.xml"]) == [("cat", 101, 121, 224, 224)]


def test_menus_by_touch(collector):
    finger = Finger(AMIGO_PICTURE).screen(440, 300)  # MENU: the second item
    menu = run(collector, finger)
    line = next(text for text in menu.last.texts if text.text == "Nothing here: take it")
    finger.screen(line.x + 20, line.y + 6)
    result = run(collector, finger)
    assert objects(result.files[HOME + "xml/1.xml"]) == []


def test_a_board_without_touch_has_no_buttons(collector):
    result = virtual.run(collector, card=CARD, until_ms=2500)
    assert not {"MENU", "CLASS", "drag a box"} & set(result.texts)
