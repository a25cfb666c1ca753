/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that are updated without the program: an image of a head of EV_WEIGHTS_HEAD bytes and the weights behind it.
   A program has this header of the export it was built from, and takes images of later exports whose code is the same.
   With weights exported as `binary`, EV_MODEL_WEIGHTS_ADDRESS is the image's address + EV_WEIGHTS_HEAD. Written by
   edgevit. */
#ifndef EV_WEIGHTS_IMAGE_H
#define EV_WEIGHTS_IMAGE_H

#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EV_WEIGHTS_HEAD 96u
#define EV_WEIGHTS_BYTES @BYTES@u
/* SHA-256 of the code that the weights are for, comments left out. */
#define EV_WEIGHTS_CODE "@CODE@"

struct ev_weights_head {
    uint8_t magic[4]; /* "EVW1" */
    uint32_t version; /* as `--weights-version` said, little-endian like all of it */
    uint32_t bytes;
    uint32_t crc32;   /* IEEE 802.3, of the weights */
    uint8_t code[64]; /* in hexadecimal digits */
    uint8_t zeros[16];
};

/* Returns the image's version, or 0 where the program cannot use it: no image, weights of other code or size, or bytes
   that are not what was written. `image` is aligned to 4. */
static inline uint32_t ev_weights_version(const void *image)
{
    struct ev_weights_head head;
    memcpy(&head, image, sizeof head);
    if (memcmp(head.magic, "EVW1", 4) != 0 || head.bytes != EV_WEIGHTS_BYTES ||
        memcmp(head.code, EV_WEIGHTS_CODE, sizeof head.code) != 0)
        return 0;
    const uint8_t *byte = (const uint8_t *)image + EV_WEIGHTS_HEAD;
    uint32_t crc = ~(uint32_t)0;
    for (uint32_t i = 0; i < head.bytes; i++) {
        crc ^= byte[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc == head.crc32 ? head.version : 0;
}

#ifdef __cplusplus
}
#endif
#endif
