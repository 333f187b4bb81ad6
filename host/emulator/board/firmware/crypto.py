# MaixPy's ucryptolib and uctypes, and the registers behind them that scripts may touch: the AES
# engine and the key in the fuses (moducryptolib_maix.c; aes.c, otp.h, sysctl.h of Kendryte's SDK).
import cryptolib
import uctypes as real

from machinery import machine, refuse, tick_us

OTP, SYSCTL = 0x50420000, 0x50440000
REGISTERS = {OTP: (0x0C,), SYSCTL: (0x28, 0x2C)}  # the AES engine's key; the clocks
OTP_CLOCKS = ((0x28, 4), (0x2C, 27))  # bits that must be on for OTP to answer
US_A_BLOCK = 1
memory = {base: bytearray(256) for base in REGISTERS}
real_aes = cryptolib.aes


def word(base, offset):
    return int.from_bytes(memory[base][offset : offset + 4], "little")


class Cryptolib:
    MODE_GCM, MODE_CBC, MODE_ECB = 1, 2, 3


class aes:
    # The key is kept by pointer; each call begins with the IV again; without one it is 00 01 02 ..
    def __init__(self, key, mode, iv=None):
        if mode not in (1, 2, 3):
            raise ValueError("wrong mode")
        if mode == Cryptolib.MODE_GCM:
            refuse("ucryptolib's GCM writes 16 bytes into a buffer of four: it crashes the board")
        if len(key) not in (16, 24, 32):
            raise ValueError("wrong key length")
        if isinstance(key, memoryview):
            refuse("ucryptolib keeps a pointer into a memoryview's memory, which may be freed")
        if iv is not None and len(iv) != (16 if mode == Cryptolib.MODE_CBC else 12):
            raise ValueError("wrong IV length")
        self.key, self.mode = key, mode
        self.iv = bytes(range(16)) if iv is None else bytes(iv)

    def encrypt(self, data, out=None):
        return self.run(data, out, True)

    def decrypt(self, data, out=None):
        return self.run(data, out, False)

    def run(self, data, out, encrypts):
        if len(data) % 16:
            raise ValueError("input length must be multiple of 16")
        if out is not None and len(out) < len(data):
            raise ValueError("output too small")
        for buffer in (data, out, self.key):
            if buffer and real.addressof(buffer) % 4:
                refuse("the AES driver reads and writes words: this buffer begins beside one")
        tick_us(US_A_BLOCK * len(data) // 16)
        values = (self.used_key(), 2, self.iv) if self.mode == 2 else (self.used_key(), 1)
        engine = real_aes(*values)
        if not data:
            return b"" if out is None else out
        into = () if out is None else (out,)
        return (engine.encrypt if encrypts else engine.decrypt)(data, *into)

    def used_key(self):
        if not word(OTP, 0x0C) & 1:
            return bytes(self.key)
        if not all(word(SYSCTL, offset) >> bit & 1 for offset, bit in OTP_CLOCKS):
            refuse("the key in the fuses is used while the clock of OTP is off")
        if len(self.key) != 16:
            refuse("the key in the fuses is one for AES-128")
        return bytes(machine.config["otp_key"] or bytes(16))


Cryptolib.aes = aes


class Uctypes:
    UINT32, NATIVE, LITTLE_ENDIAN = real.UINT32, real.NATIVE, real.LITTLE_ENDIAN

    @staticmethod
    def struct(address, fields, layout=real.NATIVE):
        if address not in REGISTERS:
            refuse("uctypes at 0x%x: the virtual board has no such registers" % address)
        if layout != real.NATIVE:
            refuse("registers are read and written as words: with NATIVE layout only")
        for kind in fields.values():
            if kind & ~0xFFF != real.UINT32 or kind & 0xFFF not in REGISTERS[address]:
                refuse("uctypes: no register of 32 bits at 0x%x+0x%x" % (address, kind & 0xFFF))
        return real.struct(real.addressof(memory[address]), fields)
