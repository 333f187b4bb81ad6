# MaixPy's KPU module. The numbers come from the host: given by the test, or a simulated K210.
import struct

from machinery import ask, exists, machine, refuse, tick

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
_open = []
_forwards = [0]


class _Net:
    pass


class _Fmap:
    # What forward() returns: no len(), no iteration; [:] is a tuple of floats.
    def __init__(self, net, values):
        self._net, self._values = net, values

    def __getitem__(self, index):
        if self._net not in _open:
            refuse("an output of a freed model was read")
        return tuple(self._values[index]) if isinstance(index, slice) else self._values[index]


def _fail(code):
    raise ValueError("[MAIXPY]kpu: load error:%d, %s" % (code, _TEXTS.get(code, "ERR_UNKNOWN")))


def load(source):
    if isinstance(source, bool) or not isinstance(source, (int, str)):
        raise TypeError("[MAIXPY]kpu: only accept int or string")
    if isinstance(source, int):
        if source <= 0:
            raise ValueError("[MAIXPY]kpu: model_addr must > 0 ")
        found = ask("flash_model", {"address": source})[1]
    else:
        if not (".kmodel" in source or ".smodel" in source or ".emodel" in source):
            raise ValueError("[MAIXPY]kpu: model format don't match, only supply .kmodel ")
        if not source.startswith("/"):
            refuse("a relative path: %r" % source)
        if not exists(source):
            _fail(2005)
        with open(source, "rb") as file:
            found = file.read(32)
            size = file.seek(0, 2)
    tick(machine.config["load_ms"])
    if machine.config["load_error"]:
        _fail(machine.config["load_error"])
    if len(found) < 28 or struct.unpack("<I", found[:4])[0] != 3:
        _fail(2002)
    size = len(found) if isinstance(source, int) else size
    need = size + 255 + 192 + struct.unpack("<I", found[20:24])[0]
    if need > machine.config["model_memory"]:
        _fail(2006)
    if len(_open) == 5:
        _fail(2009)
    net = _Net()
    _open.append(net)
    facts = {"open": len(_open), "source": source}
    ask("loaded", facts)
    return net


def forward(net, img, out_index=0, dma=-1):
    if not isinstance(net, _Net):
        raise TypeError("[MAIXPY]kpu: kpu_net type error")
    if net not in _open:
        refuse("KPU.forward with a freed model crashes the board")
    if img.pix_ai is None:
        print("[MAIXPY]kpu: pix_ai is NULL!")
        raise ValueError("[MAIXPY]kpu: check img format err!\r\n")
    if img.pix_ai == "wild":
        refuse("KPU.forward on a copy() reads through a wild pointer")
    wanted = machine.config["model_input"]
    if [img.w, img.h] != wanted:
        print(
            "[MAIXPY]kpu: img w=%d,h=%d, but model w=%d,h=%d" % (img.w, img.h, wanted[0], wanted[1])
        )
        raise ValueError("[MAIXPY]kpu: check img format err!\r\n")
    tick(machine.config["forward_ms"])
    camera = img.pix_ai == "camera"
    facts = {"camera": camera, "size": [img.w, img.h], "number": _forwards[0]}
    _forwards[0] += 1
    return _Fmap(net, ask("forward", facts, b"" if camera else img.data)[0])


def deinit(net):
    if not isinstance(net, _Net):
        raise TypeError("[MAIXPY]kpu: kpu_net type error")
    if net not in _open:
        refuse("KPU.deinit twice")
    _open.remove(net)
    ask("freed", {"open": len(_open)})
    return True
