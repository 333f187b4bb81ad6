import json

import pytest
from lookalikes import LABELS, info_of, make_kmodel

from host.deploy import package
from host.errors import UserError


def test_the_manifest_says_what_the_package_is(make):
    pack = make(name=" Pets ", options=package.BoardOptions(rotation=2, mirror=True))
    values = json.loads((pack.folder / "manifest.json").read_text("utf-8"))
    assert values == {
        "format": 1,
        "name": "Pets",
        "task": "classify",
        "labels": ["cat", "dog", "bird"],
        "input_size": [224, 224],
        "kmodel_sha256": pack.kmodel_sha256,
        "kmodel_bytes": 300_000,
        "main_memory_bytes": 150_000,
        "firmware": "minimum_with_ide_support",
        "options": {
            "board": "", "rotation": 2, "mirror": True, "flip": False,
            "threshold": 0.5, "nms": 0.3, "serial_json": True,
        },
        "anchors": [],
        "created": "",
        "created_by": "maixforge 0.1.0",
    }  # fmt: skip
    assert package.load(pack.folder) == pack
    assert sorted(path.name for path in pack.folder.iterdir()) == ["m.kmodel", "manifest.json"]


def test_equal_input_gives_equal_bytes(make):
    first, second = make("a"), make("b")
    for name in ("manifest.json", "m.kmodel"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    assert make("c", created="2026-01-02").manifest() != first.manifest()


def test_the_manifest_is_written_before_the_model(make, monkeypatch, tmp_path):
    real, written = package.atomic_write, []

    def fail_at_the_model(path, data):
        if path.name == "m.kmodel":
            raise OSError(28, "No space left on device")
        written.append(path.name)
        real(path, data)

    monkeypatch.setattr(package, "atomic_write", fail_at_the_model)
    with pytest.raises(OSError, match="No space"):
        make()
    assert written == ["manifest.json"]
    with pytest.raises(UserError) as caught:
        package.load(tmp_path / "package")
    assert caught.value.code == "package_unfinished"


def test_a_changed_model_is_noticed(make):
    pack = make()
    data = bytearray(pack.kmodel.read_bytes())
    data[1000] ^= 1
    pack.kmodel.write_bytes(data)
    with pytest.raises(UserError) as caught:
        package.load(pack.folder)
    assert caught.value.code == "package_unfinished"


@pytest.mark.parametrize(
    "change",
    [
        "not json", "[]", "{}", '{"format": 2}',
        lambda v: v.pop("labels"), lambda v: v.update(extra=1),
        lambda v: v["options"].update(rotation=7), lambda v: v.update(input_size=[1]),
        lambda v: v.update(anchors=[[1, "x"]] * 5), lambda v: v.update(anchors=5),
        lambda v: v.update(labels=[1, 2]), lambda v: v.pop("kmodel_sha256"),
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_named(make, change):
    path = make().folder / "manifest.json"
    if callable(change):
        values = json.loads(path.read_text())
        change(values)
        change = json.dumps(values)
    path.write_text(change)
    with pytest.raises(UserError) as caught:
        package.load(path.parent)
    assert caught.value.code in {
        "package_damaged", "package_label_unusable", "board_option_unusable",
    }  # fmt: skip
    assert str(caught.value)


def test_no_package(tmp_path):
    with pytest.raises(UserError) as caught:
        package.load(tmp_path / "nothing")
    assert caught.value.code == "package_missing"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"labels": ("cat", "d\ng", "x")}, "package_label_unusable"),
        ({"labels": ("cat", "", "x")}, "package_label_unusable"),
        ({"labels": ("cat", " x", "y")}, "package_label_unusable"),
        ({"labels": ("\u732b", "x", "y")}, "package_label_unusable"),
        ({"labels": ("a" * 65, "x", "y")}, "package_label_unusable"),
        ({"name": "  "}, "package_name_unusable"),
        ({"name": "a\nb"}, "package_name_unusable"),
        ({"name": "a" * 81}, "package_name_unusable"),
        ({"firmware": "windows"}, "firmware_unknown"),
        ({"options": package.BoardOptions(rotation=4)}, "board_option_unusable"),
        ({"options": package.BoardOptions(rotation=True)}, "board_option_unusable"),
        ({"options": package.BoardOptions(threshold=float("nan"))}, "board_option_unusable"),
        ({"options": package.BoardOptions(board="pc")}, "board_option_unusable"),
        ({"size": 6_500_000, "firmware": "minimum"}, "kmodel_too_large"),
        ({"size": 3_000_000}, "model_too_large_firmware"),
        ({"info": info_of(make_kmodel(), 4)}, "labels_do_not_fit"),
        ({"info": info_of(make_kmodel(), 3, (640, 480))}, "input_too_large"),
    ],
)
def test_what_cannot_run_on_a_board_is_refused(make, tmp_path, values, code):
    with pytest.raises(UserError) as caught:
        make(**values)
    assert caught.value.code == code
    assert str(caught.value).count("{") == 0
    assert not (tmp_path / "package").exists()


def test_quotes_in_labels_are_data(make):
    labels = ('it\'s "one"', "back\\slash", "{x}")
    assert package.load(make(labels=labels).folder).labels == labels


def test_other_options_for_the_same_model(make):
    pack = make()
    changed = package.with_options(pack, package.BoardOptions(threshold=0.8))
    assert package.load(pack.folder) == changed != pack
    with pytest.raises(UserError):
        package.with_options(pack, package.BoardOptions(threshold=1.5))
    assert package.load(pack.folder) == changed


def test_a_real_kmodel_is_read_by_its_header(shared, tmp_path):
    data = (shared / "data/kmodels/mask.kmodel").read_bytes()
    with pytest.raises(UserError) as caught:
        package.create(tmp_path / "p", data, name="mask", labels=LABELS)
    assert caught.value.code == "labels_do_not_fit"  # it is a detector
    with pytest.raises(UserError):
        package.create(tmp_path / "p", data[:5000], name="mask", labels=LABELS)
