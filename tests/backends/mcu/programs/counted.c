/* Calls the functions of counted_arm.S or counted_riscv.S, whose instructions are known one by one. */
#include "ev_run.h"

void loop(uint32_t times);       /* 1 + 2 * times + 1 instructions */
void into_next(void);            /* 2, and then goes on into next */
void next(void);                 /* 3 */
uint32_t choose(uint32_t value); /* 5 */
void dig(void);                  /* 4, and 200 bytes of stack */

int main(void)
{
    loop(1);
    loop(1000);
    into_next();
    next();
    dig();
    return (int)(choose(0) + choose(1));
}
