/* The one-time programmable memory. The steps are those of OTP otp.c (see k210.h). */
#include "k210.h"

enum { READ, WRITE, TEST };
#define SELF_REPAIR 0x30u /* BISR: what step 0 finds out is written, what step 1 reads is put in force */
#define DIVIDER 21u       /* of the 195 MHz bus, as the vendor's own key generator has it */
#define FAILED 1u

static bool ready(unsigned flag)
{
    return wait_for((uint32_t)(uintptr_t)&OTP(flag), ~0u);
}

void otp_start(void)
{
    static const uint8_t zero[] = {
        OTP_CPU_CTRL, OTP_DATA_BLK_CTRL, OTP_GB_OTP_EN, OTP_PWR_MODE, OTP_CLE_CPU, OTP_ADR_CPU,
        OTP_DAT_CPU,
    };
    REG(SYSCTL_CLK_EN_CENT) |= CENT_APB1;
    REG(SYSCTL_CLK_EN_PERI) |= PERI_OTP;
    for (unsigned i = 0; i < sizeof zero; i++)
        OTP(zero[i]) = 0;
    for (unsigned offset = OTP_SELTM; offset < OTP_CLE_CPU; offset += 4)
        OTP(offset) = 0;
    OTP(OTP_THERSHOLD) = DIVIDER;
    OTP(OTP_WEB) = OTP(OTP_RSTB) = OTP(OTP_CEB_CPU) = 1;
}

static void begin(unsigned mode)
{
    OTP(OTP_CLE) = mode == TEST;
    OTP(OTP_MODE) = mode;
    OTP(OTP_DATA_ACP_FLAG) = 0;
    OTP(OTP_WRG_ADR_FLAG) = 0;
    OTP(OTP_CEB) = 0;
}

error_t otp_read(unsigned address, uint8_t *bytes, unsigned count)
{
    begin(READ);
    while (count--) {
        if (!ready(OTP_ADR_IN_FLAG))
            return "read";
        if (!count)
            OTP(OTP_LAST_DAT) = 1;
        OTP(OTP_APB_ADR) = 8 * address++;
        if (!ready(OTP_DATA_RDY) || OTP(OTP_WRG_ADR_FLAG) == FAILED)
            return "read";
        *bytes++ = (uint8_t)OTP(OTP_DATA);
    }
    return OK;
}

static error_t program(unsigned address, unsigned bit, bool last)
{
    if (!ready(OTP_ADR_IN_FLAG))
        return "busy";
    OTP(OTP_APB_ADR) = address;
    OTP(OTP_IN_DAT) = bit;
    if (last)
        OTP(OTP_LAST_DAT) = 1;
    OTP(OTP_DAT_IN_FINISH) = 1;
    if (!ready(OTP_DATA_ACP_FLAG))
        return "busy";
    if (OTP(OTP_WRG_ADR_FLAG) == FAILED)
        return "address";
    if (OTP(OTP_DATA_ACP_FLAG) == FAILED)
        return "write";
    OTP(OTP_DATA_ACP_FLAG) = 0;
    return OK;
}

/* Program the ones of `wanted` that are not in `there`, in the order of their addresses. The last bit
 * is always visited, if only with a 0, because it ends the operation. */
error_t otp_write(unsigned address, const uint8_t *wanted, const uint8_t *there, unsigned count)
{
    error_t error = OK;
    OTP(OTP_DATA_BLK_CTRL) = address >= FUNCTION_BITS && address < KEY_SLOT;
    begin(WRITE);
    for (unsigned bit = 0; bit < 8 * count && !error; bit++) {
        unsigned missing = (wanted[bit / 8] & ~there[bit / 8]) >> bit % 8 & 1;
        bool last = bit == 8 * count - 1;
        if (missing || last)
            error = program(8 * address + bit, missing, last);
    }
    if (!error)
        error = otp_repair();
    OTP(OTP_DATA_BLK_CTRL) = 0;
    return error;
}

static error_t repair_step(unsigned step)
{
    OTP(OTP_CLE) = 1;
    OTP(OTP_MODE) = TEST;
    OTP(OTP_TEST_MODE) = SELF_REPAIR;
    OTP(OTP_TEST_STEP) = step;
    OTP(OTP_CEB) = 0;
    if (!ready(OTP_BISR_FINISH))
        return "busy";
    OTP(OTP_BISR_FINISH) = 0;
    return OK;
}

error_t otp_repair(void)
{
    error_t error = repair_step(0);
    if (error)
        return error;
    return OTP(OTP_PRO_WRONG) ? "repair" : repair_step(1);
}

error_t otp_compare_key(const uint8_t *key)
{
    OTP(OTP_KEY_CMP_RESULT) = 0;
    for (const uint8_t *at = key; at < key + KEY_SIZE; at += 4)
        OTP(OTP_CMP_KEY) = (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
    if (!ready(OTP_KEY_CMP_RESULT))
        return "busy";
    switch (OTP(OTP_KEY_CMP_RESULT)) {
    case 1:
        return "compare";
    case 3:
        return "key_verify_off";
    default:
        return OK;
    }
}
