/* The key slot, which only the AES engine sees: what is in it is told by what the engine answers. */
#include "k210.h"

#define CODE_DOMAIN "KMX1-ID"
#define CODE_DOMAIN_SIZE (sizeof CODE_DOMAIN - 1)

static uint32_t word(const uint8_t *bytes)
{
    return (uint32_t)bytes[3] << 24 | bytes[2] << 16 | bytes[1] << 8 | bytes[0];
}

/* AES-128-CBC of 16 zero bytes, IV 0, with `key` or with the slot. Steps: SDK aes.c, aes_init; with
 * the slot: ROM, which selects it before the engine's reset and gives it a key of zeros. */
static error_t engine(const uint8_t *key, bool from_slot, uint8_t *answer)
{
    error_t error = OK;
    OTP(OTP_GB_OTP_EN) = from_slot;
    REG(SYSCTL_CLK_EN_PERI) |= PERI_AES;
    REG(SYSCTL_PERI_RESET) |= PERI_AES;
    pause_us(10);
    REG(SYSCTL_PERI_RESET) &= ~PERI_AES;
    AES(AES_ENDIAN) |= 1;
    for (unsigned i = 0; i < 4; i++) {
        AES(AES_KEY + 4 * i) = word(key + 12 - 4 * i);
        AES(AES_IV + 4 * i) = 0;
    }
    AES(AES_MODE_CTL) = 1;
    AES(AES_ENCRYPT_SEL) = 0;
    AES(AES_DMA_SEL) = 0;
    AES(AES_AAD_NUM) = ~0u;
    AES(AES_PC_NUM) = 15;
    AES(AES_EN) = 1;
    for (unsigned i = 0; i < 4 && !error; i++) {
        if (!wait_for((uint32_t)(uintptr_t)&AES(AES_DATA_IN_FLAG), ~0u))
            error = "engine";
        AES(AES_TEXT_DATA) = 0;
    }
    for (unsigned i = 0; i < 4 && !error; i++) {
        if (!wait_for((uint32_t)(uintptr_t)&AES(AES_DATA_OUT_FLAG), ~0u))
            error = "engine";
        uint32_t data = AES(AES_OUT_DATA);
        for (unsigned byte = 0; byte < 4; byte++)
            answer[4 * i + byte] = (uint8_t)(data >> 8 * byte);
    }
    OTP(OTP_GB_OTP_EN) = 0;
    return error;
}

void foretell(const uint8_t *key, uint8_t *answer)
{
    for (unsigned i = 0; i < 16; i++)
        answer[i] = 0;
    aes128_encrypt(key, answer);
}

static void machine_code(const uint8_t *answer, uint8_t *code)
{
    uint8_t message[CODE_DOMAIN_SIZE + 16], digest[32];
    for (unsigned i = 0; i < sizeof message; i++)
        message[i] = i < CODE_DOMAIN_SIZE ? (uint8_t)CODE_DOMAIN[i] : answer[i - CODE_DOMAIN_SIZE];
    sha256(message, sizeof message, digest);
    for (unsigned i = 0; i < 16; i++)
        code[i] = digest[i];
}

/* The engine must be right with a key that we know, before what it says of the slot is believed. And
 * a slot that looks blank must look so whatever key the engine was given: else the slot may not have
 * been used at all. */
error_t slot_read(struct slot *slot)
{
    static const uint8_t zero[16], known[16] = "maixforge keygen";
    uint8_t expected[16], answer[16];
    error_t error = engine(known, false, answer);
    foretell(known, expected);
    if (!error && !same(answer, expected, 16))
        error = "engine";
    if (!error)
        error = engine(zero, true, slot->answer);
    if (error)
        return error;
    machine_code(slot->answer, slot->code);
    foretell(zero, expected);
    slot->blank = same(slot->answer, expected, 16);
    if (slot->blank)
        error = engine(known, true, answer);
    slot->unclear = slot->blank && !same(answer, expected, 16);
    return error;
}

/* Put the first one of `key` that `part` lacks into `part`; false if it lacks none. */
bool add_one(const uint8_t *key, uint8_t *part)
{
    for (unsigned bit = 0; bit < 8 * KEY_SIZE; bit++)
        if ((key[bit / 8] & ~part[bit / 8]) >> bit % 8 & 1) {
            part[bit / 8] |= 1 << bit % 8;
            return true;
        }
    return false;
}

/* Is there a `part`, the first so many ones of `key`, that gives the slot's answer? */
bool slot_is_part_of(const struct slot *slot, const uint8_t *key, uint8_t *part)
{
    uint8_t answer[16];
    wipe(part, KEY_SIZE);
    do {
        foretell(part, answer);
        if (same(answer, slot->answer, 16))
            return true;
    } while (add_one(key, part));
    return false;
}
