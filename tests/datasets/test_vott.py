"""VoTT's exports: JSON, CSV and TFRecord."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from boxed_pictures import (
    CAT_EDGES,
    SIZE,
    boxes,
    boxes_of,
    example,
    load,
    record,
    splits,
    told,
    vott,
    write_picture,
    write_text,
)
from labelled_folders import picture

from host.datasets.checks import check
from host.datasets.formats.tfrecord import masked_crc
from host.datasets.pictures import decode

CAT = (["cat"], 10, 20, 50, 60)
PARTS = ("cat", 10 / 128, 20 / 96, 60 / 128, 80 / 96)
LABEL_MAP = "item {\n id: 1\n name: 'cat'\n}\nitem {\n id: 2\n name: 'it\\'s a \"dog\"'\n}\n"


def jpeg(seed=1, kind="JPEG") -> bytes:
    file = io.BytesIO()
    picture(seed, SIZE).save(file, kind)
    return file.getvalue()


def encoded(data=None, name="1.jpg", *marks, **more) -> bytes:
    return example(
        image__encoded=[jpeg() if data is None else data],
        image__filename=[name.encode()],
        **boxes_of(*marks, **more),
    )


# JSON


def test_json(tmp_path):
    write_picture(tmp_path / "1.jpg")
    write_text(tmp_path / "pets-export.json", json.dumps(vott(CAT)))
    dataset = load(tmp_path)
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert (dataset.labels, dataset.findings) == (("cat", "dog"), ())


def test_json_of_single_pictures(tmp_path):
    """What VoTT keeps beside its project, when nothing was exported."""
    write_picture(tmp_path / "1.jpg")
    one = vott(CAT)["assets"]["ab12"]
    write_text(tmp_path / "ab12-asset.json", json.dumps(one))
    assert boxes(load(tmp_path)) == [("cat", *CAT_EDGES)]
    write_text(tmp_path / "pets-export.json", json.dumps(vott((["dog"], 1, 1, 9, 9))))
    assert [one[0] for one in boxes(load(tmp_path))] == ["dog"]


def test_json_names_as_in_an_address(tmp_path):
    for stored, said in (("a b.jpg", "a%20b.jpg"), ("c%20d.jpg", "c%20d.jpg")):
        folder = tmp_path / stored[0]
        write_picture(folder / stored)
        write_text(folder / "x.json", json.dumps(vott(CAT, name=said)))
        assert [sample.path for sample in load(folder).samples] == [stored]


def test_json_a_region_with_two_tags(tmp_path):
    write_picture(tmp_path / "1.jpg")
    both = (["cat", "dog"], *CAT[1:])
    write_text(tmp_path / "x.json", json.dumps(vott(both)))
    dataset = load(tmp_path)
    assert [one[0] for one in boxes(dataset)] == ["cat", "dog"]
    assert told(dataset) == {"box_two_labels": "warning"}


def test_json_a_deleted_tag_is_still_a_label(tmp_path):
    write_picture(tmp_path / "1.jpg")
    write_text(tmp_path / "x.json", json.dumps(vott((["bird"], *CAT[1:]))))
    dataset = load(tmp_path)
    assert dataset.labels == ("cat", "dog", "bird")
    assert told(dataset) == {"label_unlisted": "warning"}


@pytest.mark.parametrize(
    ("state", "expected"),
    [(0, {"picture_unlabelled": "warning"}), (1, {"pictures_without_boxes": "note"})],
)
def test_json_pictures_without_regions(tmp_path, state, expected):
    write_picture(tmp_path / "1.jpg")
    write_text(tmp_path / "x.json", json.dumps(vott(state=state)))
    assert told(load(tmp_path)) == expected


def test_json_regions_and_entries_that_are_bad(tmp_path):
    write_picture(tmp_path / "1.jpg")
    made = vott(CAT)
    made["assets"]["ab12"]["regions"] += [5, {"tags": ["cat"]}, {"tags": "cat", "boundingBox": {}},
        {"tags": [], "boundingBox": {"left": 1, "top": 1, "width": 9, "height": 9}}]  # fmt: skip
    made["assets"] |= {"x": 5, "y": {"asset": {"name": 7}, "regions": []}, "z": {"asset": {}}}
    write_text(tmp_path / "x.json", json.dumps(made))
    dataset = load(tmp_path)
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert told(dataset) == {
        "box_unreadable": "warning", "label_missing": "warning", "vott_entry_bad": "warning"
    }  # fmt: skip


# CSV


@pytest.mark.parametrize(
    "text",
    ['"image","xmin","ymin","xmax","ymax","label"\n"1.jpg",10,20,60,80,"cat"\n',
     "\ufeffimage,xmin,ymin,xmax,ymax,label\r\n1.jpg,10,20,60,80,cat\r\n",
     "filename,width,height,class,xmin,ymin,xmax,ymax\n1.jpg,128,96,cat,10,20,60,80\n"],
)  # fmt: skip
def test_csv(tmp_path, text):
    write_picture(tmp_path / "1.jpg")
    write_text(tmp_path / "x.csv", text)
    dataset = load(tmp_path)
    assert boxes(dataset) == [("cat", *CAT_EDGES)]
    assert dataset.findings == ()


def test_csv_rows_that_are_bad(tmp_path):
    write_picture(tmp_path / "1.jpg")
    write_picture(tmp_path / "2.jpg", 2)
    rows = ["1.jpg,10,20,60,80,cat", "1.jpg,a,20,60,80,cat", "1.jpg,1,2", "9.jpg,1,2,30,40,cat", ""]
    write_text(tmp_path / "x.csv", "\n".join(["image,xmin,ymin,xmax,ymax,label", *rows]))
    dataset = load(tmp_path)
    assert [len(sample.boxes) for sample in dataset.samples] == [1, 0]
    assert told(dataset) == {
        "box_unreadable": "warning",
        "labelled_picture_missing": "warning",
        "picture_unlabelled": "warning",
    }


def test_csv_splits(tmp_path):
    header = "image,xmin,ymin,xmax,ymax,label\n"
    for number, split in ((1, "train"), (2, "test")):
        write_picture(tmp_path / "images" / f"{number}.jpg", number)
        write_text(tmp_path / f"{split}_labels.csv", f"{header}{number}.jpg,1,2,30,40,cat")
    assert splits(load(tmp_path)) == {"images/1.jpg": "train", "images/2.jpg": "test"}


# TFRecord


def test_records(tmp_path):
    write_text(tmp_path / "data" / "0.tfrecord", record(encoded(None, "a.jpg", PARTS)))
    write_text(tmp_path / "data" / "1.tfrecord", record(encoded(None, "b.jpg")))
    write_text(tmp_path / "data" / "tf_label_map.pbtxt", LABEL_MAP)
    dataset = load(tmp_path / "data", into=tmp_path / "job")
    assert [sample.path for sample in dataset.samples] == ["a.jpg", "b.jpg"]
    assert boxes(dataset, dataset.samples[0]) == [("cat", *map(pytest.approx, CAT_EDGES))]
    assert dataset.labels == ("cat", 'it\'s a "dog"')
    assert dataset.root == tmp_path / "job" / "pictures"
    assert (dataset.root / "a.jpg").read_bytes() == jpeg()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "0.tfrecord", "1.tfrecord", "tf_label_map.pbtxt"
    ]  # fmt: skip
    assert told(dataset) == {"vott_records": "note", "pictures_without_boxes": "note"}


def test_records_written_by_tensorflow(tmp_path):
    """Another writer, other checksums, floats and integers packed as protobuf likes them."""
    import tensorflow as tf

    def numbers(*values):
        kind = tf.train.FloatList if isinstance(values[0], float) else tf.train.Int64List
        name = "float_list" if isinstance(values[0], float) else "int64_list"
        return tf.train.Feature(**{name: kind(value=values)})

    def texts(*values):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    edges = zip(("xmin", "ymin", "xmax", "ymax"), PARTS[1:], strict=True)
    features = {f"image/object/bbox/{name}": numbers(edge, 0.5 + edge / 2) for name, edge in edges}
    features |= {
        "image/encoded": texts(jpeg(kind="PNG")),
        "image/object/class/text": texts(b"cat", "\u732b".encode()),
        "image/object/class/label": numbers(-1, 300),
        "image/source_id": texts(b"seven"),
    }
    made = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    with tf.io.TFRecordWriter(str(tmp_path / "train.record-00000-of-00001")) as writer:
        writer.write(made)
        writer.write(made)
    dataset = load(tmp_path, into=tmp_path / "job")
    assert splits(dataset) == {"seven.png": "train", "seven-2.png": "train"}
    assert dataset.labels == ("cat", "\u732b")
    assert boxes(dataset, dataset.samples[0])[0] == ("cat", *map(pytest.approx, CAT_EDGES))


def test_checksum_of_rfc_3720():
    """32 bytes of zeros have the CRC-32C 8A9136AA (RFC 3720, B.4)."""
    crc = 0x8A9136AA
    assert masked_crc(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_the_text_is_trusted_not_the_number(tmp_path):
    """VoTT counts labels from 0 and ids from 1; a deleted tag is -1."""
    marks = [PARTS, ("bird", 0.5, 0.5, 0.9, 0.9)]
    write_text(tmp_path / "0.tfrecord", record(encoded(None, "1.jpg", *marks, labels=[0, -1])))
    write_text(tmp_path / "map.pbtxt", "item { id: 0 name: 'dog' } item { id: 1 name: 'cat' }")
    dataset = load(tmp_path, into=tmp_path / "job")
    assert [one[0] for one in boxes(dataset)] == ["cat", "bird"]
    assert dataset.labels == ("dog", "cat", "bird")
    assert told(dataset) == {"vott_records": "note", "label_unlisted": "warning"}


def test_numbers_where_there_is_no_text(tmp_path):
    features = boxes_of(PARTS, (*PARTS[:1], 0.1, 0.1, 0.3, 0.3), labels=[2, 7])
    del features["image__object__class__text"]
    write_text(tmp_path / "0.tfrecord", record(example(image__encoded=[jpeg()], **features)))
    write_text(tmp_path / "map.pbtxt", LABEL_MAP)
    dataset = load(tmp_path, into=tmp_path / "job")
    assert [one[0] for one in boxes(dataset)] == ['it\'s a "dog"', "label 7"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("prefix", [0, 300])
def test_a_picture_inside_of_a_second_record(tmp_path, kind, prefix):
    """VoTT issue 1012: a .tfrecord was opened as if it were a picture."""
    inner = record(example(image__encoded=[jpeg(2, kind)], image__more=[b"x" * prefix]))
    write_text(tmp_path / "0.tfrecord", record(encoded(inner, "1.jpg", PARTS)))
    dataset = load(tmp_path, into=tmp_path / "job")
    assert told(dataset) == {"vott_records": "note", "record_nested": "warning"}
    (sample,) = dataset.samples
    found = decode(dataset.file(sample), sample.path).image
    assert found.tobytes() == decode_bytes(jpeg(2, kind), tmp_path).tobytes()
    assert sample.path.endswith({"JPEG": ".jpg", "PNG": ".png"}[kind])


def decode_bytes(data: bytes, folder: Path):
    return decode(write_text(folder / "alone.bin", data), "alone").image


@pytest.mark.parametrize(
    ("said", "stored"),
    [("../../evil.jpg", "evil.jpg"), ("C:\\pets\\a b.JPEG", "a b.jpg"), ("", "0.jpg"),
     ("/etc/passwd", "passwd.jpg"), (".hidden", "hidden.jpg"), ("a\nb\0c.jpg", "a_b_c.jpg"),
     ("\u732b.png", "\u732b.jpg"), ("x" * 300 + ".jpg", "x" * 40 + ".jpg"), ("..", "0.jpg")],
)  # fmt: skip
def test_names_in_records_are_made_safe(tmp_path, said, stored):
    write_text(tmp_path / "data" / "0.tfrecord", record(encoded(None, said, PARTS)))
    load(tmp_path / "data", into=tmp_path / "job")
    assert [path.name for path in (tmp_path / "job" / "pictures").iterdir()] == [stored]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "job"]


def test_records_without_a_place_for_pictures(tmp_path):
    write_text(tmp_path / "0.tfrecord", record(encoded(None, "1.jpg", PARTS)))
    dataset = load(tmp_path)
    assert dataset.file(dataset.samples[0]).is_file()
    assert not dataset.root.is_relative_to(tmp_path)


def test_loading_again_gives_the_same(tmp_path):
    write_text(tmp_path / "data" / "0.tfrecord", record(encoded(None, "1.jpg", PARTS)))
    first = load(tmp_path / "data", into=tmp_path / "job")
    assert load(tmp_path / "data", into=tmp_path / "job") == first


# Real exports


@pytest.fixture(scope="module")
def real(shared, tmp_path_factory):
    def unpack(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        with zipfile.ZipFile(shared / "data" / f"{name}.zip") as archive:
            archive.extractall(folder)
        return folder

    return unpack


@pytest.mark.parametrize(
    ("name", "pictures", "counts"),
    [
        ("det_voc_raccoon", 200, {"raccoon": 217}),
        ("det_vott_csv_catface", 101, {"Cat_Face": 124}),
        ("det_vott_tfrecords_cards", 15, {"card0": 7, "card1": 8}),
    ],
)
def test_real_exports(real, tmp_path, name, pictures, counts):
    dataset = check(load(real(name), into=tmp_path))
    assert (len(dataset.samples), dataset.counts()) == (pictures, counts)
    assert dataset.errors() == ()


def test_real_voc_as_globox_reads_it(real, tmp_path):
    """It takes the edges as they stand: left and top are larger by the one VOC counts from."""
    import globox

    folder = real("det_voc_raccoon")
    theirs = {
        one.image_id: sorted((b.label, b.xmin - 1, b.ymin - 1, b.xmax, b.ymax) for b in one.boxes)
        for one in globox.AnnotationSet.from_pascal_voc(folder / "annotations")
    }
    dataset = load(folder)
    ours = {Path(one.path).name: sorted(boxes(dataset, one)) for one in dataset.samples}
    assert len(ours) == 200
    assert ours == theirs


def test_real_records_as_tensorflow_reads_them(real, tmp_path):
    import tensorflow as tf

    dataset = load(real("det_vott_tfrecords_cards"), into=tmp_path)
    ours = {
        one.path: (dataset.file(one).read_bytes(), boxes(dataset, one)) for one in dataset.samples
    }
    files = sorted(map(str, real("det_vott_tfrecords_cards").rglob("*.tfrecord")))
    for raw in tf.data.TFRecordDataset(files).as_numpy_iterator():
        features = tf.train.Example.FromString(raw).features.feature
        name = features["image/filename"].bytes_list.value[0].decode()
        picture_bytes, found = ours.pop(name)
        assert picture_bytes == features["image/encoded"].bytes_list.value[0]
        texts = [text.decode() for text in features["image/object/class/text"].bytes_list.value]
        assert [one[0] for one in found] == texts
        for place, edge in enumerate(("xmin", "ymin", "xmax", "ymax"), start=1):
            parts = features[f"image/object/bbox/{edge}"].float_list.value
            assert [one[place] for one in found] == pytest.approx([224 * part for part in parts])
    assert ours == {}


def test_a_real_json_export_whose_pictures_were_replaced(real):
    """Its pictures are 5x5 placeholders: every box lies outside."""
    dataset = load(real("det_vott_json"))
    assert dataset.labels == ("animal", "dog", "person")
    assert told(dataset) == {
        "box_off_picture": "warning", "label_missing": "warning", "pictures_left_out": "warning"
    }  # fmt: skip
