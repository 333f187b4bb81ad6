# MaixPy's touchscreen module with the NS2009 of the k210 builds (py_touchscreen.c, ns2009.c).
from machinery import machine, now_ms, only

STATUS_IDLE, STATUS_RELEASE, STATUS_PRESS, STATUS_MOVE = 0, 1, 2, 3
NS2009, FT62XX = 0, 1
_state = {"on": False, "event": (STATUS_IDLE, 0, 0), "at": None, "next": 0, "finger": None}


def init(i2c=None, type=None, cal=None, **keywords):
    only(keywords, (), "touchscreen.init")
    if cal is not None and len(cal) != 7:
        raise ValueError("tuple size must be 7")
    if machine.config["touches"] is None:
        raise OSError(5)  # nothing answers on the I2C bus
    _state["on"] = True


def read():
    if not _state["on"]:
        raise OSError(5)
    touches = machine.config["touches"]
    while _state["next"] < len(touches) and touches[_state["next"]][0] <= now_ms():
        _, x, y = touches[_state["next"]]
        _state["finger"] = None if x is None else (x, y)
        _state["next"] += 1
    finger, at = _state["finger"], _state["at"]
    if finger and at is None:
        _state["event"] = (STATUS_PRESS, finger[0], finger[1])
    elif finger and finger != at:
        _state["event"] = (STATUS_MOVE, finger[0], finger[1])
    elif finger is None and at:
        _state["event"] = (STATUS_RELEASE, at[0], at[1])
    _state["at"] = finger
    return _state["event"]  # the last event stays, also while nothing happens
