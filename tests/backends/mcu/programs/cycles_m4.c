/* Calls the functions of cycles_m4.S. */
#include "ev_run.h"

void loads(uint32_t *memory);
void loop(uint32_t *memory);
void moves(uint32_t *memory);

static uint32_t memory[8];

int main(void)
{
    loads(memory);
    loop(memory);
    moves(memory);
    return 0;
}
