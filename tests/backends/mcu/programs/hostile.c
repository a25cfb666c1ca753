/* Asks its host for what a program of a network never does: files by their path, their removal, commands. */
#include "ev_run.h"

#define TEXT(x) #x
#define QUOTED(x) TEXT(x)

int32_t ev_semihost(uint32_t operation, const void *argument);

static const char SECRET[] = QUOTED(FOLDER) "/secret";
static const char CANARY[] = QUOTED(FOLDER) "/canary";
static const char COMMAND[] = "touch " QUOTED(FOLDER) "/canary";
static uint8_t buffer[64];

int main(void)
{
    const uint32_t secret = (uint32_t)(uintptr_t)SECRET, canary = (uint32_t)(uintptr_t)CANARY;
    uint32_t read[3] = {secret, 0, sizeof(SECRET) - 1};
    int32_t from = ev_semihost(0x01, read); /* SYS_OPEN to read */
    uint32_t got[3] = {(uint32_t)from, (uint32_t)(uintptr_t)buffer, 32};
    ev_semihost(0x06, got);
    ev_emit(buffer, sizeof buffer);
    for (uint32_t mode = 0; mode < 12; mode++) {
        uint32_t write[3] = {canary, mode, sizeof(CANARY) - 1};
        int32_t to = ev_semihost(0x01, write);
        uint32_t put[3] = {(uint32_t)to, secret, 4};
        ev_semihost(0x05, put);
        ev_semihost(0x02, put);
    }
    uint32_t command[2] = {(uint32_t)(uintptr_t)COMMAND, sizeof(COMMAND) - 1};
    ev_semihost(0x12, command); /* SYS_SYSTEM */
    uint32_t removed[2] = {secret, sizeof(SECRET) - 1};
    ev_semihost(0x0E, removed); /* SYS_REMOVE */
    uint32_t renamed[4] = {secret, sizeof(SECRET) - 1, canary, sizeof(CANARY) - 1};
    ev_semihost(0x0F, renamed);
    for (uint32_t handle = 0; handle < 40; handle++) { /* files that somebody else has open */
        uint32_t put[3] = {handle, secret, 4};
        ev_semihost(0x05, put);
        ev_semihost(0x06, put);
        ev_semihost(0x0C, put);
    }
    uint32_t endless[3] = {1, secret, 0xFFFFFFF0u};
    ev_semihost(0x05, endless);
    ev_text("alive");
    return 7;
}
