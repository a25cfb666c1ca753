/* SPDX-License-Identifier: Apache-2.0 */
/* Results of the calls of a model. After any but EV_OK nothing has changed, and nothing was computed. */
#ifndef EV_STATUS_H
#define EV_STATUS_H

enum {
    EV_OK = 0,
    EV_ERROR_ORDER = -1,      /* not begun, finished already, or states that were not reset */
    EV_ERROR_ROWS = -2,       /* more rows than the image has, or fewer when it is finished */
    EV_ERROR_ARENA = -3,      /* no arena, too small, or not aligned to 16 bytes */
    EV_ERROR_WEIGHTS = -4,    /* weights kept outside the program are not those of the model */
    EV_ERROR_OVERWRITTEN = -5 /* in a debug build: a byte was written that belongs to nobody */
};

#endif
