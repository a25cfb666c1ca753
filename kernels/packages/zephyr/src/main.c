/* SPDX-License-Identifier: Apache-2.0 */
/* Written by edgevit. */
#include <zephyr/kernel.h>
#include <zephyr/sys/printk.h>

#include "ev_example.h"

int main(void)
{
    const uint32_t start = k_cycle_get_32();
    const int good = ev_example();
    printk("%u cycles, golden %s\n", k_cycle_get_32() - start, good ? "ok" : "bad");
    return 0;
}
