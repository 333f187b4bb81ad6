"""The SD zip as it comes, unpacked on a virtual board's card."""

import zipfile

import pytest

from host.deploy import machine_code, package, sdcard
from host.deploy.board_key import BoardKey
from host.emulator import board as virtual
from host.kmodel import ModelInfo

BOUND = BoardKey.of_code(machine_code.of_board(bytes(range(32))))  # the virtual board's
LABELS = ("left arrow", "right arrow", 'it\'s "quoted"')


@pytest.mark.parametrize("key", [None, BOUND], ids=["plain", "sealed"])
@pytest.mark.parametrize("board", [virtual.BIT, virtual.M5STICKV], ids=lambda board: board.name)
def test_the_unpacked_zip_runs(tmp_path, board, key):
    model = virtual.fake_kmodel(size=500_000)
    info = ModelInfo(224, 224, 3, len(model), 200_000, 700_447, 1, (12,))
    pack = package.create(tmp_path / "p", model, name="Arrows", labels=LABELS, info=info, key=key)
    with zipfile.ZipFile(sdcard.build(pack, tmp_path / "sd.zip")) as archive:
        card = {name: archive.read(name) for name in archive.namelist()}
    result = virtual.run(card["boot.py"], card=card, kpu=(0.1, 0.2, 0.7), board=board)
    assert result.last.says('it\'s "quoted"', "70%")
    assert result.files == card and ("m.kmx" in card) == (key is not None)
    start = result.frames[1].image  # the dark blue start picture with its white letters
    assert start.convert("L").getextrema()[1] > 200
    assert start.getpixel((board.panel[0] // 2, 2))[2] > start.getpixel((board.panel[0] // 2, 2))[0]
