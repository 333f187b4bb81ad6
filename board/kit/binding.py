# The machine code of a board: 32 hex digits made from the chip's unique id, and 4 check digits.
# It leads to the key of models that are sealed for this board, so it is no public number.
import machine
import ubinascii
import uhashlib
from kit.trouble import Trouble

CODE_DOMAIN = b"KMX1-BOUND"
CODE_BYTES = 16
SHA256_OF_ABC = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def sha256(data):
    return uhashlib.sha256(data).digest()


def require_sha256():
    # Firmware of before November 2020 had a fault in its hardware SHA-256.
    if ubinascii.hexlify(sha256(b"abc")) != SHA256_OF_ABC:
        raise Trouble("Old firmware", "Its SHA-256 is wrong. Flash MaixPy of 2021 or newer.")


def chip_id():
    try:
        return machine.unique_id()
    except OSError as error:
        raise Trouble("No unique id", "The chip does not give its id: %s" % error)


def check_digits(value):
    # CRC-16 (polynomial 0x1021, start 0xFFFF) of the letter B for "bound" and the value.
    crc = 0xFFFF
    for byte in b"B" + value:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return "%04X" % crc


def code_value(unique_id):
    return sha256(CODE_DOMAIN + unique_id)[:CODE_BYTES]


def machine_code(unique_id):
    # 36 capital hex digits.
    value = code_value(unique_id)
    return ubinascii.hexlify(value).decode().upper() + check_digits(value)


def grouped(code, sign):
    return sign.join([code[at : at + 4] for at in range(0, len(code), 4)])
