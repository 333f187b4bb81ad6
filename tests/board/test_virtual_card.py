"""The virtual board's card and flash: faults, power-off at every write, what FAT holds then."""

import shutil
import struct
import subprocess
import textwrap

import pytest

from host.emulator import board as virtual
from host.emulator.board import fat

SAVE = """
import uos, time
uos.mkdir("/sd/d")
for n in range(4):
    with open("/sd/~new", "wb") as f:
        f.write(bytes([n]) * 1500)
    uos.rename("/sd/~new", "/sd/d/%d.bin" % n)
    print("saved", n)
"""
TRY = """
import uos, time, machine
def attempt(what, *args):
    try:
        return what(*args)
    except Exception as error:
        print(type(error).__name__, error.args[0])
def write(path, data):
    f = open(path, "wb")
    try:
        f.write(data)
    finally:
        f.close()
"""


def run(body: str, start: str = TRY, **setup) -> virtual.Result:
    return virtual.run((start + textwrap.dedent(body)).encode(), **setup)


def said(result: virtual.Result) -> list[str]:
    """What the script printed, without what the firmware says at its start."""
    return [line for line in result.stdout.splitlines() if not line.startswith("[Warning]")]


def whole(card: bytes) -> dict[str, bytes]:
    """The files that were moved to their place; all of them must be whole.

    FatFs renames by writing the new entry before it removes the old one: for one block write both
    may be there and share their clusters.
    """
    contents = virtual.read_card(card)
    assert all(p.endswith("and ~new share clusters") for p in contents.problems)
    found = {n: data for n, data in contents.files.items() if n.startswith("d/")}
    for name, data in found.items():
        assert data == bytes([int(name[2])]) * 1500
    return found


@pytest.mark.parametrize("size", [8 << 20, virtual.FAT32_BYTES])
def test_power_off_at_every_write_loses_only_the_file_in_flight(size):
    result = run(SAVE, "", card_bytes=size)
    cards = list(result.cards_after_each_write())
    assert len(cards) == result.writes + 1 > 30
    counts = [len(whole(card)) for _, card in cards]
    assert counts == sorted(counts) and set(counts) == {0, 1, 2, 3, 4}
    assert cards[-1][1] == result.card_image == result.card_after(result.writes)


@pytest.mark.parametrize("at", [1, 7, 20, 31])
def test_a_run_that_loses_its_power_ends_with_the_same_card(at):
    full, cut = run(SAVE, ""), run(SAVE, "", power_off_at_write=at)
    assert cut.ended == "power off" and cut.writes == at - 1
    assert cut.card_image == full.card_after(at - 1)


def test_nothing_of_the_script_runs_after_power_off():
    body = """
        try:
            write("/sd/a", b"x" * 4000)
        except:
            print("never")
        finally:
            print("never")
    """
    result = run(body, power_off_at_write=2)
    assert result.ended == "power off" and "never" not in result.stdout


def test_a_card_goes_on_in_the_next_run():
    first = run(SAVE, "", power_off_at_write=20)
    second = run("print(sorted(uos.listdir('/sd/d')))", card_image=first.card_image)
    assert str(sorted(name[2:] for name in whole(first.card_image))) in second.stdout
    assert second.writes == 0


def test_the_card_is_what_another_driver_reads_too():
    result = run(SAVE, "", card={"in/A long name.txt": b"abc", "empty/": b""})
    card = result.card
    assert card.files["in/A long name.txt"] == b"abc"
    assert {"in", "empty", "d"} == set(card.folders)
    assert card.problems == () and card.lost == 0
    again = run(
        """
        for name in sorted(uos.listdir("/sd/d")):
            print(name, len(open("/sd/d/" + name, "rb").read()))
        """,
        card_image=result.card_image,
    )
    assert "0.bin 1500\n1.bin 1500\n2.bin 1500\n3.bin 1500\n" in again.stdout


@pytest.mark.parametrize("size", [512 << 10, 20 << 20, virtual.FAT32_BYTES])
def test_fsck_finds_what_we_find(size, tmp_path):
    fsck = shutil.which("fsck.fat") or shutil.which("fsck.fat", path="/usr/sbin:/sbin")
    if fsck is None:
        pytest.skip("no fsck.fat (Debian: dosfstools) on this computer")
    result = run(SAVE, "", card_bytes=size)
    for number, card in list(result.cards_after_each_write())[::3]:
        first, count = fat.partition(card)
        path = tmp_path / "part.img"
        path.write_bytes(card[first * 512 : (first + count) * 512])
        found = subprocess.run([fsck, "-n", path], capture_output=True, text=True, check=False)
        ours = virtual.read_card(card)
        wrong = bool(ours.problems or ours.lost or ours.copies_differ)
        wrong |= "Free cluster summary wrong" in found.stdout  # a hint only; not read by us
        assert (found.returncode != 0) == wrong, (number, found.stdout)
        assert ("share clusters" in found.stdout) == any("share" in p for p in ours.problems)


def test_a_card_that_was_pulled_gives_errors_until_a_remount():
    body = """
        write("/sd/a", b"1")
        time.sleep_ms(500)
        print("out", "sd" in uos.listdir("/"))
        attempt(write, "/sd/b", b"2" * 3000)
        time.sleep_ms(1000)
        print("back")
        attempt(write, "/sd/b", b"2" * 3000)
        machine.SDCard.remount()
        attempt(write, "/sd/b", b"2" * 3000)
        time.sleep_ms(200)
        attempt(write, "/sd/b", b"2" * 3000)
        print("end", uos.getcwd())
    """
    result = run(body, card_out_ms=300, card_back_ms=1200, until_ms=5000)
    assert said(result) == ["out True", "OSError 5", "back", *["OSError 5"] * 2, "end /sd"]
    assert result.files == {"a": b"1", "b": b"2" * 3000}


def test_a_remount_tries_for_three_seconds():
    body = """
        machine.SDCard.remount()
        time.sleep_ms(4000)
        attempt(uos.listdir, "/sd")
        machine.SDCard.remount()
        time.sleep_ms(500)
        print(uos.listdir("/sd"))
    """
    result = run(body, card={"a": b""}, card_at_ms=4100, until_ms=9000)
    assert said(result) == ["OSError 19", "['a']"]


def test_a_card_that_comes_after_three_seconds_is_not_seen_by_itself():
    body = "time.sleep_ms(6000); print(uos.listdir('/'))"
    assert "['flash']" in run(body, card_at_ms=3500, until_ms=9000).stdout
    assert "['flash', 'sd']" in run(body, card_at_ms=2900, until_ms=9000).stdout


def test_a_card_without_a_partition_table_is_not_mounted():
    result = run("print(uos.listdir('/'))")
    superfloppy = result.card_image[fat.FIRST * 512 :]
    for image in (superfloppy, bytes(1 << 20), b"", b"\xeb" * 4096):
        again = run("print(uos.listdir('/'))", card_image=image)
        assert "can't mount SD card" in again.stdout and "['flash']" in again.stdout


def test_a_read_only_card():
    body = """
        print(open("/sd/a").read())
        attempt(write, "/sd/b", b"2" * 3000)
        attempt(uos.mkdir, "/sd/d")
        machine.SDCard.remount()
        time.sleep_ms(100)
        print(open("/sd/a").read())
    """
    result = run(body, card={"a": b"kept"}, card_read_only=True)
    assert said(result) == ["kept", "OSError 5", "OSError 5", "kept"]
    assert result.files == {"a": b"kept"} and result.writes == 0


def test_write_errors_pass():
    body = """
        for name in "abc":
            attempt(write, "/sd/" + name, b"2" * 3000)
    """
    result = run(body, write_error_at=3)
    assert said(result) == ["OSError 5"]
    assert {"b": b"2" * 3000, "c": b"2" * 3000}.items() <= result.files.items()
    assert said(run(body, write_error_at=3, write_errors=10_000)) == ["OSError 5"] * 3


def test_the_errno_table_of_the_card():
    body = """
        attempt(open, "/sd/none/x", "w")
        attempt(open, "/sd/none", "r")
        attempt(uos.mkdir, "/sd/IN")
        attempt(open, "/sd/a?b", "w")
        attempt(uos.remove, "/sd/in")
        attempt(uos.rmdir, "/sd/in")
    """
    result = run(body, card={"in/a": b""})
    assert [int(line.split()[1]) for line in said(result)] == [2, 2, 17, 22, 21, 13]


def test_a_full_card_gives_28_for_a_file_and_13_for_a_folder():
    body = """
        attempt(write, "/sd/b", b"2" * 60000)
        attempt(uos.mkdir, "/sd/d")
        print(uos.statvfs("/sd")[3])
    """
    result = run(body, card={"fill": bytes(70_000)}, card_bytes=128 << 10)
    assert said(result) == ["OSError 28", "OSError 13", "0"]
    assert result.files["fill"] == bytes(70_000)


def test_data_reach_the_card_when_a_file_is_closed():
    body = """
        f = open("/sd/a", "wb")
        f.write(b"x" * 700)
        uos.sync()
        print("here")
        time.sleep_ms(9000)
    """
    result = run(body, until_ms=500)
    assert virtual.read_card(result.card_image).files == {"a": b""}


# The flash


def test_the_flash_is_flat_and_has_the_holes_of_spiffs():
    body = """
        attempt(uos.mkdir, "/flash/d")
        attempt(uos.rmdir, "/flash/d")
        attempt(open, "/flash/new", "a")
        attempt(open, "/flash/none", "r")
        attempt(uos.remove, "/flash/none")
        f = open("/flash/old", "a"); f.write("b"); f.close()
        f = open("/flash/old", "x"); f.write("c"); f.close()
        print(open("/flash/old").read(), uos.stat("/flash/old")[6], uos.listdir("/flash"))
        uos.chdir("/flash"); print(uos.getcwd(), uos.statvfs("/flash")[0])
    """
    result = run(body, card=None, flash={"old": b"a"})
    assert said(result) == [
        "NotImplementedError SPIFFS not support", "OSError 5", "OSError 2", "OSError 2",
        "OSError 2", "c 1 ['old']", "/flash 131072",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("open('/flash/a/b', 'w')", "/flash is flat"),
        ("uos.flash_format()", "erases everything"),
        ("uos.chdir('/flash'); open('./x', 'w')", "interned string"),
    ],
)
def test_what_spiffs_gets_wrong_is_refused(body, why):
    with pytest.raises(virtual.BoardError, match=why):
        run(body)


def test_a_swallowed_refusal_still_ends_the_run_as_refused():
    with pytest.raises(virtual.BoardError, match="is flat"):
        run("try:\n    open('/flash/a/b', 'w')\nexcept:\n    pass\nprint('went on')")


# The host's reader of cards


@pytest.fixture(scope="module")
def tables():
    """A FAT32 card of four files with three clusters each, and where its two FATs begin."""
    image = run(SAVE, "", card_bytes=virtual.FAT32_BYTES).card_image
    first, _ = fat.partition(image)
    reserved = struct.unpack_from("<H", image, first * 512 + 14)[0]
    size = struct.unpack_from("<I", image, first * 512 + 36)[0]
    assert fat.read(image).problems == () and not fat.read(image).copies_differ
    return image, [(first + reserved + copy * size) * 512 for copy in range(2)]


def change(tables, cluster, link, copies=2) -> virtual.Contents:
    image = bytearray(tables[0])
    for start in tables[1][:copies]:
        struct.pack_into("<I", image, start + 4 * cluster, link)
    return fat.read(bytes(image))


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        (8, "d/0.bin and d/1.bin share clusters"),
        (4, "d/0.bin: the chain is a circle"),
        (99999, "d/0.bin: the chain leaves the card at 99999"),
        (0x0FFFFFFF, "d/0.bin has 1500 bytes in clusters of 512"),
    ],
)
def test_the_reader_names_what_is_broken(tables, link, problem):
    # 2 is the root, 3 the folder d, 4 to 6 the first file, 7 to 9 the second.
    assert problem in change(tables, 4, link).problems


def test_what_is_harmless_is_told_apart(tables):
    lost = change(tables, 900, 0x0FFFFFFF)
    assert (lost.problems, lost.lost, lost.copies_differ) == ((), 1, False)
    behind = change(tables, 900, 0x0FFFFFFF, copies=1)
    assert behind.problems == () and behind.copies_differ


def test_what_is_no_card_is_refused():
    for image in (b"", bytes(4096), fat.blank(8 << 20)):
        with pytest.raises(virtual.FatError):
            fat.read(image)
