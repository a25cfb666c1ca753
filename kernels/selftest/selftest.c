/* SPDX-License-Identifier: Apache-2.0 */
/* The self-test: is what is in the flash what was exported, and does this core compute what it should? It
   prints

       edgevit selftest 1 <model>
       layer <name> <ticks>         for each layer
       total <ticks> <hz>           one run without the layers' clock
       golden ok                    or bad
       end

   and its exit status is 0 where all is well. Weights and golden vectors are summed first; then the
   network is run twice, in one shot and, where it takes an image by rows, by rows. Where it has states, that is twice
   a sequence of calls. */
#include <string.h>

#ifndef EV_MODEL_TRACE
#define EV_MODEL_TRACE /* as the network is compiled for it, too */
#endif
#include "edgevit_model.h"
#include "edgevit_model_weights.h"
#include "ev_golden.h"
#include "ev_port.h"

__attribute__((section(".bss.ev_arena"), aligned(16))) static uint8_t arena[EV_MODEL_ARENA_BYTES];
__attribute__((aligned(16))) static uint8_t result[EV_GOLDEN_OUTPUTS][EV_GOLDEN_LARGEST_OUTPUT];
static uint64_t spent[EV_MODEL_LAYERS];
static uint64_t begun;
static int timed;

/* The network calls it. The counter is read in any case: some must be, once a wrap. */
void ev_model_trace(uint32_t layer, int after)
{
    const uint64_t now = ev_port_ticks();
    if (!after)
        begun = now;
    else if (timed)
        spent[layer] += now - begun;
}

static void put_text(const char *text)
{
    while (*text)
        ev_port_put(*text++);
}

static void put_number(uint64_t number)
{
    char digits[20];
    uint32_t count = 0;
    uint32_t parts[3] = {0, 0, 0}; /* nine digits each, without a 64-bit division */
    for (int bit = 63; bit >= 0; bit--) {
        uint32_t carry = (uint32_t)(number >> bit) & 1;
        for (int k = 0; k < 3; k++) {
            parts[k] = parts[k] * 2 + carry;
            carry = parts[k] >= 1000000000u;
            parts[k] -= carry ? 1000000000u : 0;
        }
    }
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 9 && count < sizeof digits; i++, parts[k] /= 10)
            digits[count++] = (char)('0' + parts[k] % 10);
    while (count > 1 && digits[count - 1] == '0')
        count--;
    while (count)
        ev_port_put(digits[--count]);
}

/* CRC-32 as in IEEE 802.3, four bits at a time. */
static uint32_t crc32(uint32_t crc, const void *data, uint32_t size)
{
    static const uint32_t NIBBLE[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
        0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
    };
    const uint8_t *byte = data;
    crc = ~crc;
    for (uint32_t i = 0; i < size; i++) {
        crc ^= byte[i];
        crc = crc >> 4 ^ NIBBLE[crc & 15];
        crc = crc >> 4 ^ NIBBLE[crc & 15];
    }
    return ~crc;
}

#ifdef EV_MODEL_WEIGHTS_STREAMED

static uint32_t sum_of_weights(void)
{
    static uint8_t piece[256];
    uint32_t sum = 0;
    for (uint32_t at = 0, size; at < EV_MODEL_WEIGHTS_BYTES; at += size) {
        size = EV_MODEL_WEIGHTS_BYTES - at < sizeof piece ? EV_MODEL_WEIGHTS_BYTES - at : sizeof piece;
        if (ev_model_read_weights(at, piece, size) != 0)
            return ~EV_WEIGHTS_CRC32;
        sum = crc32(sum, piece, size);
    }
    return sum;
}

#else

static uint32_t sum_of_weights(void)
{
    return crc32(0, ev_model_weights, EV_MODEL_WEIGHTS_BYTES);
}

#endif

static int same_sums(void)
{
    uint32_t golden = 0;
    for (int k = 0; k < EV_GOLDEN_INPUTS; k++)
        golden = crc32(golden, ev_golden_inputs[k], ev_golden_input_bytes[k]);
    for (int k = 0; k < EV_GOLDEN_OUTPUTS * EV_GOLDEN_CALLS; k++)
        golden = crc32(golden, ev_golden_outputs[k], ev_golden_output_bytes[k]);
    return golden == EV_GOLDEN_CRC32 && sum_of_weights() == EV_WEIGHTS_CRC32;
}

static int same_outputs(int call)
{
    int same = 1;
    for (int k = 0; k < EV_GOLDEN_OUTPUTS; k++) {
        const uint8_t *golden = ev_golden_outputs[call * EV_GOLDEN_OUTPUTS + k];
        for (uint32_t i = 0; i < ev_golden_output_bytes[call * EV_GOLDEN_OUTPUTS + k]; i++)
            same &= result[k][i] == golden[i];
    }
    memset(result, 0, sizeof result);
    return same;
}

/* Begins a sequence of calls, where they take over states. */
static int reset(void)
{
#ifdef EV_MODEL_STATE_BYTES
    return ev_model_reset_state(arena) == EV_OK;
#else
    return 1;
#endif
}

static int run(int call)
{
    void *outputs[EV_GOLDEN_OUTPUTS];
    for (int k = 0; k < EV_GOLDEN_OUTPUTS; k++)
        outputs[k] = result[k];
    return ev_model_run(ev_golden_inputs, outputs, arena) == 0 && same_outputs(call);
}

#ifdef EV_MODEL_ROWS

/* As a camera would: a few rows at a time. */
static int run_again(int call)
{
    static ev_model model;
    const uint8_t *rows = ev_golden_inputs[0];
    void *outputs[EV_GOLDEN_OUTPUTS];
    for (int k = 0; k < EV_GOLDEN_OUTPUTS; k++)
        outputs[k] = result[k];
    if (ev_model_begin(&model, arena, sizeof arena) != EV_OK)
        return 0;
    for (uint32_t row = 0; row < EV_MODEL_ROWS;) {
        const uint32_t remaining = EV_MODEL_ROWS - row, count = remaining < 3 ? remaining : 3;
        if (ev_model_push_rows(&model, rows + row * EV_MODEL_ROW_BYTES, count) != EV_OK)
            return 0;
        row += count;
    }
    return ev_model_finish(&model, outputs) == EV_OK && same_outputs(call);
}

#else

static int run_again(int call)
{
    return run(call);
}

#endif

static int test(void)
{
    put_text("edgevit selftest 1 " EV_MODEL_HASH "\n");
    memset(spent, 0, sizeof spent);
    int good = same_sums();

    timed = 0;
    good &= reset();
    const uint64_t start = ev_port_ticks();
    good &= run(0);
    const uint64_t total = ev_port_ticks() - start;
    for (int call = 1; call < EV_GOLDEN_CALLS; call++)
        good &= run(call);
    good &= reset();
    for (int call = 0; call < EV_GOLDEN_CALLS; call++) {
        timed = call == 0;
        good &= run_again(call);
    }

    for (uint32_t k = 0; k < EV_MODEL_LAYERS; k++) {
        put_text("layer ");
        put_text(ev_model_layers[k]);
        ev_port_put(' ');
        put_number(spent[k]);
        ev_port_put('\n');
    }
    put_text("total ");
    put_number(total);
    ev_port_put(' ');
    put_number(ev_port_hz());
    put_text(good ? "\ngolden ok\nend\n" : "\ngolden bad\nend\n");
    return good;
}

int main(void)
{
    ev_port_init();
    int good;
    do
        good = test();
    while (ev_port_repeats());
    ev_port_exit(!good);
    return 0;
}
