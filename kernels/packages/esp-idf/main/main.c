/* SPDX-License-Identifier: Apache-2.0 */
/* Written by edgevit. */
#include <inttypes.h>
#include <stdio.h>

#include "esp_timer.h"

#include "ev_example.h"

void app_main(void)
{
    const int64_t start = esp_timer_get_time();
    const int good = ev_example();
    printf("%" PRId64 " us, golden %s\n", esp_timer_get_time() - start, good ? "ok" : "bad");
}
