"""README.txt of a collector card: what to do, and which key does what on that board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import __version__

if TYPE_CHECKING:
    from .collector import Collector

ENGLISH = """\
{name}
{rule}
A card that makes a K210 board with MaixPy v1 collect pictures for MaixForge {version}.
Board: {board}
Classes: {classes}

1. Card
   Copy all files to the root of an SD card (FAT32, MBR partition table, 32 GB or less), put the
   card into the board, press reset. The board shows what its camera sees.

2. Keys
{keys}

3. What is written
{written}
   Nothing that is on the card is ever overwritten or deleted by itself. Each picture is read back
   after saving. Switch off only when the board says that it is done, or between two pictures.

4. To the computer
{hand_over}
   Without a card reader:
       maixforge board pull /sd/maixforge/{name} pictures
   takes about {rate} minutes for 100 pictures.

5. Settings
   The lines at the top of boot.py. Classes: edit classes.txt, one class a line, ASCII only.

6. What the board may say
   No SD card        FAT32 and MBR, not exFAT and not GPT; some boards do not read every card
   Card is full      copy the pictures to the computer, then delete maixforge/ from the card
   No camera         switch off, push the cable in, switch on
"""

CHINESE = """\
{name}
{rule}
用于在 K210 开发板（MaixPy v1）上采集图片的 SD 卡，由 MaixForge {version} 生成。
开发板：{board_zh}
类别：{classes}

1. SD 卡
   把所有文件复制到 SD 卡根目录（FAT32，MBR 分区表，不超过 32 GB），
   插入开发板后按复位键。屏幕显示摄像头画面。

2. 按键
{keys_zh}

3. 写入的内容
{written_zh}
   程序不会自动覆盖或删除卡上已有的文件；每张图片保存后都会回读校验。
   请在屏幕提示完成后，或在两次拍摄之间断电。

4. 传到电脑
{hand_over_zh}
   没有读卡器时：
       maixforge board pull /sd/maixforge/{name} pictures
   每 100 张图片约需 {rate} 分钟。

5. 设置
   在 boot.py 开头。类别在 classes.txt 中，每行一个，只能用 ASCII 字符。

6. 开发板可能的提示
   No SD card        SD 卡须为 FAT32 + MBR，不能是 exFAT 或 GPT；个别卡不被识别
   Card is full      先把图片复制到电脑，再删除卡上的 maixforge/
   No camera         断电，插紧摄像头排线，再上电
"""

ONE_KEY, TWO_KEYS, THREE_KEYS = "one", "two", "three"
KEYS_OF = {
    "cube": THREE_KEYS, "amigo_tft": THREE_KEYS, "amigo_ips": THREE_KEYS, "m5stickv": TWO_KEYS,
}  # fmt: skip

CLASSIFY = {
    ONE_KEY: (
        "   BOOT, pressed shortly:     takes a picture of the class that the screen names",
        "   BOOT, held and let go:     the next class",
        "   BOOT, held for 2 seconds:  a menu: the class before, delete the last, finish",
    ),
    TWO_KEYS: (
        "   A, pressed shortly:  takes a picture of the class that the screen names",
        "   A, held:             a burst of pictures",
        "   B, pressed shortly:  the next class",
        "   B, held:             a menu: the class before, delete the last, finish",
    ),
    THREE_KEYS: (
        "   ENTER, pressed shortly:  takes a picture of the class that the screen names",
        "   ENTER, held:             a burst of pictures",
        "   NEXT, BACK:              the next class, the class before",
        "   NEXT or BACK, held:      a menu: delete the last, finish",
    ),
}
CLASSIFY_ZH = {
    ONE_KEY: (
        "   BOOT 短按：          拍一张屏幕所示类别的图片",
        "   BOOT 按住后松开：    下一个类别",
        "   BOOT 按住 2 秒：     菜单：上一个类别、删除上一张、结束",
    ),
    TWO_KEYS: (
        "   A 短按：  拍一张屏幕所示类别的图片",
        "   A 按住：  连拍",
        "   B 短按：  下一个类别",
        "   B 按住：  菜单：上一个类别、删除上一张、结束",
    ),
    THREE_KEYS: (
        "   ENTER 短按：      拍一张屏幕所示类别的图片",
        "   ENTER 按住：      连拍",
        "   NEXT、BACK：      下一个、上一个类别",
        "   NEXT 或 BACK 按住：菜单：删除上一张、结束",
    ),
}
DETECT = {
    ONE_KEY: (
        "   BOOT takes a picture; held, it opens the menu. Then the picture stands still and the",
        "   screen names what the key does now. BOOT, pressed shortly: the next thing (left, top,",
        "   right, bottom edge, class, save, another box, ...). BOOT, held: does it; an edge moves",
        "   as long as you hold, faster and faster, and the next hold moves it the other way.",
    ),
    TWO_KEYS: (
        "   A takes a picture, B opens the menu. Then the picture stands still and the screen",
        "   names what the keys do now. Pressed shortly, A goes to the next thing and B to the",
        "   one before (left, top, right, bottom edge, class, save, another box, ...). Held, they",
        "   do it: A moves an edge one way and B the other, faster and faster.",
    ),
    THREE_KEYS: (
        "   ENTER takes a picture, NEXT opens the menu. Then the picture stands still and the",
        "   screen names what the keys do now. ENTER, pressed shortly: the next thing (left, top,",
        "   right, bottom edge, class, save, another box, ...). NEXT and BACK, pressed or held,",
        "   move an edge. Touch screen: drag from corner to corner, drag corners to correct.",
    ),
}
DETECT_ZH = {
    ONE_KEY: (
        "   BOOT 短按拍照，长按打开菜单。拍照后画面静止，屏幕显示按键当前的作用。",
        "   短按：换到下一项（左、上、右、下边、类别、保存、再加一个框……）。",
        "   长按：执行；边框随按住的时间越移越快，再次长按则向相反方向移动。",
    ),
    TWO_KEYS: (
        "   A 拍照，B 打开菜单。拍照后画面静止，屏幕显示按键当前的作用。",
        "   短按 A 到下一项，短按 B 到上一项（左、上、右、下边、类别、保存、再加一个框……）。",
        "   长按则执行：A 和 B 向相反方向移动边框，越移越快。",
    ),
    THREE_KEYS: (
        "   ENTER 拍照，NEXT 打开菜单。拍照后画面静止，屏幕显示按键当前的作用。",
        "   短按 ENTER：下一项（左、上、右、下边、类别、保存、再加一个框……）。",
        "   NEXT 和 BACK 短按或长按移动边框。带触摸屏的固件：从一角拖到另一角画框，拖动角可修正。",
    ),
}
WRITTEN = {
    "classify": (
        "   maixforge/{name}/<class>/<n>.jpg for training, 224x224;",
        "   maixforge/{name}/valid/<class>/<n>.jpg for checking the model: every fifth picture.",
    ),
    "detect": (
        "   maixforge/{name}/images/<n>.jpg, the boxes in xml/<n>.xml (Pascal VOC),",
        "   the class names in labels.txt.",
    ),
}
WRITTEN_ZH = {
    "classify": (
        "   maixforge/{name}/<类别>/<n>.jpg 用于训练，224x224；",
        "   maixforge/{name}/valid/<类别>/<n>.jpg 用于验证：每五张一张。",
    ),
    "detect": (
        "   maixforge/{name}/images/<n>.jpg，标注框在 xml/<n>.xml（Pascal VOC），",
        "   类别名称在 labels.txt。",
    ),
}
FOLDER = (
    "   Put the card into the computer and hand the folder to MaixForge:",
    "       maixforge check CARD/maixforge/{name}",
    "       maixforge train CARD/maixforge/{name} -o model",
    "   or drop that folder on the start page.",
)
FOLDER_ZH = (
    "   把卡插入电脑，把文件夹交给 MaixForge：",
    "       maixforge check CARD/maixforge/{name}",
    "       maixforge train CARD/maixforge/{name} -o model",
    "   或者把该文件夹拖到起始页。",
)
HAND_OVER = {
    "classify": FOLDER,
    "detect": (
        *FOLDER,
        "   It is a Pascal VOC data set: labelImg and other trainers of detectors read it, too.",
    ),
}
HAND_OVER_ZH = {
    "classify": FOLDER_ZH,
    "detect": (
        *FOLDER_ZH,
        "   它是 Pascal VOC 数据集，labelImg 和其他检测训练程序也能读取。",
    ),
}


def readme(collector: Collector, board_name: str) -> bytes:
    """Return README.txt: UTF-8 with a byte order mark and CRLF, so that Notepad shows it."""
    kind = KEYS_OF.get(collector.board, ONE_KEY)
    keys, keys_zh = (CLASSIFY, CLASSIFY_ZH) if collector.task == "classify" else (DETECT, DETECT_ZH)
    written, written_zh, hand_over, hand_over_zh = (
        "\n".join(table[collector.task]).format(name=collector.name)
        for table in (WRITTEN, WRITTEN_ZH, HAND_OVER, HAND_OVER_ZH)
    )
    values = {
        "name": collector.name,
        "rule": "=" * 72,
        "version": __version__,
        "board": board_name,
        "board_zh": board_name if collector.board else "由程序识别",
        "classes": ", ".join(collector.classes),
        "keys": _keys(keys, kind, collector.board, "On an M5StickV:", "On a Cube or Amigo:"),
        "keys_zh": _keys(keys_zh, kind, collector.board, "M5StickV：", "Cube、Amigo："),
        "written": written,
        "written_zh": written_zh,
        "hand_over": hand_over,
        "hand_over_zh": hand_over_zh,
        "rate": 3,
    }
    parts = [text.format(**values) for text in (ENGLISH, CHINESE)]
    return "\n\n".join(parts).replace("\n", "\r\n").encode("utf-8-sig")


def _keys(table: dict[str, tuple[str, ...]], kind: str, board: str, two: str, three: str) -> str:
    """Return the keys of one board; of all kinds when the card is for any board."""
    if board:
        return "\n".join(table[kind])
    rows = [*table[ONE_KEY], f"   {two}", *table[TWO_KEYS], f"   {three}", *table[THREE_KEYS]]
    return "\n".join(rows)
