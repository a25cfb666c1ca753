/* SPDX-License-Identifier: Apache-2.0 */
/* The self-test's text to a debugger or an emulator, by Arm's semihosting ("Semihosting for AArch32 and
   AArch64"; "RISC-V Semihosting"). Without one attached the core faults at the first byte. */
#include "ev_port.h"

enum { SYS_WRITEC = 0x03, SYS_EXIT = 0x18 };
enum { RUN_TIME_ERROR = 0x20023, APPLICATION_EXIT = 0x20026 };

int32_t ev_semihost(uint32_t operation, const void *argument);

void ev_port_put(char byte)
{
    ev_semihost(SYS_WRITEC, &byte);
}

void ev_port_exit(int status)
{
    const uintptr_t why = status ? RUN_TIME_ERROR : APPLICATION_EXIT;
    for (;;)
        ev_semihost(SYS_EXIT, (const void *)why);
}

int ev_port_repeats(void)
{
    return 0;
}
