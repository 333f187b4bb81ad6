/* What the key generator uses of the K210, and the few things that all of its files share.
 *
 * Sources. SDK: kendryte/kendryte-standalone-sdk, lib/drivers. OTP: lib/drivers/otp.c and otp.h, in
 * the history of that SDK and in kendryte/canmv. ROM: notes on the boot ROM in
 * laanwj/k210-sdk-stuff. Linux: drivers/clk/clk-k210.c. Facts only were taken from them.
 */
#ifndef K210_H
#define K210_H

#include <stdbool.h>
#include <stdint.h>

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* UARTHS, the high-speed UART (SDK uarths.h) */
#define UARTHS_TXDATA 0x38000000u /* bit 31: full */
#define UARTHS_RXDATA 0x38000004u /* bit 31: empty */
#define UARTHS_TXCTRL 0x38000008u /* bit 0: on */
#define UARTHS_RXCTRL 0x3800000Cu /* bit 0: on */
#define UARTHS_IE 0x38000010u
#define UARTHS_DIV 0x38000018u /* CPU clock / baud rate - 1 */

/* FPIOA, which pin does what (SDK fpioa.h): one word a pin */
#define FPIOA_PIN(n) (0x502B0000u + 4 * (n))

/* SYSCTL, clocks and resets (SDK sysctl.h) */
#define SYSCTL_PLL0 0x50440008u
#define SYSCTL_PLL_LOCK 0x50440018u
#define SYSCTL_CLK_SEL0 0x50440020u
#define SYSCTL_CLK_EN_CENT 0x50440028u
#define SYSCTL_CLK_EN_PERI 0x5044002Cu
#define SYSCTL_PERI_RESET 0x50440034u
#define CENT_APB0 (1u << 3)
#define CENT_APB1 (1u << 4)
#define PERI_AES (1u << 19) /* the same bit in PERI_RESET */
#define PERI_FPIOA (1u << 20)
#define PERI_OTP (1u << 27)

/* OTP, the one-time programmable memory (OTP otp.h) */
#define OTP(offset) REG(0x50420000u + (offset))
#define OTP_CEB 0x00            /* 0 starts an operation */
#define OTP_TEST_MODE 0x04      /* which test in mode 2 */
#define OTP_MODE 0x08           /* 0 read, 1 write, 2 test */
#define OTP_GB_OTP_EN 0x0C      /* 1: the AES engine takes its key from the slot */
#define OTP_DAT_IN_FINISH 0x10  /* 1: program the bit */
#define OTP_TEST_STEP 0x18
#define OTP_LAST_DAT 0x20       /* 1: the next address is the last of the operation */
#define OTP_DATA 0x24
#define OTP_PWR_MODE 0x28
#define OTP_IN_DAT 0x2C
#define OTP_APB_ADR 0x30        /* address of a bit */
#define OTP_DATA_ACP_FLAG 0x38  /* 1: programming failed; else not 0: done */
#define OTP_ADR_IN_FLAG 0x3C    /* ready for an address */
#define OTP_THERSHOLD 0x44      /* (sic) bus clock / OTP clock */
#define OTP_BISR_FINISH 0x48
#define OTP_KEY_CMP_RESULT 0x4C /* 1 another key, 3 comparing is off, else not 0: the same */
#define OTP_CMP_KEY 0x50
#define OTP_CLE 0x58            /* 1 for tests */
#define OTP_DATA_BLK_CTRL 0x5C  /* 1: protect and function bits may be written */
#define OTP_WRG_ADR_FLAG 0x60   /* 1: address refused */
#define OTP_PRO_WRONG 0x64      /* self repair failed */
#define OTP_CPU_CTRL 0x78       /* 0: the controller has the array, not the CPU */
#define OTP_WEB 0x7C
#define OTP_RSTB 0x80
#define OTP_SELTM 0x84          /* this and the next five, and OTP_ADR_CPU, OTP_DAT_CPU: 0 */
#define OTP_CLE_CPU 0x9C
#define OTP_CEB_CPU 0xA0
#define OTP_ADR_CPU 0xA4
#define OTP_DAT_CPU 0xA8
#define OTP_DATA_RDY 0xAC
#define OTP_REG_FLAG_LOW 0xBC   /* function bits 0 to 31 in force (OTP; ROM says that it is 0xB8) */

/* Byte addresses in the OTP (OTP otp.h; the factory data: canmv manufacture_data.c) */
#define FACTORY_DATA 0x3D90u
#define FACTORY_SIZE 32u
#define FUNCTION_BITS 0x3FE0u /* two fuses a function, 64 functions */
#define KEY_SLOT 0x3FF0u
#define KEY_SIZE 16u

/* AES engine (SDK aes.h) */
#define AES(offset) REG(0x50450000u + (offset))
#define AES_KEY 0x00 /* 4 words, the last 4 bytes of the key first */
#define AES_ENCRYPT_SEL 0x10 /* 0 encrypt */
#define AES_MODE_CTL 0x14 /* bits 0-2: 1 CBC; bits 3-4: 0 for 128 bits */
#define AES_IV 0x18 /* 4 words, like the key */
#define AES_ENDIAN 0x28 /* 1: words are little endian */
#define AES_DMA_SEL 0x30
#define AES_AAD_NUM 0x34
#define AES_PC_NUM 0x3C /* bytes - 1 */
#define AES_TEXT_DATA 0x40
#define AES_DATA_IN_FLAG 0x4C
#define AES_OUT_DATA 0x60
#define AES_EN 0x64
#define AES_DATA_OUT_FLAG 0x68

/* Functions that can fail return NULL, or the word that the reply gives as "error". */
typedef const char *error_t;
#define OK ((error_t)0)

/* clock.c */
void clock_start(void);
bool clock_is_right(void); /* false: there is no PLL, the chip runs on its crystal */
unsigned clock_hz(void);   /* of the CPU */
void pause_us(unsigned us);
bool wait_for(uint32_t address, uint32_t mask); /* until a bit of mask is set; false after 0.5 s */

/* serial.c */
void serial_start(void);
void say(const char *text);
void say_hex(const uint8_t *bytes, unsigned count);
enum line { LINE, LINE_TOO_LONG, LINE_CHARACTERS };
#define LINE_MAX 80
enum line read_line(char *line); /* line has room for LINE_MAX + 1 */

/* json.c */
void json_begin(void);
void json_text(const char *name, const char *value);
void json_hex(const char *name, const uint8_t *bytes, unsigned count);
void json_bool(const char *name, bool value);
void json_open(const char *name, const char *bracket);
void json_item(const char *value);
void json_close(const char *bracket);
void json_end(void);

/* otp.c */
void otp_start(void);
error_t otp_read(unsigned address, uint8_t *bytes, unsigned count);
error_t otp_write(unsigned address, const uint8_t *wanted, const uint8_t *there, unsigned count);
error_t otp_repair(void);
error_t otp_compare_key(const uint8_t *key);

/* aes.c, sha256.c: in software */
void aes128_encrypt(const uint8_t *key, uint8_t *block);
void sha256(const uint8_t *data, unsigned size, uint8_t *digest); /* size < 56 */

/* slot.c */
struct slot {
    uint8_t answer[16]; /* AES of 16 zero bytes with what is in the slot */
    uint8_t code[16];   /* the machine code */
    bool blank;
    bool unclear;       /* blank, but the engine seems not to have used the slot at all */
};
error_t slot_read(struct slot *slot);
void foretell(const uint8_t *key, uint8_t *answer); /* what the engine answers with this key */
bool add_one(const uint8_t *key, uint8_t *part);
bool slot_is_part_of(const struct slot *slot, const uint8_t *key, uint8_t *part);

/* functions.c */
enum { KEY_WRITE_OFF = 2, KEY_VERIFY_OFF = 3, JTAG_OFF = 4, TEST_MODE_OFF = 6, CIPHER_OFF = 8 };
#define FUNCTIONS 10u
enum function_state { CLEAR, HALF, SET };
extern const char *const function_names[FUNCTIONS];
error_t functions_read(enum function_state *states);
error_t function_set(unsigned number);

/* commands.c */
void run_command(char *line);
void refuse_line(error_t error);

/* text.c */
bool same(const void *one, const void *other, unsigned size);
bool same_text(const char *one, const char *other);
bool parse_hex(const char *text, uint8_t *bytes, unsigned count); /* exactly 2 * count digits */
uint32_t crc32(const uint8_t *bytes, unsigned count);
unsigned ones(const uint8_t *bytes, unsigned count);
void wipe(void *bytes, unsigned size);

#endif
