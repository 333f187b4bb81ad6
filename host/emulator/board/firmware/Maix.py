# MaixPy's Maix module: pins, config.json, memory.
from machinery import ask, machine, measure_heap, now_ms, refuse, tick_us


FLASH_BYTES = 16 << 20
BYTES_A_US = 8  # four lines at some 20 MHz


class FPIOA:
    RESV0 = 120

    def __init__(self):
        self.functions = {}

    def set_function(self, pin, function, *rest):
        if not 0 <= pin <= 47:
            raise ValueError("Don't have this Pin")
        self.functions[pin] = function
        return True

    def get_Pin_num(self, function):
        for pin, used in self.functions.items():
            if used == function:
                return pin
        return None


_keys = {}  # pin: [changes still to come, level now]


def key_level(pin, idle):
    if pin not in _keys:
        changes = [
            (ms, level) for ms, event_pin, level in machine.config["keys"] if event_pin == pin
        ]
        _keys[pin] = [sorted(changes, key=lambda change: -change[0]), None]
    to_come = _keys[pin][0]
    while to_come and to_come[-1][0] <= now_ms():
        _keys[pin][1] = to_come.pop()[1]
    level = _keys[pin][1]
    return idle if level is None else level


class GPIO:
    IN, PULL_DOWN, PULL_UP, OUT, PULL_NONE = 0, 1, 2, 3, 4
    IRQ_FALLING, IRQ_RISING, IRQ_BOTH = 1, 2, 3

    def __init__(self, number, mode=None, pull=None, value=None):
        if not 0 <= number < 40:
            raise ValueError("invalid pin")
        if number in (29, 30, 31):
            refuse("GPIOHS%d belongs to the card (29) or the screen (30, 31)" % number)
        self.number, self.level, self.mode = number, value or 0, mode

    def value(self, *level):
        from fpioa_manager import fm

        function = 24 + self.number if self.number < 32 else 56 + self.number - 32
        pin = fm.fpioa.get_Pin_num(function)
        if pin is None:
            refuse("GPIO %d is on no pin" % self.number)
        if level:
            self.level = level[0]
            machine.pins[pin] = level[0]
            return None
        if self.mode == GPIO.OUT:
            return self.level
        level = 1 if self.mode in (GPIO.IN, GPIO.PULL_UP) else 0
        return key_level(pin, level)


for _i in range(32):
    setattr(FPIOA, "GPIOHS%d" % _i, 24 + _i)
    setattr(GPIO, "GPIOHS%d" % _i, _i)
for _i in range(8):
    setattr(FPIOA, "GPIO%d" % _i, 56 + _i)
    setattr(GPIO, "GPIO%d" % _i, 32 + _i)


class config:
    @staticmethod
    def get_value(key, default):
        return machine.config["board_config"].get(key, default)


class utils:
    @staticmethod
    def gc_heap_size(*size):
        return 524288

    @staticmethod
    def heap_free():
        return machine.config["model_memory"]

    @staticmethod
    def flash_read(address, size):
        # Read into a buffer, which is copied: it takes twice the memory (Maix_utils.c).
        if not 0 <= address <= FLASH_BYTES - size:
            refuse("flash_read beyond the end of the flash")
        tick_us(size // BYTES_A_US)
        data = bytearray(size)
        ask("flash_read", {"address": address, "size": size}, into=data)
        copy = bytes(data)
        measure_heap()
        return copy


class freq:
    @staticmethod
    def get():
        return (400, 400)
