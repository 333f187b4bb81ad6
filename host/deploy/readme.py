"""README.txt of an SD zip: what to do with the files, in English and in Chinese."""

from __future__ import annotations

from . import firmware as builds
from .package import Package

ENGLISH = """\
{name}
{rule}
{what} for K210 boards with MaixPy v1, made by {created_by}.
Classes: {labels}

1. Firmware
   The board needs MaixPy v1. This package was made for: {firmware}
   ({file} or a newer one of the same name).
   The model takes {needed} bytes of memory there, {budget} may be counted on ({basis}).

2. Card
   Copy all files of this zip to the root of an SD card (FAT32, MBR partition table, 32 GB or
   less), put the card into the board, press reset. {shows}

3. Model in the flash instead (kfpkg)
   The .kfpkg writes the model to flash address 0x300000 (and the firmware to 0, when one is in
   it). Flash it with kflash or kflash_gui. boot.py and labels.txt do not come with it: they stay
   on the card. boot.py takes the model from the flash when the card has no {model}.
   Without a card: copy boot.py and labels.txt to /flash over the serial port (e.g. MaixPy IDE).

4. Settings
   The lines at the top of boot.py: {settings}
   When the picture is upside-down or mirrored the model sees it so, too: set it right first.

5. What the board may say
{loading}\
   load error:2006   not enough memory: flash "minimum_with_ide_support" or train a smaller model
   check img format  boot.py and {model} are of different packages: copy all files again
{more}   No SD card        FAT32 and MBR, not exFAT and not GPT; some boards do not read every card
   No camera         switch off, push the cable in, switch on
{sealed}
Files: boot.py (the program), {model} (the model, {bytes} bytes), labels.txt (one label a line),
start.jpg (start picture), manifest.json (facts about the model).
SHA-256 of {model}: {sha256}
"""

CHINESE = """\
{name}
{rule}
{what}，由 {created_by} 生成。
类别：{labels}

1. 固件
   开发板需要 MaixPy v1 固件。本包适用于：{firmware}
   （{file}，或同名的更新版本）。
   模型在板上占用 {needed} 字节内存，该固件可用 {budget} 字节（{basis}）。

2. SD 卡
   把压缩包里的所有文件复制到 SD 卡根目录（FAT32，MBR 分区表，不超过 32 GB），
   插入开发板后按复位键。{shows}

3. 把模型放进 Flash（kfpkg）
   .kfpkg 把模型写到 Flash 地址 0x300000（如果包含固件，则固件写到 0）。
   用 kflash 或 kflash_gui 烧录。boot.py 和 labels.txt 不在其中，仍放在 SD 卡上；
   卡上没有 {model} 时，boot.py 从 Flash 读取模型。
   不用 SD 卡时：通过串口（例如 MaixPy IDE）把 boot.py 和 labels.txt 复制到 /flash。

4. 设置
   在 boot.py 开头：{settings}
   画面颠倒或镜像时，模型看到的也一样，请先调正。

5. 开发板可能的提示
{loading}\
   load error:2006   内存不足：烧录 minimum_with_ide_support 固件，或训练更小的模型
   check img format  boot.py 与 {model} 不属于同一个包：重新复制所有文件
{more}   No SD card        SD 卡须为 FAT32 + MBR，不能是 exFAT 或 GPT；个别卡不被识别
   No camera         断电，插紧摄像头排线，再上电
{sealed}
文件：boot.py（程序），{model}（模型，{bytes} 字节），labels.txt（每行一个标签），
start.jpg（启动画面），manifest.json（模型信息）。
{model} 的 SHA-256：{sha256}
"""

TASKS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "classify": (
        {
            "what": "A picture classifier",
            "shows": "The board shows the label, the score, the\n"
            "   milliseconds of the model and the pictures per second.",
            "settings": "threshold, rotation of the screen, mirror of the camera.",
            "more": "",
        },
        {
            "what": "用于 K210 开发板（MaixPy v1）的图像分类模型",
            "shows": "屏幕显示标签、得分、模型耗时（毫秒）和帧率。",
            "settings": "阈值 threshold、屏幕旋转 rotation、摄像头镜像 mirror。",
            "more": "",
        },
    ),
    "detect": (
        {
            "what": "An object detector (YOLOv2)",
            "shows": "The board draws a box with label and\n"
            "   score around what it knows, and shows the milliseconds of the model and the\n"
            "   pictures per second. The serial port has a line of JSON a picture with its boxes.",
            "settings": "threshold (a box with a lower score is not shown), nms (of\n"
            "   two boxes of a class that overlap by more, the better one stays), rotation of the\n"
            "   screen, mirror of the camera. The anchors are the model's: do not change them.\n"
            "   This package: threshold {threshold:g}, nms {nms:g}; those of a training are the\n"
            "   best of its report. A higher threshold shows fewer wrong boxes and misses more.",
            "more": "   Too many objects  the firmware has room for ten boxes: raise threshold\n",
        },
        {
            "what": "用于 K210 开发板（MaixPy v1）的目标检测模型（YOLOv2）",
            "shows": "屏幕在识别到的目标周围画框，并显示标签和\n"
            "   得分，以及模型耗时（毫秒）和帧率。串口为每帧输出一行 JSON，包含所有框。",
            "settings": "阈值 threshold（得分更低的框不显示）、nms（同一类别的两个框\n"
            "   重叠超过该值时只保留得分高的）、屏幕旋转 rotation、摄像头镜像 mirror。\n"
            "   锚框 anchors 属于模型，请勿改动。本包：threshold {threshold:g}，nms {nms:g}；\n"
            "   由训练任务生成时取自其评估报告。阈值越高，误检越少，漏检越多。",
            "more": "   Too many objects  固件最多容纳十个框：调高 threshold\n",
        },
    ),
}
"""What the text says of each task, in both languages."""

LOADING = (
    """\
   load error:2002   no kmodel V3 there: copy m.kmodel again, or flash the kfpkg again
   load error:2003   the model is damaged: copy it again
   load error:2005   the file cannot be read: copy it again, check the card
""",
    """\
   load error:2002   没有找到 kmodel V3：重新复制 m.kmodel，或重新烧录 kfpkg
   load error:2003   模型文件损坏：重新复制
   load error:2005   文件无法读取：重新复制，并检查 SD 卡
""",
)
SEALED_LOADING = (
    """\
   Model is for another board   it was sealed with another board's key: use that board
   Model damaged     m.kmx is not as it was written: copy it again, or flash the kfpkg again
   Card is gone      it was pulled out while the model was loaded: press reset
""",
    """\
   Model is for another board   模型是用另一块开发板的密钥封装的：请使用那块开发板
   Model damaged     m.kmx 与写入时不同：重新复制，或重新烧录 kfpkg
   Card is gone      加载模型时卡被拔出：请按复位键
""",
)
"""What the board says when a model cannot be loaded."""

SEALED = {
    "bound": (
        """
6. Sealed for one board
   The model in m.kmx is encrypted. Only the board whose id begins with {board} opens it: its key
   follows from the number of its chip. A copy of this card or of the kfpkg is of no use on another
   board. Who can type commands on that board, or knows its machine code, can open the model: the
   number of the chip is no secret there. labels.txt, boot.py and start.jpg are not encrypted.
""",
        """
6. 仅限一块开发板
   m.kmx 中的模型已加密，只有编号以 {board} 开头的开发板能打开：密钥由其芯片编号得出。
   把本卡或 kfpkg 复制到其他开发板上无法使用。能在该开发板上输入命令的人，或知道其机器码的人，
   可以打开模型：芯片编号在那里不是秘密。labels.txt、boot.py 和 start.jpg 未加密。
""",
    ),
    "burnt": (
        """
6. Sealed for one board
   The model in m.kmx is encrypted. Only the board whose id begins with {board} opens it: its key
   is burnt into its chip and cannot be read from there. A copy of this card or of the kfpkg is of
   no use on another board. Who can run programs on that very board can have it decrypt the model.
   labels.txt, boot.py and start.jpg are not encrypted.
""",
        """
6. 仅限一块开发板
   m.kmx 中的模型已加密，只有编号以 {board} 开头的开发板能打开：密钥烧写在其芯片中，无法读出。
   把本卡或 kfpkg 复制到其他开发板上无法使用。能在该开发板上运行程序的人，可以让它解密模型。
   labels.txt、boot.py 和 start.jpg 未加密。
""",
    ),
}
"""A section of its own in sealed packages, by strength."""

BASIS = {
    "measured": ("measured on a board", "板上实测"),
    "published": ("published by Sipeed", "Sipeed 公布"),
    "estimate": ("our estimate", "我们的估计"),
}


def readme(package: Package) -> bytes:
    """Return README.txt: UTF-8 with a byte order mark and CRLF, so that Notepad shows it."""
    build = builds.get(package.firmware)
    needed = builds.needed_bytes(package.kmodel_bytes, package.main_memory_bytes)
    parts = [
        text.format(
            **_of_task(package, language),
            name=package.name,
            rule="=" * 72,
            created_by=package.created_by,
            labels=", ".join(package.labels),
            firmware=build.name,
            file=build.file,
            needed=f"{needed:,}",
            budget=f"{build.model_bytes:,}",
            basis=BASIS[build.basis][language],
            model=package.board_file.name,
            **_of_file(package, language),
        )
        for language, text in enumerate((ENGLISH, CHINESE))
    ]
    return "\n\n".join(parts).replace("\n", "\r\n").encode("utf-8-sig")


def _of_file(package: Package, language: int) -> dict[str, str]:
    seal = package.seal
    if not seal:
        size, sha256 = package.kmodel_bytes, package.kmodel_sha256
        return {"bytes": f"{size:,}", "sha256": sha256, "loading": LOADING[language], "sealed": ""}
    return {
        "bytes": f"{seal.bytes:,}",
        "sha256": seal.sha256,
        "loading": SEALED_LOADING[language],
        "sealed": SEALED[seal.strength][language].format(board=seal.board),
    }


def _of_task(package: Package, language: int) -> dict[str, str]:
    options = package.options
    values = {"threshold": options.threshold, "nms": options.nms}
    return {key: text.format(**values) for key, text in TASKS[package.task][language].items()}
