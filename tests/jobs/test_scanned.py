"""A machine code is read from a photograph of a board's screen, and from nothing else."""

import io

import numpy as np
import pytest
import zxingcpp
from PIL import Image
from qr_pictures import drawn, jpeg, photo

from host.deploy import machine_code
from host.deploy.machine_code import MachineCode
from host.errors import UserError
from host.jobs import scanned

CODE = machine_code.of_board(bytes(range(32)))
OTHER = machine_code.of_board(bytes(32))


def read(image):
    return scanned.machine_code_in(io.BytesIO(jpeg(image)), "screen.jpg", 16_000_000)


@pytest.mark.parametrize("turn", [0, 8, 90, 200])
@pytest.mark.parametrize("text", [CODE.text, CODE.text.replace("-", ""), CODE.text.lower()])
def test_a_photograph(text, turn):
    assert read(photo(drawn(text), turn=turn)) == CODE


def test_the_code_of_a_burnt_key():
    code = MachineCode(bytes(range(16)), "burnt")
    assert read(photo(drawn(code.text))) == code


def test_the_same_code_twice_is_one():
    assert read(photo(drawn(CODE.text), drawn(CODE.text.lower()))) == CODE


def test_among_other_qr_codes():
    assert read(photo(drawn("https://example.org"), drawn(CODE.text))) == CODE


@pytest.mark.parametrize(
    ("screens", "found", "total"),
    [
        ([Image.new("L", (90, 90), 255)], 0, 0),
        ([drawn("https://example.org")], 0, 1),
        ([drawn(CODE.text[:-1] + "X")], 0, 1),
        ([drawn(CODE.text), drawn(OTHER.text)], 2, 2),
    ],
)
def test_not_one_code(screens, found, total):
    with pytest.raises(UserError) as caught:
        read(photo(*screens))
    (finding,) = caught.value.findings
    assert finding.code == "machine_code_scan"
    assert (finding.params["found"], finding.params["total"]) == (found, total)
    assert not any(group in str(finding) for group in CODE.text.split("-"))


def test_another_kind_of_barcode_is_none():
    code = zxingcpp.create_barcode(CODE.text, zxingcpp.BarcodeFormat.DataMatrix)
    image = Image.fromarray(np.asarray(code.to_image(scale=6, add_quiet_zones=True)))
    with pytest.raises(UserError, match="machine_code_scan"):
        read(photo(image))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "try_picture_empty"),
        (b"PK\x03\x04" + bytes(99), "try_picture_not_a_picture"),
        (jpeg(photo(drawn(CODE.text)))[:9000], "try_picture_truncated"),
    ],
)
def test_what_is_no_picture(data, code):
    with pytest.raises(UserError, match=code):
        scanned.machine_code_in(io.BytesIO(data), "screen.jpg", 16_000_000)


def test_too_many_pixels():
    with pytest.raises(UserError, match="try_picture_too_large"):
        scanned.machine_code_in(io.BytesIO(jpeg(photo(drawn(CODE.text)))), "x.jpg", 1_000_000)
