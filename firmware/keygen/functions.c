/* The function bits: what the chip does no more for ever. Two fuses each; names after OTP otp.h. */
#include "k210.h"

const char *const function_names[FUNCTIONS] = {
    "blank_test_off", "ram_bisr_off", "key_write_off", "key_verify_off", "jtag_off",
    "i2c2axi_off", "test_mode_off", "isp_off", "cipher_off", "pinned_firmware",
};

static unsigned fuses(const uint8_t *bytes, unsigned number)
{
    return bytes[number / 4] >> 2 * (number % 4) & 3;
}

/* Set are those whose fuses say so, and those that are in force already. */
error_t functions_read(enum function_state *states)
{
    uint8_t bytes[(FUNCTIONS + 3) / 4];
    error_t error = otp_read(FUNCTION_BITS, bytes, sizeof bytes);
    uint32_t in_force = OTP(OTP_REG_FLAG_LOW);
    for (unsigned i = 0; i < FUNCTIONS && !error; i++) {
        unsigned pair = fuses(bytes, i);
        states[i] = pair == 3 || in_force >> i & 1 ? SET : pair ? HALF : CLEAR;
    }
    return error;
}

/* Program what is missing of a function's two fuses, and read them back. */
error_t function_set(unsigned number)
{
    unsigned address = FUNCTION_BITS + number / 4;
    uint8_t there, wanted = (uint8_t)(3 << 2 * (number % 4));
    error_t error = otp_read(address, &there, 1);
    if (!error)
        error = otp_write(address, &wanted, &there, 1);
    if (!error)
        error = otp_read(address, &there, 1);
    return error ? error : (there & wanted) == wanted ? OK : "not_set";
}
