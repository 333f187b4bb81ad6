"""Labels made to harm: each is refused or told, in little time and memory, and nothing escapes."""

from __future__ import annotations

import json
import random
import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from boxed_pictures import (
    CAT,
    boxes_of,
    coco,
    example,
    field,
    load,
    masked,
    record,
    varint,
    voc,
    vott,
    write_picture,
    write_text,
)
from little_memory import little_memory
from test_vott import jpeg

from host.datasets.checks import check
from host.datasets.limits import MIB
from host.errors import UserError, describe

DTD = '<?xml version="1.0"?><!DOCTYPE annotation [{}]>' + voc(CAT)
LOL = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "lol">' for n in range(12)
)
EDGES = "<xmin>{}</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
MANY = " ".join(f"a{n}=''" for n in range(50_000))
BOMB = voc(CAT).replace("cat", "&l11;")

XML = {
    "billion laughs": (DTD.format(LOL).replace("cat", "&l11;"), "xml_dtd"),
    "quadratic blowup": (DTD.format(f'<!ENTITY a "{"a" * 50_000}">'), "xml_dtd"),
    "external entity": (DTD.format('<!ENTITY x SYSTEM "file:///etc/passwd">'), "xml_dtd"),
    "external entity over http": (DTD.format('<!ENTITY x SYSTEM "http://x.invalid/">'), "xml_dtd"),
    "parameter entity": (DTD.format('<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;'), "xml_dtd"),
    "external document type": ('<!DOCTYPE annotation SYSTEM "x.dtd">' + voc(CAT), "xml_dtd"),
    "public document type": ('<!DOCTYPE annotation PUBLIC "a" "b">' + voc(CAT), "xml_dtd"),
    "empty document type": ("<!DOCTYPE annotation>" + voc(CAT), "xml_dtd"),
    "in UTF-16": (DTD.format(LOL).replace('"1.0"', "'1.0'").encode("utf-16"), "xml_dtd"),
    "declared as GBK": (
        '<?xml version="1.0" encoding="gbk"?><!DOCTYPE annotation [<!ENTITY a "b">]>' + voc(CAT),
        "xml_dtd",
    ),
    "entity without a type": (BOMB, "labels_damaged"),
    "cut off": (voc(CAT)[:-20], "labels_damaged"),
    "two roots": (voc(CAT) * 2, "labels_damaged"),
    "deep": ("<annotation>" + "<a>" * 100_000, "labels_damaged"),
    "deep and closed": (
        "<annotation>" + "<a>" * 99 + "</a>" * 99 + "</annotation>",
        "labels_damaged",
    ),
    "not the encoding it claims": (b"<annotation>\xff\xfe\xfa</annotation>", "labels_damaged"),
    "unknown encoding": ("<?xml version='1.0' encoding='x-evil'?>" + voc(CAT), "labels_damaged"),
    "NUL": ("<annotation>\0</annotation>", "labels_damaged"),
    "large": ("<annotation>" + " " * MIB + "</annotation>", "labels_too_large"),
    "many elements": ("<annotation>" + "<a/>" * 500_000 + "</annotation>", "labels_too_large"),
    "many attributes": (f"<annotation {MANY}/>", None),
    "no boxes": ("<annotation><object/></annotation>", "box_unreadable"),
    "NaN": (voc(("cat", "nan", 1, 9, 9)), "box_not_finite"),
    "infinite": (voc(("cat", "-inf", 1, "1e999", 9)), "box_not_finite"),
    "huge": (voc(("cat", 1, 1, "9" * 300, "9" * 300)), "box_outside"),
    "beside the picture": (voc(("cat", 5000, 5000, 5009, 5009)), "box_off_picture"),
    "below zero": (voc(("cat", -50, -50, 30, 30)), "box_outside"),
    "inside out": (voc(("cat", 60, 60, 9, 9)), None),
    "number of a megabyte": (voc(("cat", 1, 1, "9" * 900_000, 9)), "box_not_finite"),
    "filename elsewhere": (voc(CAT, filename="../../../../etc/passwd"), "boxes_too_few"),
    "label of a megabyte": (voc(("c" * 900_000, 1, 1, 30, 30)), "label_too_long"),
    "label that steers the terminal": (voc(("\u202e\u200bx", 1, 1, 30, 30)), "label_characters"),
    "label that is a path": (voc(("../../x", 1, 1, 30, 30)), "label_characters"),
    "twenty thousand boxes": (
        voc(*[("c", n % 99 + 1, 1, n % 99 + 20, 30) for n in range(8000)]),
        "box_twice",
    ),
}

LABELS = {"id": 1, "name": "cat"}
JSON = {
    "deep": (b'{"images": ' + b"[" * 200_000, "labels_damaged"),
    "deep objects": (b'{"images": ' + b'{"a":' * 100_000, "labels_damaged"),
    "many lists": (b'{"images": [' + b"[]," * 2_000_000 + b"[]]}", "labels_too_large"),
    "9 MB": (b'{"images": "' + b"x" * 9 * MIB + b'"}', "labels_too_large"),
    "cut off": (json.dumps(coco([(1, 1, 9, 9)]))[:-9].encode(), "labels_damaged"),
    "not UTF-8": (b'{"images": "\xff"}', "labels_damaged"),
    "number of 9,999 digits": (b'{"images": ' + b"9" * 9999 + b"}", "labels_damaged"),
    "NaN": (coco([(float("nan"), 1, 9, 9)]), "box_not_finite"),
    "Infinity": (coco([(1, 1, float("inf"), 9)]), "box_not_finite"),
    "1e999": (json.dumps(coco([(1, 1, 7, 9)])).replace("7", "1e999").encode(), "box_not_finite"),
    "whole number beyond floats": (coco([(1, 1, 10**400, 9)]), "box_unreadable"),
    "edges of True": (coco([(True, True, True, True)]), "box_empty"),
    "negative": (coco([(50, 50, -9, -9)]), "box_empty"),
    "ids of lists": (coco(images=[{"id": [1], "file_name": "1.jpg"}]), "coco_entry_bad"),
    "ids of objects": (coco(categories=[{"id": {}, "name": "cat"}]), "coco_entry_bad"),
    "names of numbers": (coco(images=[{"id": 1, "file_name": 5}]), "coco_entry_bad"),
    "names elsewhere": (
        coco(images=[{"id": 1, "file_name": "../../../../etc/passwd"}]),
        "labelled_picture_missing",
    ),
    "names with escapes": (
        coco(images=[{"id": 1, "file_name": "\x1b[2J\ud800.jpg"}]),
        "labelled_picture_missing",
    ),
    "annotation of nothing": (coco(annotations=[None, [], 1, "x"]), "coco_image_unknown"),
    "sizes of texts": (
        coco(images=[{"id": 1, "file_name": "1.jpg", "width": "x", "height": []}]),
        "size_missing",
    ),
    "huge sizes": (
        coco(images=[{"id": 1, "file_name": "1.jpg", "width": 10**400, "height": 1e308}]),
        "size_missing",
    ),
    "many boxes": (coco([(1, 1, 9, 9)] * 49_000), "box_twice"),
    "a million labels": (
        coco([(1, 1, 9, 9)], categories=[{"id": n, "name": f"c{n}"} for n in range(200_000)]),
        "labels_too_many",
    ),
    "VoTT: assets of nothing": (
        {"assets": {"a": None, "b": [], "c": {"asset": []}}, "tags": []},
        "vott_entry_bad",
    ),
    "VoTT: huge box": (vott((["cat"], 1, 1, 10**400, 9)), "box_unreadable"),
    "VoTT: NaN": (vott((["cat"], float("nan"), 1, 9, 9)), "box_not_finite"),
    "VoTT: tags of tags": (vott(([["cat"]], 1, 1, 9, 9)), "label_missing"),
    "VoTT: name elsewhere": (vott(name="..\\..\\x.jpg"), "labelled_picture_missing"),
}

YOLO = {
    "NaN": ("0 nan .5 .5 .5", "box_not_finite"),
    "infinite": ("0 .5 .5 inf .5", "box_not_finite"),
    "1e999": ("0 .5 .5 1e999 .5", "box_not_finite"),
    "class beyond": ("7 .5 .5 .5 .5", "label_unknown"),
    "class below": ("-1 .5 .5 .5 .5", "label_unknown"),
    "class of NaN": ("0 .5 .5 .5 .5\nnan .5 .5 .5 .5", "box_unreadable"),
    "class beyond floats": ("0 .5 .5 .5 .5\n1e999 .5 .5 .5 .5", "box_unreadable"),
    "negative size": ("0 .5 .5 -.5 -.5", "box_empty"),
    "outside": ("0 9 9 .5 .5", "box_off_picture"),
    "huge": ("0 .5 .5 1e300 1e300", "box_outside"),
    "odd outline": ("0 .1 .1 .2 .2 .3 .3 .4", "box_unreadable"),
    "2 MB": ("0 .5 .5 .5 .5\n" * 200_000, "labels_too_large"),
    "backtracking": ("0 1 1 1 1\n" + "0 " + "1e" * 40_000 + "!", "box_unreadable"),
    "first line that backtracks": ("0" + " 1" * 100_000 + " !", None),
    "many lines": ("0 .5 .5 .5 .5\n" * 50_000, "box_twice"),
    "binary": (b"0 .5 .5 .5 .5\n\0\xff\xfe\n", "box_unreadable"),
}

YAML = {
    "alias bomb": "a: &a [x,x]\nb: &b [*a,*a]\nnames: [*b,*b]",
    "merge bomb": "a: &a {x: 1}\nb: {<<: [*a, *a]}\nnames: [cat]",
    "code": "names: !!python/object/apply:os.system ['touch /tmp/maixforge-was-here']",
    "code in a name": "names: [!!python/name:os.system ]",
    "deep": "names: " + "[" * 5000,
    "cut off": 'names: ["cat',
    "tabs": "names:\n\t- cat",
    "control characters": "names: [\x01]",
    "large": "names: [cat]\n# " + "x" * 70_000,
    "huge number": "names: {999999999999: cat}",
    "odd": "names: 5",
}

CSV = {
    "NaN": ("1.jpg,nan,1,9,9,cat", "box_not_finite"),
    "infinite": ("1.jpg,1,1,inf,9,cat", "box_not_finite"),
    "text": ("1.jpg,1,1,x,9,cat", "box_unreadable"),
    "short": ("1.jpg,1", "box_unreadable"),
    "elsewhere": ("../../../etc/passwd,1,1,9,9,cat", "labelled_picture_missing"),
    "formula": ('1.jpg,1,1,30,30,"=cmd|x"', "label_characters"),
    "field of 9 MB": ("1.jpg," + "9" * 9 * MIB, "labels_too_large"),
    "field of 1 MB": ("1.jpg," + "9" * MIB, "labels_damaged"),
    "NUL": ("1.jpg,\0,1,9,9,cat", "box_unreadable"),
    "open quote": ('1.jpg,1,1,9,9,"cat', None),
}


REST = b'1], "annotations": [], "categories": []}'


def good(**more) -> bytes:
    return example(image__encoded=[jpeg()], image__filename=[b"1.jpg"], **more)


def frame(length: int, data: bytes = b"", crc: int | None = None) -> bytes:
    head = struct.pack("<Q", length)
    return head + struct.pack("<I", masked(head)) + data + struct.pack("<I", crc or masked(data))


ONE = boxes_of(("cat", 0.1, 0.1, 0.9, 0.9))
RECORDS = {
    "empty": (b"", "record_damaged"),
    "text": (b"hello, I am a record, am I not", "record_damaged"),
    "bad checksum of the length": (b"\x01" + record(good(**ONE))[1:], "record_damaged"),
    "bad checksum of the data": (record(good(**ONE))[:-1] + b"\0", "record_damaged"),
    "cut off": (record(good(**ONE))[:-9], "record_damaged"),
    "length of 8 EiB": (frame(1 << 63), "record_damaged"),
    "length of 100 MB": (frame(100 * MIB, b"x" * 99), "record_damaged"),
    "no bytes": (record(b""), "record_damaged"),
    "no protobuf": (record(b"\xff" * 99), "record_damaged"),
    "field past the end": (record(varint(1 << 3 | 2) + varint(1 << 40) + b"x"), "record_damaged"),
    "endless varint": (record(b"\x0a" + b"\xff" * 50), "record_damaged"),
    "groups": (record(b"\x0b\x0c"), "record_damaged"),
    "a million fields": (record(b"\x08\x01" * 1_000_000), "record_damaged"),
    "a million features": (record(field(1, b"\x0a\x00" * 1_000_000)), "record_damaged"),
    "a million values": (
        record(field(1, field(1, field(1, b"x") + field(2, field(1, b"\x0a\x00" * 10**6))))),
        "record_damaged",
    ),
    "no picture": (record(example(**ONE)), "record_damaged"),
    "two pictures": (record(example(image__encoded=[jpeg(), jpeg()], **ONE)), "record_damaged"),
    "fewer edges than labels": (
        record(good(**ONE | {"image__object__bbox__xmin": []})),
        "record_damaged",
    ),
    "NaN": (record(good(**boxes_of(("cat", float("nan"), 0.1, 0.9, 0.9)))), "box_not_finite"),
    "infinite": (record(good(**boxes_of(("cat", 0.1, 0.1, float("inf"), 0.9)))), "box_not_finite"),
    "negative": (record(good(**boxes_of(("cat", 0.9, 0.9, 0.1, 0.1)))), "box_empty"),
    "no picture in the picture": (
        record(example(image__encoded=[b"<html>"], **ONE)),
        "picture_not_a_picture",
    ),
    "a picture ten deep": (
        record(example(image__encoded=[b"\0" * 99_999 + jpeg()], **ONE)),
        "picture_not_a_picture",
    ),
    "label that is no UTF-8": (
        record(good(**ONE | {"image__object__class__text": [b"\xff\xfe"]})),
        "label_not_ascii",
    ),
    "megabyte of text": (
        record(good(**ONE | {"image__object__class__text": [b"x" * MIB]})),
        "label_too_long",
    ),
}


def judge(folder: Path, code: str | None) -> None:
    """Load and check within two seconds, little memory, and without a trace outside."""
    before = sorted(folder.parent.rglob("*"))
    started = time.process_time()
    try:
        with little_memory():
            findings = check(load(folder, into=folder.parent / "job")).findings
    except UserError as error:
        findings = error.findings
    assert time.process_time() - started < 2
    for finding in findings:
        for language in ("en", "zh"):
            text = describe(finding, language)
            assert text.encode()
            assert len(text) < 5000
            assert "\x1b" not in text and "\0" not in text
    after = sorted(folder.parent.rglob("*"))
    job = folder.parent / "job"
    assert [path for path in after if job not in (path, *path.parents)] == before
    assert code is None or code in [finding.code for finding in findings]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A data set with a picture, deep enough that an escape would be seen."""
    write_picture(tmp_path / "up" / "data" / "1.jpg")
    return tmp_path / "up" / "data"


@pytest.mark.parametrize(("text", "code"), XML.values(), ids=XML)
def test_xml(folder, text, code):
    write_text(folder / "1.xml", text)
    judge(folder, code)


@pytest.mark.parametrize(("content", "code"), JSON.values(), ids=JSON)
def test_json(folder, content, code):
    text = json.dumps(content).encode() if isinstance(content, dict) else content
    write_text(folder / "x.json", text)
    judge(folder, code)


@pytest.mark.parametrize(("text", "code"), YOLO.values(), ids=YOLO)
def test_yolo(folder, text, code):
    write_text(folder / "1.txt", text)
    write_text(folder / "classes.txt", "cat\ndog\n")
    judge(folder, code)


@pytest.mark.parametrize("text", YAML.values(), ids=YAML)
def test_yaml(folder, text):
    """A data.yaml that is none is not read; the labels go without names."""
    write_text(folder / "1.txt", "0 .5 .5 .5 .5\n")
    write_text(folder / "data.yaml", text)
    judge(folder, None if "999" in text else "classes_unnamed")
    assert not Path("/tmp/maixforge-was-here").exists()


@pytest.mark.parametrize(("row", "code"), CSV.values(), ids=CSV)
def test_csv(folder, row, code):
    write_text(folder / "x.csv", "image,xmin,ymin,xmax,ymax,label\n1.jpg,1,1,9,9,cat\n" + row)
    judge(folder, code)


@pytest.mark.parametrize(("data", "code"), RECORDS.values(), ids=RECORDS)
def test_records(folder, data, code):
    (folder / "1.jpg").unlink()
    write_text(folder / "0.tfrecord", data)
    judge(folder, code)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("1.xml", DTD.format(LOL).encode()),
        ("1.xml", XML["many elements"][0].encode()[: MIB - 1]),
        ("x.json", JSON["many lists"][0]),
        ("x.json", b'{"images": [' + b'"a",' * 400_000 + REST),
        ("x.json", b'{"images": [' + b"1.5," * 400_000 + REST),
        ("0.tfrecord", RECORDS["a million values"][0]),
        ("0.tfrecord", RECORDS["length of 100 MB"][0]),
    ],
    ids=["laughs", "elements", "lists", "texts", "floats", "values", "length"],
)  # fmt: skip
def test_memory(folder, name, content):
    write_text(folder / name, content)
    tracemalloc.start()
    try:
        load(folder, into=folder.parent / "job")
        assert tracemalloc.get_traced_memory()[1] < 60 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["xml", "json", "txt", "csv", "tfrecord"])
def test_random_damage(folder, kind):
    """Labels with some bytes changed are read or told; never a crash."""
    content = {
        "xml": voc(CAT, ("dog", 1, 1, 9, 9)).encode(),
        "json": json.dumps(coco([(1, 1, 9, 9), (10, 20, 50, 60)])).encode(),
        "txt": b"0 .5 .5 .5 .5\n1 .2 .2 .1 .1\n",
        "csv": b"image,xmin,ymin,xmax,ymax,label\n1.jpg,1,1,9,9,cat\n1.jpg,3,3,9,9,dog\n",
        "tfrecord": record(good(**ONE))[:12] + good(**ONE)[:200],
    }[kind]
    dice = random.Random(kind)
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(dice.choice((1, 2, 8))):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        (folder / f"1.{kind}").write_bytes(changed)
        try:
            dataset = load(folder, into=folder.parent / "job")
        except UserError as error:
            assert error.code in ("labels_too_many", "boxes_too_many")
            continue
        for finding in dataset.findings:
            assert describe(finding).encode()


def test_random_examples_never_crash(folder):
    """The same behind good checksums."""
    (folder / "1.jpg").unlink()
    content, dice = good(**ONE), random.Random(7)
    head = content.index(b"image/filename")
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(dice.choice((1, 2, 4))):
            place = dice.choice((dice.randrange(40), dice.randrange(head - 8, len(content))))
            changed[place] = dice.randrange(256)
        (folder / "0.tfrecord").write_bytes(record(bytes(changed)))
        for finding in load(folder, into=folder.parent / "job").findings:
            assert describe(finding).encode()


def test_how_many_there_are():
    assert sum(map(len, (XML, JSON, YOLO, YAML, CSV, RECORDS))) >= 110
