# What a build of MaixPy has beside what all have (projects/*/config*.mk, mpconfigport.h).
ALL = (
    "uos os utime time Maix machine network usocket socket image sensor lcd KPU audio uhashlib"
    " ucryptolib modules board fpioa_manager ujson json ure re ustruct struct ubinascii binascii"
    " ucollections collections uerrno errno uheapq heapq urandom random uzlib zlib hashlib uio"
    " math cmath array gc sys micropython uctypes builtins"
).split(" ")
MORE = {
    "maixpy": "_thread video nes touchscreen ulab",
    "with_lvgl": "_thread video nes touchscreen ulab lvgl",
    "minimum": "",
    "minimum_with_ide_support": "",
    "minimum_with_kmodel_v4_support": "",
    "openmv_kmodel_v4_with_ide_support": "",
    "minimum_speech_with_ide_support": "speech_recognizer",
    "amigo": "_thread video ulab",
    "amigo_minimum": "_thread ulab",
    "m5stickv": "_thread video nes ulab",
}
FULL_IMAGE = ("maixpy", "with_lvgl", "openmv_kmodel_v4_with_ide_support")
FULL_IMAGE += ("amigo", "amigo_minimum", "m5stickv")
NOT_HERE = "network usocket socket audio modules _thread video nes ulab lvgl speech_recognizer"
NOT_HERE = NOT_HERE.split(" ")


def modules(build):
    return ALL + MORE[build].split()
