/* SPDX-License-Identifier: Apache-2.0 */
/* ESP32-C3, started by "direct boot": the ROM finds the two words at the start of the flash and jumps to
   what follows them; the chip has to be of revision v0.3 or later. `make bin`, then
   `esptool --chip esp32c3 write-flash 0x0 build/.../selftest.bin`. Its UART0 goes on as the ROM set it up, 115200 baud. Ticks are the system timer's
   16 MHz, whatever the core's clock. Espressif, ESP32-C3 technical reference manual. */
#include "ev_port.h"

#define UART0 0x60000000u
#define RTC 0x60008000u
#define TIMER_GROUP0 0x6001F000u
#define TIMER_GROUP1 0x60020000u
#define SYSTIMER 0x60023000u

extern const uint32_t ev_direct_boot[2];
__attribute__((section(".boot.first"), used)) const uint32_t ev_direct_boot[2] = {
    0xAEDB041Du,
    0xAEDB041Du,
};

/* They run from reset on. */
static void stop_watchdogs(void)
{
    EV_REGISTER(RTC + 0xA8) = 0x50D83AA1u; /* RTC_CNTL_WDTWPROTECT */
    EV_REGISTER(RTC + 0x90) = 0;           /* RTC_CNTL_WDTCONFIG0 */
    EV_REGISTER(RTC + 0xB0) = 0x8F1D312Au; /* RTC_CNTL_SWD_WPROTECT */
    EV_REGISTER(RTC + 0xAC) |= 1u << 31;   /* RTC_CNTL_SWD_CONF: feeds itself */
    EV_REGISTER(TIMER_GROUP0 + 0x64) = 0x50D83AA1u; /* TIMG_WDTWPROTECT */
    EV_REGISTER(TIMER_GROUP0 + 0x48) = 0;           /* TIMG_WDTCONFIG0 */
    EV_REGISTER(TIMER_GROUP1 + 0x64) = 0x50D83AA1u;
    EV_REGISTER(TIMER_GROUP1 + 0x48) = 0;
}

void ev_port_init(void)
{
    stop_watchdogs();
}

uint64_t ev_port_ticks(void)
{
    EV_REGISTER(SYSTIMER + 0x04) = 1u << 30;              /* UNIT0_OP: take the count */
    while (!(EV_REGISTER(SYSTIMER + 0x04) & 1u << 29)) /* ... it is there */
        ;
    return ((uint64_t)EV_REGISTER(SYSTIMER + 0x40) << 32) + EV_REGISTER(SYSTIMER + 0x44);
}

uint32_t ev_port_hz(void)
{
    return 16000000u;
}

void ev_uart_put(char byte)
{
    while ((EV_REGISTER(UART0 + 0x1C) >> 16 & 0x3FF) > 100) /* STATUS: bytes waiting, of 128 */
        ;
    EV_REGISTER(UART0) = (uint8_t)byte;
}
