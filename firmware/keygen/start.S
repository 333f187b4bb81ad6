/* Entry at 0x80000000, in machine mode, perhaps on both harts, the caches and clocks as the boot ROM
 * or a loader left them. Hart 1 sleeps for ever. */
    .section .text.start, "ax"
    .globl _start
_start:
    csrw mie, zero
    csrci mstatus, 8
    la t0, on_trap
    csrw mtvec, t0
    csrr t0, mhartid
    bnez t0, sleep
    la sp, stack_top
    la t0, bss_start
    la t1, bss_end
1:  bgeu t0, t1, 2f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 1b
2:  call main
sleep:
    wfi
    j sleep

    .balign 4
on_trap:
    csrr a0, mcause
    la sp, stack_top
    call trapped
    j sleep
