# MaixPy's sensor module; pictures come from the host.
import image
from machinery import ask, machine, measure_heap, now_ms, only, refuse, tick, whole

RGB565, YUV422, GRAYSCALE = 2, 3, 4
QQVGA, QVGA, VGA, B240X240 = 6, 10, 11, 19
_SIZES = {QQVGA: (160, 120), QVGA: (320, 240), VGA: (640, 480), B240X240: (240, 240)}
_IDS = {"ov2640": 0x2642, "ov7740": 0x7742, "gc0328": 0x9D, "gc2145": 0x45, "mt9d111": 0x1519}
_MAKERS = {1: "ov", 2: "gc", 3: "mt"}
_state = {"found": False}
_buffer = [None]  # ONE frame buffer: an older picture changes at the next snapshot


def reset(**keywords):
    only(keywords, ("freq", "set_regs", "dual_buff", "choice"), "sensor.reset")
    if keywords.get("dual_buff"):
        refuse("dual_buff doubles the frame buffers: not on this virtual board")
    tick(100)
    _state.clear()
    _state["found"] = False
    if machine.config["camera_error"] and not _came_back():
        print("[MAIXPY]: no sensor")
        raise OSError(machine.config["camera_error"])
    choice = keywords.get("choice", 0)
    for camera in machine.config["cameras"] if not _dead() else ():
        if choice == 0 or camera.startswith(_MAKERS[choice]):
            break
    else:
        print("[MAIXPY]: no sensor")
        raise OSError("Reset Failed")
    print("[MAIXPY]: find %s" % camera)
    _state.update(found=True, size=None, format=None, window=None, mirror=0, flip=0)
    _state.update(camera=camera, since=now_ms())


def _came_back():
    back = machine.config["camera_back_ms"]
    return back is not None and now_ms() >= back


def _dead():
    dies = machine.config["camera_dies_ms"]
    return dies is not None and now_ms() >= dies and not _came_back()


def _need_sensor():
    if not _state["found"]:
        raise TypeError("not found sensor")


def set_pixformat(value, set_regs=True):
    _need_sensor()
    if value not in (RGB565, YUV422, GRAYSCALE):
        raise OSError("Pixel format is not supported!")
    if value != RGB565:
        refuse("the virtual camera gives RGB565 only")
    _state["format"] = value
    return True


def set_framesize(value, set_regs=True):
    _need_sensor()
    if value not in _SIZES:
        refuse("the virtual camera does not know framesize %r" % value)
    if value == VGA or machine.config["frame_memory"] < _SIZES[value][0] * _SIZES[value][1] * 5:
        raise OSError(12)
    _state["size"] = _SIZES[value]
    _state["window"] = None


def set_windowing(roi):
    full_w, full_h = _state["size"]
    if len(roi) == 4:
        x, y, w, h = [whole(v, "window") for v in roi]
    elif len(roi) == 2:
        w, h = [whole(v, "window") for v in roi]
        x, y = full_w // 2 - w // 2, full_h // 2 - h // 2
    else:
        raise ValueError("The tuple/list must either be (x, y, w, h) or (w, h)")
    if w < 8 or h < 8:
        raise ValueError("The selected window is too small")
    if x < 0 or x + w > full_w or y < 0 or y + h > full_h:
        raise ValueError("The selected window is outside the bounds of the frame")
    if w % 8 or h % 8:
        raise ValueError("value must be multiple of 8")
    _state["window"] = (x, y, w, h)
    return True


def set_hmirror(on):
    _need_sensor()
    _state["mirror"] = int(on)


def set_vflip(on):
    _need_sensor()
    _state["flip"] = int(on)


def run(on):
    _need_sensor()


def skip_frames(n=None, time=300):
    tick(time)


def get_id():
    _need_sensor()
    return _IDS[_state["camera"]]


def width():
    return _state["size"][0]


def height():
    return _state["size"][1]


def prepare():
    _buffer[0] = bytearray(320 * 240 * 2)


def snapshot(update_jb=True):
    _need_sensor()
    if not _state["size"] or not _state["format"]:
        raise RuntimeError("Not init!")
    dies = machine.config["camera_dies_ms"]
    # A camera that lost its power has forgotten its settings: no picture before a new reset().
    if _dead() or (dies is not None and _state["since"] < dies <= now_ms()):
        tick(300)
        raise RuntimeError("Sensor timeout!")
    tick(machine.config["frame_ms"])
    x, y, w, h = _state["window"] or ((0, 0) + _state["size"])
    facts = {"window": [x, y, w, h], "size": _state["size"]}
    facts.update(mirror=_state["mirror"], flip=_state["flip"], ms=now_ms())
    _, view = ask("snapshot", facts, b"", _buffer[0])
    measure_heap()
    picture = image.Image(_store=(w, h, view))
    picture.pix_ai = "camera"
    return picture
