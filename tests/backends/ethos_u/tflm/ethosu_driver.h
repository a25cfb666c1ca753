#pragma once
#include <cstddef>
struct ethosu_driver {
    void *base;
};
extern "C" int ethosu_init(ethosu_driver *driver, void *base, const void *fast, size_t fast_bytes, unsigned secure, unsigned privileged);
extern "C" void ethosu_irq_handler(ethosu_driver *driver);
