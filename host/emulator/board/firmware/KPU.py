# MaixPy's KPU module. The numbers come from the host: given by the test, or a simulated K210.
import struct

from machinery import ask, exists, machine, measure_heap, refuse, tick

_TEXTS = {
    2001: "ERR_PARAM: please check param, load address or kmodel file name",
    2002: "ERR_KMODEL_VERSION: only support kmodel V3",
    2003: "ERR_KMODEL_FORMAT: layer_header.body_size <=0",
    2004: "ERR_DECRYPT: check smodel match with your board",
    2005: "ERR_READ_FILE: read file failed",
    2006: "ERR_NO_MEM: memory not enough",
    2007: "ERR_GET_CONV_LAYER: first layer should be conv layer",
    2008: "ERR_RUN_MODEL: maybe model dirty",
    2009: "ERR_MODELS_FULL: we only support load 5 models in the same time",
}
_TEXTS[2010], _TEXTS[2014] = "ERR_PERMITION", "ERR_NOT_IMPLEMENT"
_open = []


class _Net:
    def __init__(self, number, shape):
        self.number, self.shape, self.yolo = number, shape, None


class _Fmap:
    # What forward() returns: no len(), no iteration; [:] is a tuple. Its data are the model's.
    def __init__(self, net, code, data):
        self._net, self._code, self._data = net, code, data
        self._size = 4 if code == "f" else 1

    def size(self):
        return len(self._data)  # bytes; w(), h() and typecode() are broken

    def __getitem__(self, index):
        if self._net not in _open:
            refuse("an output of a freed model was read")
        count = len(self._data) // self._size
        if isinstance(index, slice):
            values = struct.unpack("<%d%s" % (count, self._code), self._data)[index]
            measure_heap()
            return values
        if not -count <= index < count:
            raise IndexError("kpu_fmap index out of range")
        at = index % count * self._size
        return struct.unpack("<" + self._code, self._data[at : at + self._size])[0]


class _Found:
    def __init__(self, box, index, count):
        self._box, self._index, self._count = box, index, count

    def x(self):
        return self._box["rect"][0]

    def y(self):
        return self._box["rect"][1]

    def w(self):
        return self._box["rect"][2]

    def h(self):
        return self._box["rect"][3]

    def rect(self):
        return tuple(self._box["rect"])

    def classid(self):
        return self._box["id"]

    def value(self):
        return self._box["value"]

    def index(self):
        return self._index

    def objnum(self):
        return self._count


def _fail(code):
    raise ValueError("[MAIXPY]kpu: load error:%d, %s" % (code, _TEXTS.get(code, "ERR_UNKNOWN")))


def load(source):
    if isinstance(source, bool) or not isinstance(source, (int, str)):
        raise TypeError("[MAIXPY]kpu: only accept int or string")
    if isinstance(source, int):
        if source <= 0:
            raise ValueError("[MAIXPY]kpu: model_addr must > 0 ")
    else:
        if not (".kmodel" in source or ".smodel" in source or ".emodel" in source):
            raise ValueError("[MAIXPY]kpu: model format don't match, only supply .kmodel ")
        if not source.startswith("/"):
            refuse("a relative path: %r" % source)
        if not exists(source):
            _fail(2005)
    if len(_open) == 5:
        _fail(2009)
    tick(machine.config["load_ms"])
    if machine.config["load_error"]:
        _fail(machine.config["load_error"])
    if isinstance(source, str):
        _send(source)
    answer = ask("load", {"source": source})[0]
    if answer.get("damaged"):
        refuse(answer["damaged"])
    if answer["error"]:
        _fail(answer["error"])
    net = _Net(answer["model"], answer["input"])
    _open.append(net)
    return net


def _send(path):
    # The firmware reads a model into memory of its own: only pieces pass through the heap here.
    ask("model_start", {})
    at = machine.us
    try:
        with open(path, "rb") as file:
            while True:
                piece = file.read(4096)
                if not piece:
                    break
                ask("model_piece", {}, piece)
    except OSError:
        _fail(2005)
    machine.us = at  # load_ms is all of it


def _checked(net, img):
    if not isinstance(net, _Net):
        raise TypeError("[MAIXPY]kpu: kpu_net type error")
    if net not in _open:
        refuse("KPU.forward with a freed model crashes the board")
    if img.pix_ai is None:
        print("[MAIXPY]kpu: pix_ai is NULL!")
        raise ValueError("[MAIXPY]kpu: check img format err!\r\n")
    if img.pix_ai == "wild":
        refuse("KPU.forward on a copy() reads through a wild pointer")
    channels, height, width = net.shape
    if (img.w, img.h) != (width, height):
        print("[MAIXPY]kpu: img w=%d,h=%d, but model w=%d,h=%d" % (img.w, img.h, width, height))
        raise ValueError("[MAIXPY]kpu: check img format err!\r\n")
    if channels != 3:
        raise ValueError("[MAIXPY]kpu: check img format err!\r\n")
    tick(machine.config["forward_ms"])
    camera = img.pix_ai == "camera"
    return {"camera": camera, "size": [img.w, img.h], "model": net.number}, (
        b"" if camera else img.data
    )


def forward(net, img, out_index=0, dma=-1):
    facts, data = _checked(net, img)
    facts["output"] = out_index
    answer, values = ask("forward", facts, data)
    if answer.get("refused"):
        refuse(answer["refused"])
    return _Fmap(net, answer["type"], values)


def init_yolo2(*args, **keywords):
    if len(args) < 5:
        raise TypeError("function missing %d required positional arguments" % (5 - len(args)))
    net, threshold, nms, number, anchors = args[:5]
    if not isinstance(net, _Net):
        raise TypeError("[MAIXPY]kpu: kpu_net type error")
    if net not in _open:
        refuse("KPU.init_yolo2 with a freed model")
    for name in keywords:
        if name != "dma":
            raise TypeError("extra keyword arguments given")
    if not 0.0 <= float(threshold) <= 1.0:
        raise ValueError("[MAIXPY]kpu: threshold only support 0 to 1")
    if not 0.0 <= float(nms) <= 1.0:
        raise ValueError("[MAIXPY]kpu: nms_value only support 0 to 1")
    if number <= 0:
        raise ValueError("[MAIXPY]kpu: anchor_number should > 0")
    if len(anchors) != 2 * number:
        wanted = (2 * number, len(anchors))
        raise ValueError("requested length %d but object has length %d" % wanted)
    if number != 5:
        refuse("init_yolo2 with %d anchors: the firmware counts classes for five" % number)
    net.yolo = [float(threshold), float(nms), [float(value) for value in anchors]]
    return True


def run_yolo2(net, img):
    facts, data = _checked(net, img)
    if net.yolo is None:
        refuse("run_yolo2 without init_yolo2 reads through None: the board crashes")
    facts["yolo"] = net.yolo
    answer = ask("yolo", facts, data)[0]
    if answer.get("refused"):
        refuse(answer["refused"])
    boxes = answer["boxes"]
    return [_Found(box, i, len(boxes)) for i, box in enumerate(boxes)] or None


def set_outputs(net, index, w, h, channels):
    if not isinstance(net, _Net):
        raise ValueError("[MAIXPY]kpu: set_outputs arg format error")
    return False  # kmodel V3 has its shapes


def memtest():
    print("mem free:", machine.config["model_memory"])


def deinit(net):
    if not isinstance(net, _Net):
        raise TypeError("[MAIXPY]kpu: kpu_net type error")
    if net not in _open:
        refuse("KPU.deinit twice")
    _open.remove(net)
    ask("freed", {"model": net.number})
    return True
