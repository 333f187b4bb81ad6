# The frozen module of the same name.
from Maix import FPIOA


class fm:
    fpioa = FPIOA()

    @staticmethod
    def register(pin, function, force=True):
        used = fm.fpioa.get_Pin_num(function)
        if used == pin:
            return
        if used is not None:
            text = "[Warning] function is used by pin:%d" % used
            if not force:
                raise Exception(text)
            print(text)
        fm.fpioa.set_function(pin, function)

    @staticmethod
    def unregister(pin):
        fm.fpioa.set_function(pin, fm.fpioa.RESV0)
