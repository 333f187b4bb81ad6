/* The line to the host: UARTHS on the pins of the USB port, 115200 baud. */
#include "k210.h"

#define BAUD 115200u
#define BUSY (1u << 31) /* TXDATA full, RXDATA empty */

/* The ISP's pins (K210 datasheet) as SDK fpioa.c sets these functions: 18 receives, Schmitt trigger
 * and input on; 19 sends, full drive and output on. */
#define PIN_RX 4u
#define PIN_TX 5u
#define PIN_IS_RX (18u | 1u << 20 | 1u << 23)
#define PIN_IS_TX (19u | 15u << 8 | 1u << 12)

void serial_start(void)
{
    REG(SYSCTL_CLK_EN_CENT) |= CENT_APB0;
    REG(SYSCTL_CLK_EN_PERI) |= PERI_FPIOA;
    REG(FPIOA_PIN(PIN_RX)) = PIN_IS_RX;
    REG(FPIOA_PIN(PIN_TX)) = PIN_IS_TX;
    REG(UARTHS_IE) = 0;
    REG(UARTHS_DIV) = (clock_hz() + BAUD / 2) / BAUD - 1;
    REG(UARTHS_TXCTRL) = 1;
    REG(UARTHS_RXCTRL) = 1;
}

static void put(char sign)
{
    while (REG(UARTHS_TXDATA) & BUSY)
        ;
    REG(UARTHS_TXDATA) = (uint8_t)sign;
}

void say(const char *text)
{
    while (*text)
        put(*text++);
}

void say_hex(const uint8_t *bytes, unsigned count)
{
    static const char digits[] = "0123456789abcdef";
    for (; count; count--, bytes++) {
        put(digits[*bytes >> 4]);
        put(digits[*bytes & 15]);
    }
}

static char get(void)
{
    uint32_t data;
    do
        data = REG(UARTHS_RXDATA);
    while (data & BUSY);
    return (char)data;
}

/* Read to the end of a line, however long it is; an empty one is returned as such. */
enum line read_line(char *line)
{
    enum line kind = LINE;
    unsigned length = 0;
    for (char sign; (sign = get()) != '\n';) {
        if (sign == '\r' || kind != LINE)
            continue;
        if (sign < ' ' || sign > '~')
            kind = LINE_CHARACTERS;
        else if (length == LINE_MAX)
            kind = LINE_TOO_LONG;
        else
            line[length++] = sign;
    }
    line[length] = 0;
    return kind;
}
