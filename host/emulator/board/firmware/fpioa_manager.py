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
            text = "[Warning] function is used by %s(pin:%d)" % (fm.str_function(function), used)
            if not force:
                raise Exception(text)
            print(text)
        fm.fpioa.set_function(pin, function)

    @staticmethod
    def str_function(function):
        first = FPIOA.GPIO0 if function >= FPIOA.GPIO0 else FPIOA.GPIOHS0
        kind = "GPIO" if function >= FPIOA.GPIO0 else "GPIOHS"
        return "fm.fpioa.%s%d" % (kind, function - first)

    @staticmethod
    def unregister(pin):
        fm.fpioa.set_function(pin, fm.fpioa.RESV0)
