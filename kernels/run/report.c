/* SPDX-License-Identifier: Apache-2.0 */
/* Talks to the machine that runs the emulator, by Arm's semihosting ("Semihosting for AArch32 and
   AArch64", and the RISC-V specification of the same calls). Stateless: it adds nothing to the RAM. */
#include "ev_run.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE = 0x05,
    SYS_SEEK = 0x0A,
    SYS_FLEN = 0x0C,
    SYS_EXIT = 0x18
};
enum { APPEND_BINARY = 9, STOPPED_APPLICATION_EXIT = 0x20026 };

int32_t ev_semihost(uint32_t operation, const void *argument);
void ev_append_output(const void *data, uint32_t size);
void ev_append_text(const char *text);
void ev_finish(uint32_t status, uint32_t stack_bytes);
void ev_fault(uint32_t pc, uint32_t cause, uint32_t detail);

static const char OUTPUT[] EV_RUN_DATA = "output";
static const char TEXT[] EV_RUN_DATA = "text";
static const char FINISH[] EV_RUN_DATA = "finish";
static const char FAULT[] EV_RUN_DATA = "fault";

EV_RUN_CODE static uint32_t length(const char *text)
{
    uint32_t count = 0;
    while (text[count])
        count++;
    return count;
}

EV_RUN_CODE static void append(const char *name, const void *data, uint32_t size)
{
    uint32_t file[3] = {(uint32_t)(uintptr_t)name, APPEND_BINARY, length(name)};
    uint32_t handle = (uint32_t)ev_semihost(SYS_OPEN, file);
    /* QEMU 7.2 opens a file for appending at its start. */
    uint32_t end[2] = {handle, (uint32_t)ev_semihost(SYS_FLEN, &handle)};
    ev_semihost(SYS_SEEK, end);
    uint32_t bytes[3] = {handle, (uint32_t)(uintptr_t)data, size};
    ev_semihost(SYS_WRITE, bytes);
    ev_semihost(SYS_CLOSE, bytes);
}

EV_RUN_CODE void ev_append_output(const void *data, uint32_t size)
{
    append(OUTPUT, data, size);
}

EV_RUN_CODE void ev_append_text(const char *text)
{
    append(TEXT, text, length(text));
}

EV_RUN_CODE static void leave(const char *name, uint32_t first, uint32_t second, uint32_t third)
{
    uint32_t words[3] = {first, second, third};
    append(name, words, sizeof words);
    for (;;)
        ev_semihost(SYS_EXIT, (const void *)STOPPED_APPLICATION_EXIT);
}

EV_RUN_CODE void ev_finish(uint32_t status, uint32_t stack_bytes)
{
    leave(FINISH, status, stack_bytes, 0);
}

EV_RUN_CODE void ev_fault(uint32_t pc, uint32_t cause, uint32_t detail)
{
    leave(FAULT, pc, cause, detail);
}
