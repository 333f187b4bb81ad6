/* Clocks, set to the same whatever they were: the harts run at 390 MHz, the bus of the OTP at 195. */
#include "k210.h"

#define CRYSTAL_HZ 26000000u
#define FAST_HZ 390000000u /* crystal * 60 / 2 (PLL0) / 2 */

/* PLL0 (SDK sysctl.h, fields; Linux k210_plls_cfg, these factors: 780 MHz, the chip's usual rate) */
#define PLL_FACTORS (0u << 0 | 59u << 4 | 1u << 10 | 59u << 14) /* r - 1, f - 1, od - 1, bwadj - 1 */
#define PLL_KEPT (1u << 22) /* internal feedback: left as the chip has it */
#define PLL_RESET (1u << 20)
#define PLL_POWER (1u << 21)
#define PLL_OUT (1u << 25)
#define PLL0_LOCKED 3u
#define PLL0_CLEAR_SLIP 4u
#define PLL_TRIES 1000

/* CLK_SEL0 (SDK sysctl.h): bit 0 ACLK from PLL0, bits 1-2 its divider 2 << n, then 3 bits each for
 * APB0, APB1 and APB2: divider n + 1. */
#define SELECT_MASK 0xFFFu
#define SELECT_CRYSTAL (0u << 1 | 1u << 3 | 1u << 6 | 1u << 9)
#define SELECT_PLL0 (SELECT_CRYSTAL | 1u)

static unsigned hz;

static uint64_t cycles(void)
{
    uint64_t now;
    __asm__ volatile("csrr %0, mcycle" : "=r"(now));
    return now;
}

static void select_clocks(uint32_t selection)
{
    REG(SYSCTL_CLK_SEL0) = (REG(SYSCTL_CLK_SEL0) & ~SELECT_MASK) | selection;
}

/* SDK sysctl.c, sysctl_pll_set_freq: leave the PLL, stop it, set, power, reset, lock, output. */
void clock_start(void)
{
    uint32_t pll = (REG(SYSCTL_PLL0) & PLL_KEPT) | PLL_FACTORS;
    hz = CRYSTAL_HZ;
    select_clocks(SELECT_CRYSTAL);
    REG(SYSCTL_PLL0) = pll;
    REG(SYSCTL_PLL0) = pll |= PLL_POWER;
    pause_us(1);
    REG(SYSCTL_PLL0) = pll | PLL_RESET;
    pause_us(1);
    REG(SYSCTL_PLL0) = pll;
    for (int tries = PLL_TRIES; (REG(SYSCTL_PLL_LOCK) & PLL0_LOCKED) != PLL0_LOCKED; tries--) {
        if (!tries)
            return;
        REG(SYSCTL_PLL_LOCK) |= PLL0_CLEAR_SLIP;
        pause_us(10);
    }
    REG(SYSCTL_PLL0) = pll | PLL_OUT;
    select_clocks(SELECT_PLL0);
    hz = FAST_HZ;
}

bool clock_is_right(void)
{
    return hz == FAST_HZ;
}

unsigned clock_hz(void)
{
    return hz;
}

void pause_us(unsigned us)
{
    uint64_t start = cycles(), length = (uint64_t)us * (hz / 1000000);
    while (cycles() - start < length)
        ;
}

bool wait_for(uint32_t address, uint32_t mask)
{
    uint64_t start = cycles();
    while (!(REG(address) & mask))
        if (cycles() - start > hz / 2)
            return false;
    return true;
}
