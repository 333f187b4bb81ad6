"""The sample pictures come from the script that lies beside them."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from samples.render import CLASSES, NAME, picture, render

PER_CLASS = 60


def pixels(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        assert image.format == "JPEG"
        return np.asarray(image.convert("RGB"), np.int16)


def test_the_dump_has_three_classes_of_sixty_pictures(root):
    dump = root / "samples" / "sample_dump" / "maixforge" / NAME
    assert sorted(folder.name for folder in dump.iterdir()) == sorted(CLASSES)
    for label in CLASSES:
        numbers = sorted(int(path.stem) for path in (dump / label).glob("*.jpg"))
        assert numbers == list(range(1, PER_CLASS + 1))


@pytest.mark.parametrize(("label", "number"), [("nut", 1), ("screw", 13), ("washer", 60)])
def test_the_script_renders_what_is_committed(root, label, number):
    path = root / "samples" / "sample_dump" / "maixforge" / NAME / label / f"{number}.jpg"
    committed, rendered = pixels(path.read_bytes()), pixels(picture(label, number, seed=1))
    assert committed.shape == (224, 224, 3)
    # Bytes are equal on one platform; sin() and exp() differ in the last bit between others.
    assert np.abs(committed - rendered).mean() < 1.0


def test_a_seed_decides_every_byte_and_another_seed_gives_another_picture(tmp_path):
    first = render(tmp_path / "a", seed=5, per_class=1, classes=["nut", "washer"])
    again = render(tmp_path / "b", seed=5, per_class=2, classes=["washer", "nut"], name="other")
    assert again == tmp_path / "b" / "maixforge" / "other"
    for label in ("nut", "washer"):
        assert (first / label / "1.jpg").read_bytes() == (again / label / "1.jpg").read_bytes()
        assert (again / label / "2.jpg").is_file()
    assert not (first / "screw").exists()
    assert (first / "nut" / "1.jpg").read_bytes() != picture("nut", 1, seed=6)


def test_every_committed_picture_shows_something(root):
    dump = root / "samples" / "sample_dump"
    for path in sorted(dump.rglob("*.jpg")):
        values = pixels(path.read_bytes())
        assert values.std() > 3, path
        assert path.stat().st_size < 40_000
