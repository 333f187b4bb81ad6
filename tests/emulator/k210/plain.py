"""Peripherals that mostly remember what is written to them.

Sources: the headers of the same names in Kendryte's SDK. What a program may not get away with on
a chip (timers that count, watchdogs that bite) is said where it is not modelled.
"""

from __future__ import annotations

from .device import WORD, Device, blocks, registers

OF_I2S_CHANNEL = (
    "left", "right", "rer", "ter", "rcr", "tcr", "isr", "imr", "ror", "tor", "rfcr", "tfcr",
    "rff", "tff",
)  # fmt: skip
CRYSTAL = 26_000_000
PLL_RESET, PLL_POWER, PLL_OUT = 1 << 20, 1 << 21, 1 << 25
PLL0_AT_RESET = 59 << 4 | 1 << 10 | 59 << 14 | PLL_POWER | PLL_OUT  # 780 MHz, as Linux has it
AES_RESET = 1 << 19


class Sysctl(Device):
    """Clocks and resets. Clocks do not change the speed of the harts.

    A PLL is locked while it has power and is out of reset, unless `plls_lock` is False.
    """

    NAME, BASE = "SYSCTL", 0x50440000
    REGISTERS = registers(
        "git_id clk_freq pll0 pll1 pll2 resv5 pll_lock rom_error clk_sel0 clk_sel1 clk_en_cent "
        "clk_en_peri soft_reset peri_reset clk_th0 clk_th1 clk_th2 clk_th3 clk_th4 clk_th5 clk_th6 "
        "misc peri spi_sleep reset_status dma_sel0 dma_sel1 power_sel"
    )

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.plls_lock = True
        self.values.update(
            git_id=0x36A2F3C8, clk_freq=CRYSTAL, reset_status=1, pll0=PLL0_AT_RESET,
            clk_sel0=1 | 1 << 3 | 1 << 6 | 1 << 9,
        )  # fmt: skip

    def read_pll_lock(self) -> int:
        locked = 0
        for number in range(3):
            state = self.values[f"pll{number}"] & (PLL_RESET | PLL_POWER)
            locked |= (3 if state == PLL_POWER and self.plls_lock else 0) << 8 * number
        return locked

    @property
    def cpu_hz(self) -> int:
        """The clock of the harts, as `sysctl_clock_get_freq` of the SDK works it out."""
        select, pll = self.values["clk_sel0"], self.values["pll0"]
        if not select & 1:
            return CRYSTAL
        if not pll & PLL_OUT or not self.read_pll_lock() & 3:
            raise AssertionError("the harts run on a PLL that gives no clock")
        rate = CRYSTAL * ((pll >> 4 & 63) + 1) // ((pll & 15) + 1) // ((pll >> 10 & 15) + 1)
        return rate // (2 << (select >> 1 & 3))

    @property
    def apb1_hz(self) -> int:
        """The clock of the bus that the OTP and the AES engine are on."""
        return self.cpu_hz // ((self.values["clk_sel0"] >> 6 & 7) + 1)

    def write_peri_reset(self, value: int) -> None:
        self.values["peri_reset"] = value
        if value & AES_RESET:
            self.chip.aes.reset()

    def write_soft_reset(self, value: int) -> None:
        if value & 1:
            self.chip.request_reset()


class Gpiohs(Device):
    """32 fast GPIOs. `pulled` has the levels that keys and slaves give to the inputs."""

    NAME, BASE = "GPIOHS", 0x38001000
    REGISTERS = registers(
        "input_val input_en output_en output_val pullup_en drive rise_ie rise_ip fall_ie fall_ip "
        "high_ie high_ip low_ie low_ip iof_en iof_sel output_xor"
    )

    def __init__(self, chip) -> None:
        super().__init__(chip)
        self.pulled = WORD
        self.listeners: list = []

    def read_input_val(self) -> int:
        driven = self.values["output_en"]
        return self.pulled & ~driven | self.values["output_val"] & driven

    def write_output_val(self, value: int) -> None:
        changed = value ^ self.values["output_val"]
        self.values["output_val"] = value
        for number, listener in self.listeners:
            if changed >> number & 1:
                listener(value >> number & 1)


class Gpio(Device):
    """Eight slow GPIOs; all inputs read high."""

    NAME, BASE = "GPIO", 0x50200000
    REGISTERS = blocks(
        registers("data_output direction source"),
        registers("interrupt_enable interrupt_mask interrupt_level interrupt_polarity", 0x30),
        registers("interrupt_status interrupt_status_raw interrupt_debounce interrupt_clear", 0x40),
        registers("data_input", 0x50),
        registers("sync_level id_code interrupt_bothedge", 0x60),
    )

    def read_data_input(self) -> int:
        return 0xFF


class Fpioa(Device):
    """Which function each of 48 pins has; kept, not routed, but for keys (see Chip.press)."""

    NAME, BASE = "FPIOA", 0x502B0000
    REGISTERS = blocks(
        {4 * pin: f"pin{pin}" for pin in range(48)},
        {4 * at: f"tie{at}" for at in range(48, 64)},
    )
    GPIOHS0 = 24

    def gpiohs_of(self, pin: int) -> int | None:
        """Return which GPIOHS a pin is, None if it is something else."""
        number = (self.values[f"pin{pin}"] & 0xFF) - self.GPIOHS0
        return number if 0 <= number < 32 else None


class Timer(Device):
    """Three blocks of four timers. They count the clock and give no interrupts."""

    REGISTERS = blocks(
        {
            0x14 * channel + 4 * at: f"{name}{channel}"
            for channel in range(4)
            for at, name in enumerate(("load", "value", "control", "eoi", "status"))
        },
        registers("status eoi raw_status version load2_0 load2_1 load2_2 load2_3", 0xA0),
    )

    def __init__(self, chip, number: int) -> None:
        super().__init__(chip, f"TIMER{number}", 0x502D0000 + 0x10000 * number)
        for channel in range(4):
            self._reads[0x14 * channel + 4] = lambda: -chip.mtime() & 0xFFFFFFF


class Watchdog(Device):
    """Kept, never bites."""

    REGISTERS = registers("control timeout value restart status eoi - protection")


class Rtc(Device):
    """The calendar stands still at what was written."""

    NAME, BASE = "RTC", 0x50460000
    REGISTERS = registers(
        "date time alarm_date alarm_time initial_count current_count interrupt control "
        "resv0 resv1 extended"
    )


class I2s(Device):
    """Nothing is played or heard."""

    REGISTERS = blocks(
        registers("ier irer iter cer ccr rxffr txffr"),
        {
            0x20 + 0x40 * channel + 4 * at: f"{name}{channel}"
            for channel in range(4)
            for at, name in enumerate(OF_I2S_CHANNEL)
        },
        registers("rxdma rrxdma txdma rtxdma", 0x1C0),
        registers("comp2 comp1 version type", 0x1F0),
    )


class Fft(Device):
    """Kept, calculates nothing: a program that waits for it waits for ever."""

    NAME, BASE = "FFT", 0x42000000
    REGISTERS = registers(
        "input input_hi ctrl ctrl_hi threshold threshold_hi mask mask_hi clear clear_hi status "
        "status_hi raw raw_hi output output_hi"
    )


class SpiSlave(Device):
    """SPI2, which is a slave only: kept."""

    NAME, BASE = "SPISLAVE", 0x50240000
    REGISTERS = registers("ctrlr0 ctrlr1 ssienr")
