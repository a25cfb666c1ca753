/* SPDX-License-Identifier: Apache-2.0 */
/* What a program that runs on an emulated core may use. It has `int main(void)`. */
#ifndef EV_RUN_H
#define EV_RUN_H

#include <stdint.h>

/* A variable that the emulator fills before the program starts; start-up leaves it alone. */
#define EV_INPUT __attribute__((section(".bss.noinit"), aligned(16)))

/* Code and constants of the support itself: apart from the program's, and never counted. */
#define EV_RUN_CODE __attribute__((section(".text.ev_run")))
#define EV_RUN_DATA __attribute__((section(".rodata.ev_run")))

/* Appends to the output of the run. Not counted, and on a stack of its own. */
void ev_emit(const void *data, uint32_t size);

/* Appends to the text of the run. Not counted either. */
void ev_text(const char *text);

#endif
