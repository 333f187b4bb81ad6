# The frozen module of the same name: keys from config.json, or built in.
from machinery import machine


class board_info:
    pass


if machine.config["panel"]["kind"] == "m5stickv":
    board_info.BUTTON_A, board_info.BUTTON_B = 36, 37
else:
    _known = machine.config["board_config"].get("board_info")
    if _known is None:
        print("[Warning] Not loaded from /flash/config.json to board_info.")
        # The Amigo's builds know no key at all without the file.
        _known = {} if machine.config["build"].startswith("amigo") else {"BOOT_KEY": 16}
    for _name in _known:
        setattr(board_info, _name, _known[_name])
