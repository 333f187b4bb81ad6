/* AES-128 encryption (FIPS 197) in software, to foretell what the engine must answer. */
#include "k210.h"

static uint8_t sbox[256];

static uint8_t twice(uint8_t x)
{
    return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1B : 0));
}

static uint8_t turn(uint8_t x, int by)
{
    return (uint8_t)(x << by | x >> (8 - by));
}

/* p runs through all that is not 0 as powers of 3, q through their inverses. */
static void make_sbox(void)
{
    uint8_t p = 1, q = 1;
    do {
        p ^= twice(p);
        q ^= q << 1;
        q ^= q << 2;
        q ^= q << 4;
        if (q & 0x80)
            q ^= 0x09;
        sbox[p] = q ^ turn(q, 1) ^ turn(q, 2) ^ turn(q, 3) ^ turn(q, 4) ^ 0x63;
    } while (p != 1);
    sbox[0] = 0x63;
}

static void next_round_key(uint8_t *key, uint8_t constant)
{
    for (int i = 0; i < 4; i++)
        key[i] ^= sbox[key[12 + (i + 1) % 4]];
    key[0] ^= constant;
    for (int i = 4; i < 16; i++)
        key[i] ^= key[i - 4];
}

static void substitute_and_shift(uint8_t *s)
{
    uint8_t old[16];
    for (int i = 0; i < 16; i++)
        old[i] = sbox[s[i]];
    for (int i = 0; i < 16; i++)
        s[i] = old[(i + 4 * (i % 4)) % 16];
}

static void mix_columns(uint8_t *s)
{
    for (uint8_t *end = s + 16; s < end; s += 4) {
        uint8_t first = s[0], all = s[0] ^ s[1] ^ s[2] ^ s[3];
        for (int i = 0; i < 4; i++)
            s[i] ^= all ^ twice(s[i] ^ (i < 3 ? s[i + 1] : first));
    }
}

static void add(uint8_t *s, const uint8_t *key)
{
    for (int i = 0; i < 16; i++)
        s[i] ^= key[i];
}

void aes128_encrypt(const uint8_t *key, uint8_t *block)
{
    uint8_t round_key[16], s[16];
    uint8_t constant = 1;
    if (!sbox[0])
        make_sbox();
    for (int i = 0; i < 16; i++) {
        round_key[i] = key[i];
        s[i] = block[i] ^ key[i];
    }
    for (int round = 1; round <= 10; round++, constant = twice(constant)) {
        substitute_and_shift(s);
        if (round < 10)
            mix_columns(s);
        next_round_key(round_key, constant);
        add(s, round_key);
    }
    for (int i = 0; i < 16; i++)
        block[i] = s[i];
    wipe(round_key, sizeof round_key);
    wipe(s, sizeof s);
}
