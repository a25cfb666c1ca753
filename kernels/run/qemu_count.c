/* SPDX-License-Identifier: Apache-2.0 */
/* A QEMU plugin: counts the instructions of a program by region, and if asked how often each ran and
   which bytes of the RAM were read and written. It reads the file `plan` in the folder QEMU was started
   in, and writes `counts`, `profile`, `marks` and `unaligned` there as QEMU leaves.

   A counter is added to in line, once for a run of instructions that are left only at their end. Code
   below `start` is not counted. A region starts at the entry of a function. */
#include "qemu_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

EV_EXPORT int qemu_plugin_version = EV_PLUGIN_VERSION;
EV_EXPORT int qemu_plugin_install(
    qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv);

enum { MOST_REGIONS = 4096, READ = 1, WRITTEN = 2 };

/* Instructions in a row that are run as often as each other. */
struct run {
    struct run *next;
    uint64_t times;
    size_t count;
    uint64_t address[];
};

/* An instruction whose accesses are watched. */
struct place {
    struct place *next;
    uint64_t address;
    bool unaligned; /* once, or more often */
};

static struct {
    uint64_t start;
    uint64_t entry[MOST_REGIONS]; /* region k + 1 starts at entry[k]; region 0 is what comes before */
    size_t entries;
    bool profile;
    uint64_t ram_base, ram_size; /* size 0: accesses are not watched */
} plan;

static uint64_t executed;     /* instructions so far */
static uint64_t region_start; /* `executed` when the region was entered */
static size_t region;
static uint64_t by_region[MOST_REGIONS + 1];
static struct run *runs;
static struct place *places;
static uint8_t *marks; /* by byte of the RAM */

static void close_region(void)
{
    by_region[region] += executed - region_start;
    region_start = executed;
}

static void on_entry(unsigned cpu, void *data)
{
    (void)cpu;
    close_region();
    region = (size_t)(uintptr_t)data;
}

static void on_access(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
    (void)cpu;
    struct place *place = data;
    uint64_t size = (uint64_t)1 << qemu_plugin_mem_size_shift(info);
    if (address % size)
        place->unaligned = true;
    uint64_t first = address - plan.ram_base;
    if (address < plan.ram_base || first + size > plan.ram_size)
        return;
    for (uint64_t byte = first; byte < first + size; byte++)
        marks[byte] |= qemu_plugin_mem_is_store(info) ? WRITTEN : READ;
}

static bool is_quiet(uint64_t address)
{
    return address < plan.start;
}

/* The region that starts at the address; 0 where none does. */
static size_t region_at(uint64_t address)
{
    for (size_t k = 0; k < plan.entries; k++)
        if (plan.entry[k] == address)
            return k + 1;
    return 0;
}

static uint64_t address_of(const struct qemu_plugin_tb *tb, size_t index)
{
    return qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, index));
}

static void keep_profile(const struct qemu_plugin_tb *tb, size_t start, size_t end)
{
    struct run *run = malloc(sizeof *run + (end - start) * sizeof run->address[0]);
    run->next = runs;
    run->times = 0;
    run->count = end - start;
    for (size_t i = start; i < end; i++)
        run->address[i - start] = address_of(tb, i);
    runs = run;
    qemu_plugin_register_vcpu_insn_exec_inline(
        qemu_plugin_tb_get_insn(tb, start), EV_INLINE_ADD_U64, &run->times, 1);
}

static void count_run(const struct qemu_plugin_tb *tb, size_t start, size_t end)
{
    qemu_plugin_register_vcpu_insn_exec_inline(
        qemu_plugin_tb_get_insn(tb, start), EV_INLINE_ADD_U64, &executed, end - start);
    if (plan.profile)
        keep_profile(tb, start, end);
}

static void watch(const struct qemu_plugin_tb *tb, size_t index)
{
    struct place *place = malloc(sizeof *place);
    *place = (struct place){places, address_of(tb, index), false};
    places = place;
    qemu_plugin_register_vcpu_mem_cb(
        qemu_plugin_tb_get_insn(tb, index), on_access, EV_NO_REGISTERS, EV_READS_AND_WRITES, place);
}

/* A run ends in front of the entry of a region and in front of quiet code. */
static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(tb), start = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t address = address_of(tb, i);
        size_t entered = region_at(address);
        bool quiet = is_quiet(address);
        if ((entered || quiet) && i > start)
            count_run(tb, start, i);
        if (entered || quiet)
            start = quiet ? i + 1 : i;
        if (entered)
            qemu_plugin_register_vcpu_insn_exec_cb(
                qemu_plugin_tb_get_insn(tb, i), on_entry, EV_NO_REGISTERS, (void *)(uintptr_t)entered);
        if (plan.ram_size && !quiet)
            watch(tb, i);
    }
    if (count > start)
        count_run(tb, start, count);
}

static void write_profile(void)
{
    FILE *file = fopen("profile", "w");
    for (const struct run *run = runs; run; run = run->next)
        for (size_t i = 0; run->times && i < run->count; i++)
            fprintf(file, "%llu %llu\n", (unsigned long long)run->address[i],
                    (unsigned long long)run->times);
    fclose(file);
}

static void write_accesses(void)
{
    FILE *bytes = fopen("marks", "wb");
    fwrite(marks, 1, plan.ram_size, bytes);
    fclose(bytes);
    FILE *file = fopen("unaligned", "w");
    for (const struct place *place = places; place; place = place->next)
        if (place->unaligned)
            fprintf(file, "%llu\n", (unsigned long long)place->address);
    fclose(file);
}

static void on_exit_of_qemu(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    close_region();
    FILE *file = fopen("counts", "w");
    for (size_t k = 0; k <= plan.entries; k++)
        fprintf(file, "%llu\n", (unsigned long long)by_region[k]);
    fclose(file);
    if (plan.profile)
        write_profile();
    if (marks)
        write_accesses();
}

/* Lines of a word and numbers: "start ADDRESS", "entry ADDRESS", "profile 1", "ram BASE SIZE". */
static bool read_plan(void)
{
    FILE *file = fopen("plan", "r");
    if (!file)
        return false;
    char word[16];
    long long first, second;
    while (fscanf(file, "%15s %lli", word, &first) == 2) {
        if (!strcmp(word, "start")) {
            plan.start = (uint64_t)first;
        } else if (!strcmp(word, "ram") && fscanf(file, "%lli", &second) == 1) {
            plan.ram_base = (uint64_t)first;
            plan.ram_size = (uint64_t)second;
        } else if (!strcmp(word, "profile")) {
            plan.profile = true;
        } else if (!strcmp(word, "entry") && plan.entries < MOST_REGIONS) {
            plan.entry[plan.entries++] = (uint64_t)first;
        }
    }
    fclose(file);
    return true;
}

int qemu_plugin_install(
    qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    (void)argc;
    (void)argv;
    if (!read_plan())
        return 1;
    if (plan.ram_size)
        marks = calloc(1, plan.ram_size);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
    return 0;
}
