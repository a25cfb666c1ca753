/* SPDX-License-Identifier: Apache-2.0 */
/* int32_t ev_semihost(uint32_t operation, const void *argument): three instructions that must be four
   bytes each and lie in one page. */
    .section .text.ev_run, "ax"
    .balign 16
    .global ev_semihost
    .type ev_semihost, @function
ev_semihost:
    .option push
    .option norvc
    slli zero, zero, 0x1f
    ebreak
    srai zero, zero, 7
    .option pop
    ret
