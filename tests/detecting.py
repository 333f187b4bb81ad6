"""What a detector must show: the simulator's boxes, drawn a second time with Pillow."""

import json

import numpy as np
from PIL import Image, ImageDraw

from host import kmodel
from host.emulator.board.host import from_565, to_565
from host.kmodel import region

COLOURS = ((57, 219, 123), (255, 121, 99), (90, 190, 255))
"""What RGB565 makes of run_detect's first three."""
FOOT = 16


def seen(scene, window):
    """The middle of a camera picture, in the 16 bits of the frame buffer."""
    x, y = (320 - window[0]) // 2, (240 - window[1]) // 2
    cut = scene.convert("RGB").resize((320, 240)).crop((x, y, x + window[0], y + window[1]))
    return from_565(to_565(cut), window)


def boxes(model, frame, size, grid, anchors, threshold=0.5, nms=0.3):
    """[(class, score, (x, y, w, h))] in pixels of `frame`, as `host.kmodel` finds them."""
    high, wide = frame.shape[:2]
    width, height = size
    rows, columns = np.arange(height) * high // height, np.arange(width) * wide // width
    values = kmodel.simulate(model, frame[rows][:, columns][None])[0][0]
    pairs = np.reshape(anchors, (5, 2))
    best = {}
    for one in region.decode(values, grid[::-1], pairs, threshold, nms):  # best first
        best.setdefault(one.place, one)
    found = []
    for _, one in sorted(best.items()):
        sides = []
        for first, last, side, shown in (
            (one.left, one.right, width, wide), (one.top, one.bottom, height, high),
        ):  # fmt: skip
            start, end = (int(max(part, 0) * side) * shown // side for part in (first, last))
            sides.append((start, min(end, shown) - start))
        (x, w), (y, h) = sides
        found.append((one.label, one.score, (x, y, w, h)))
    return found


def printed(line):
    """The boxes of a line of JSON, as `boxes` gives them."""
    return [(one["index"], one["score"], tuple(one["box"])) for one in line["objects"]]


def same(found, wanted):
    """Scores are printed with four digits."""
    assert [(label, box) for label, _, box in found] == [(label, box) for label, _, box in wanted]
    scores = [[score for _, score, _ in rows] for rows in (found, wanted)]
    assert np.allclose(*scores, atol=6e-5)


def drawn_again(frame, wanted, panel, labels):
    """What Pillow makes of the boxes, True where no letters are, and the texts {(x, y, text)}."""
    high, wide = frame.shape[:2]
    canvas = Image.fromarray(frame)
    draw = ImageDraw.Draw(canvas)
    # C's division: a picture that is larger than the panel loses the smaller half first.
    left, top = int((panel[0] - wide) / 2), int((panel[1] - high) / 2)
    x0, y0 = max(-left, 0), max(-top, 0)
    x1, y1 = x0 + min(wide, panel[0]), y0 + min(high, panel[1])
    clear = np.ones(panel[::-1], bool)
    texts = set()
    for label, score, (x, y, w, h) in wanted:
        colour = COLOURS[label]
        draw.rectangle((x, y, x + w - 1, y + h - 1), outline=colour)
        if min(w, h) > 4:
            draw.rectangle((x + 1, y + 1, x + w - 2, y + h - 2), outline=colour)
        text = f"{labels[label]} {int(score * 100 + 0.5)}%"
        paper = 8 * len(text) + 4
        at_x = min(max(x, x0 + 2), x1 - 2 - paper)
        at_y = min(max(y - 14 if y - 14 > y0 else y, y0 + 2), y1 - FOOT - 14)
        draw.rectangle((at_x, at_y, at_x + paper - 1, at_y + 13), fill=colour)
        at = (at_x + left + 2, at_y + top + 1)
        clear[at[1] : at[1] + 12, at[0] : at[0] + 8 * len(text)] = False
        texts.add((*at, text))
    draw.rectangle((x0, y1 - FOOT, x1 - 1, y1 - 1), fill=0)
    clear[y1 + top - FOOT : y1 + top, x0 + left + 6 : x1 + left - 6] = False
    screen = Image.new("RGB", panel)
    screen.paste(canvas, (left, top))
    return from_565(to_565(screen), panel), clear, texts


def same_screen(result, frame, wanted, board, labels):
    """The screen has the boxes, and nothing else that `drawn_again` has not."""
    again, clear, texts = drawn_again(frame, wanted, board.panel, labels)
    screen = np.asarray(result.last.image)
    assert np.array_equal(screen[clear], again[clear])
    shown = {(one.x, one.y, one.text) for one in result.last.texts[:-1]}
    assert shown <= texts and bool(shown) == bool(wanted)  # one may cover another


def inside(result, board, edge=2):
    """No text is nearer to the edge of the screen than `edge` pixels."""
    wide, high = board.panel
    for frame in result.frames:
        for text in frame.texts:
            assert text.x >= edge and text.x + text.width <= wide - edge, text
            assert text.y >= edge and text.y + text.height <= high - edge, text


def settings_of(script):
    """SETTINGS of a rendered script, read as data."""
    names: dict = {}
    exec(compile(script.decode("ascii").split("\nimport ")[0], "boot.py", "exec"), names)
    return json.loads(json.dumps(names["SETTINGS"]))
