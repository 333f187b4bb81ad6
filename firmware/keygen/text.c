/* Bytes and texts. */
#include "k210.h"

bool same(const void *one, const void *other, unsigned size)
{
    const uint8_t *a = one, *b = other;
    unsigned difference = 0;
    while (size--)
        difference |= *a++ ^ *b++;
    return !difference;
}

bool same_text(const char *one, const char *other)
{
    while (*one && *one == *other)
        one++, other++;
    return *one == *other;
}

static int digit(char sign)
{
    if (sign >= '0' && sign <= '9')
        return sign - '0';
    sign |= 0x20; /* small */
    return sign >= 'a' && sign <= 'f' ? sign - 'a' + 10 : -1;
}

bool parse_hex(const char *text, uint8_t *bytes, unsigned count)
{
    for (; count; count--, text += 2) {
        int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);
        if (low < 0)
            return false;
        *bytes++ = (uint8_t)(high << 4 | low);
    }
    return !*text;
}

uint32_t crc32(const uint8_t *bytes, unsigned count)
{
    uint32_t crc = ~0u;
    while (count--) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

unsigned ones(const uint8_t *bytes, unsigned count)
{
    unsigned sum = 0;
    for (unsigned bit = 0; bit < 8 * count; bit++)
        sum += bytes[bit / 8] >> bit % 8 & 1;
    return sum;
}

/* Overwrite a secret; volatile, so that the compiler keeps it. */
void wipe(void *bytes, unsigned size)
{
    volatile uint8_t *at = bytes;
    while (size--)
        *at++ = 0;
}
