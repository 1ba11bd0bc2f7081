/* SPDX-License-Identifier: MIT
 *
 * Parity with the JVM's arenas and segments: the rules that were established by probing java.lang.foreign, row by row, each a test
 * named after its row. Rows that need sections, typed atomics or a garbage collector are not here; L1-L3 only as far as unaligned
 * access goes; M1-M3 is adoption of a mapping of one's own.
 */
#include "suite.h"

#include "crew.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

static void parity_A1_to_A3_kinds_of_arena_zeroed_aligned_without_overlap(void **state) {
    (void)state;
    const uint32_t kinds[] = { HF_SHARED, HF_CONFINED, HF_GLOBAL };
    for (unsigned k = 0; k < 3; k++) {
        hf_arena_options options = HF_ARENA_OPTIONS_INIT;
        hf_arena arena;
        hf_segment pieces[64];
        options.kind = kinds[k];
        assert_ok(hf_arena_open(&options, &arena));
        for (unsigned i = 0; i < 64; i++) {
            assert_ok(hf_arena_allocate(arena, i * 13, (size_t)1 << i % 13, &pieces[i]));
            assert_int_equal((uintptr_t)pieces[i].address % ((size_t)1 << i % 13), 0);
            assert_true(all_bytes_are(pieces[i].address, pieces[i].size, 0));
            memset(pieces[i].address, (int)i, pieces[i].size);
        }
        for (unsigned i = 0; i < 64; i++)
            for (unsigned j = 0; j < i; j++)
                assert_true(pieces[i].address != pieces[j].address);
        for (unsigned i = 0; i < 64; i++)
            assert_true(all_bytes_are(pieces[i].address, pieces[i].size, (unsigned char)i));
        assert_status(hf_arena_close(arena, 0), kinds[k] == HF_GLOBAL ? HF_INVALID : HF_OK);
    }
}

static void parity_A4_to_A8_impossible_sizes_and_alignments_are_refused(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment none = { 0 };
    assert_status(hf_arena_allocate(arena, (size_t)-1, 1, &none), HF_NO_MEMORY);
    assert_status(hf_arena_allocate(arena, SIZE_MAX - 4095, 4096, &none), HF_NO_MEMORY);
    assert_status(hf_arena_allocate(arena, 8, 0, &none), HF_INVALID);
    assert_status(hf_arena_allocate(arena, 8, 12, &none), HF_INVALID);
    assert_status(hf_pool_allocate(pool, (size_t)-1, 0, &none), HF_NO_MEMORY);
    size_t got = 99;
    assert_int_not_equal(hf_pool_allocate_many(pool, 4096, 0, SIZE_MAX, (hf_segment[256]){ { 0 } }, &got), HF_OK);
    assert_int_equal(got, 256); /* the limit ends it; no count times size may wrap */
    assert_null(none.address);
    assert_ok(hf_arena_close(arena, 0));
}

struct off_thread {
    hf_arena arena;
    hf_segment page;
    hf_status allocate, check, read, pin, slice, close;
};

static void off_thread_member(unsigned me, void *context) {
    struct off_thread *o = context;
    char byte;
    hf_segment result;
    hf_pinned pin;
    (void)me;
    o->allocate = hf_arena_allocate(o->arena, 1, 1, &result);
    o->check = hf_check(&o->page);
    o->read = hf_read(&o->page, 0, &byte, 1);
    o->pin = hf_pin(&o->page, &pin);
    o->slice = hf_slice(&o->page, 1, 1, &result);
    o->close = hf_arena_close(o->arena, 0);
}

static void parity_A9_to_A10_after_close_and_off_the_thread(void **state) {
    (void)state;
    hf_arena_options options = HF_ARENA_OPTIONS_INIT;
    struct off_thread o;
    hf_segment none;
    options.kind = HF_CONFINED;
    assert_ok(hf_arena_open(&options, &o.arena));
    assert_ok(hf_arena_allocate(o.arena, 64, 8, &o.page));
    crew_run(1, off_thread_member, &o);
    assert_int_equal(o.allocate, HF_WRONG_THREAD);
    assert_int_equal(o.check, HF_WRONG_THREAD);
    assert_int_equal(o.read, HF_WRONG_THREAD);
    assert_int_equal(o.pin, HF_WRONG_THREAD);
    assert_int_equal(o.slice, HF_OK);
    assert_int_equal(o.close, HF_WRONG_THREAD);
    assert_ok(hf_arena_close(o.arena, 0));
    assert_status(hf_arena_allocate(o.arena, 1, 1, &none), HF_CLOSED);
}

static void count_one(void *context) {
    atomic_fetch_add((atomic_uint *)context, 1);
}

static void parity_A11_to_A15_close_ends_all_once(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    atomic_uint ran = 0;
    hf_segment piece, slice, view;
    assert_ok(hf_arena_allocate(arena, 64, 8, &piece));
    assert_ok(hf_slice(&piece, 8, 8, &slice));
    assert_ok(hf_as_read_only(&piece, &view));
    assert_ok(hf_arena_on_close(arena, count_one, &ran));
    assert_ok(hf_arena_close(arena, 0));
    assert_status(hf_check(&piece), HF_CLOSED);
    assert_status(hf_check(&slice), HF_CLOSED);
    assert_status(hf_check(&view), HF_CLOSED);
    assert_int_equal(atomic_load(&ran), 1);
    assert_status(hf_arena_close(arena, 0), HF_CLOSED);
    assert_int_equal(atomic_load(&ran), 1);
}

static void parity_A14_close_while_acquired_is_refused_and_the_arena_lives(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_segment piece;
    hf_pinned pin;
    assert_ok(hf_arena_allocate(arena, 64, 8, &piece));
    assert_ok(hf_pin(&piece, &pin));
    assert_status(hf_arena_close(arena, 0), HF_BUSY);
    assert_ok(hf_check(&piece));
    assert_ok(hf_unpin(&pin));
    assert_ok(hf_arena_close(arena, 0));
}

/* Shared close against busy readers: readers get a status, never a crash, and bytes only while it is HF_OK. */
struct busy {
    hf_arena arena;
    hf_segment page;
    hf_status last[3], closed;
    unsigned wrong[3];
    atomic_uint reading;
};

static void busy_member(unsigned me, void *context) {
    struct busy *b = context;
    if (me == 3) {
        while (atomic_load(&b->reading) < 3)
            sched_yield();
        b->closed = hf_arena_close(b->arena, HF_FOREVER);
        return;
    }
    for (unsigned i = 0;; i++) {
        uint64_t value = 0;
        b->last[me] = i % 2 ? hf_get_u64(&b->page, 8, &value) : hf_read(&b->page, 8, &value, sizeof value);
        if (b->last[me] != HF_OK)
            break;
        b->wrong[me] += value != UINT64_C(0x4242424242424242);
        if (i == 100)
            atomic_fetch_add(&b->reading, 1);
    }
}

static void parity_A16_shared_close_against_busy_readers(void **state) {
    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        struct busy b = { .arena = open_arena() };
        b.page = take(open_pool(b.arena, MIB), 4 * KIB);
        assert_ok(hf_fill(&b.page, 0, b.page.size, 0x42));
        crew_run(4, busy_member, &b);
        assert_int_equal(b.closed, HF_OK);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(b.last[i], HF_CLOSED);
            assert_int_equal(b.wrong[i], 0);
        }
    }
}

struct chain {
    unsigned ran;
    hf_arena arena;
    hf_status registering, allocating, closing, opening;
};

static void ask_everything(void *context) {
    struct chain *c = context;
    hf_segment none;
    hf_arena other;
    c->ran++;
    c->registering = hf_arena_on_close(c->arena, ask_everything, c);
    c->allocating = hf_arena_allocate(c->arena, 1, 1, &none);
    c->closing = hf_arena_close(c->arena, 0);
    c->opening = hf_arena_open(NULL, &other);
    if (c->opening == HF_OK)
        c->opening = hf_arena_close(other, 0);
}

static void parity_A18_C6_to_C8_a_cleanup_that_asks_its_own_arena_is_told_closed(void **state) {
    (void)state;
    struct chain c = { .arena = open_arena() };
    assert_ok(hf_arena_on_close(c.arena, ask_everything, &c));
    assert_ok(hf_arena_close(c.arena, 0));
    assert_int_equal(c.ran, 1);
    assert_int_equal(c.registering, HF_CLOSED);
    assert_int_equal(c.allocating, HF_CLOSED);
    assert_int_equal(c.closing, HF_CLOSED);
    assert_int_equal(c.opening, HF_OK);
    assert_status(hf_arena_on_close(c.arena, ask_everything, &c), HF_CLOSED);
    assert_int_equal(c.ran, 1);
}

static void parity_R1_to_R4_foreign_memory_has_the_arenas_lifetime_and_views_only_narrow(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    char block[128];
    atomic_uint ran = 0;
    hf_segment adopted, slice, wider, none;
    assert_ok(hf_arena_adopt(arena, block, sizeof block, count_one, &ran, &adopted));
    assert_ok(hf_write(&adopted, 0, "hello", 6));
    assert_string_equal(block, "hello");
    assert_ok(hf_slice(&adopted, 8, 8, &slice));
    assert_status(hf_slice(&slice, 0, 9, &wider), HF_OUT_OF_BOUNDS);
    assert_ok(hf_arena_close(arena, 0));
    assert_int_equal(atomic_load(&ran), 1);
    assert_ok(hf_slice(&adopted, 0, 8, &none)); /* a slice of the dead is dead */
    assert_status(hf_write(&none, 0, "x", 1), HF_CLOSED);
    assert_status(hf_read(&adopted, 0, (char[1]){ 0 }, 1), HF_CLOSED);
}

static void parity_S1_to_S4_bounds_do_not_overflow_and_the_dead_can_be_sliced(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_segment piece, slice, empty;
    assert_ok(hf_arena_allocate(arena, 100, 8, &piece));
    assert_ok(hf_slice(&piece, 100, 0, &empty));
    assert_int_equal(empty.size, 0);
    assert_ok(hf_check(&empty));
    assert_status(hf_slice(&piece, 101, 0, &slice), HF_OUT_OF_BOUNDS);
    assert_status(hf_slice(&piece, 50, 51, &slice), HF_OUT_OF_BOUNDS);
    assert_status(hf_slice(&piece, SIZE_MAX, 2, &slice), HF_OUT_OF_BOUNDS);
    assert_ok(hf_arena_close(arena, 0));
    assert_ok(hf_slice(&piece, 10, 10, &slice));
    assert_int_equal(slice.size, 10);
    assert_status(hf_check(&slice), HF_CLOSED);
    assert_status(hf_fill(&slice, 0, 1, 1), HF_CLOSED);
}

static void parity_S5_an_offset_that_wraps_reads_nothing(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_segment piece;
    uint64_t value = 7;
    assert_ok(hf_arena_allocate(arena, 64, 8, &piece));
    value = 7;
    assert_status(hf_get_u64(&piece, SIZE_MAX - 6, &value), HF_OUT_OF_BOUNDS);
    assert_status(hf_get_u8(&piece, SIZE_MAX, (uint8_t *)&value), HF_OUT_OF_BOUNDS);
    assert_int_equal(value, 7);
    assert_ok(hf_arena_close(arena, 0));
}

static void parity_L1_to_L3_numbers_at_any_offset_aligned_or_not(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_segment page = take(open_pool(arena, MIB), 4 * KIB);
    for (size_t at = 0; at < 40; at++) {
        uint8_t u8 = 0;
        uint16_t u16 = 0;
        uint32_t u32 = 0;
        uint64_t u64 = 0, raw = 0;
        assert_ok(hf_set_u64(&page, at, UINT64_C(0x8877665544332211)));
        assert_ok(hf_get_u64(&page, at, &u64));
        memcpy(&raw, (char *)page.address + at, sizeof raw);
        assert_int_equal(u64, UINT64_C(0x8877665544332211));
        assert_int_equal(raw, u64);
        assert_ok(hf_set_u32(&page, at, 0xddccbbaau));
        assert_ok(hf_get_u32(&page, at, &u32));
        assert_int_equal(u32, 0xddccbbaau);
        assert_ok(hf_set_u16(&page, at, 0xf00f));
        assert_ok(hf_get_u16(&page, at, &u16));
        assert_int_equal(u16, 0xf00f);
        assert_ok(hf_set_u8(&page, at, 0x7e));
        assert_ok(hf_get_u8(&page, at, &u8));
        assert_int_equal(u8, 0x7e);
    }
    assert_ok(hf_arena_close(arena, 0));
}

static void parity_O1_read_only_views_refuse_every_write_and_slices_inherit(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    static char block[64];
    hf_segment memory[3];
    memory[0] = take(open_pool(arena, MIB), 4 * KIB);
    assert_ok(hf_arena_allocate(arena, 64, 8, &memory[1]));
    assert_ok(hf_arena_adopt(arena, block, sizeof block, NULL, NULL, &memory[2]));
    for (unsigned i = 0; i < 3; i++) {
        hf_segment view, slice;
        uint32_t value;
        size_t where;
        assert_ok(hf_as_read_only(&memory[i], &view));
        assert_ok(hf_slice(&view, 8, 8, &slice));
        assert_ok(hf_check(&view));
        assert_status(hf_write(&view, 0, "x", 1), HF_READ_ONLY);
        assert_status(hf_fill(&slice, 0, 8, 1), HF_READ_ONLY);
        assert_status(hf_set_u32(&slice, 0, 1), HF_READ_ONLY);
        assert_status(hf_copy(&memory[i], 0, &view, 0, 1), HF_READ_ONLY);
        assert_ok(hf_get_u32(&slice, 0, &value));
        assert_ok(hf_mismatch(&view, &memory[i], &where));
        assert_int_equal(where, SIZE_MAX);
        assert_ok(hf_copy(&view, 0, &memory[i], 0, 8));
    }
    assert_ok(hf_arena_close(arena, 0));
}

static void parity_B1_copy_moves_like_memmove_at_all_sizes(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_segment page = take(open_pool(arena, 8 * MIB), 64 * KIB);
    unsigned char *model = malloc(page.size);
    uint64_t random = 5;
    for (size_t i = 0; i < page.size; i++)
        ((unsigned char *)page.address)[i] = model[i] = (unsigned char)next_random(&random);
    for (unsigned i = 0; i < 600; i++) {
        size_t size = i < 300 ? i : next_random(&random) % page.size;
        size_t from = next_random(&random) % (page.size - size + 1);
        size_t to = i % 2 ? next_random(&random) % (page.size - size + 1) : (from + 3 <= page.size - size ? from + 3 : from);
        assert_ok(hf_copy(&page, from, &page, to, size));
        memmove(model + to, model + from, size);
        assert_memory_equal(page.address, model, page.size);
    }
    free(model);
    assert_ok(hf_arena_close(arena, 0));
}

static void parity_B2_B5_overflow_copies_nothing_and_the_dead_refuse_a_copy_of_nothing(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment page = take(pool, 4 * KIB), other = take(pool, 4 * KIB);
    assert_status(hf_copy(&page, 1, &other, 0, SIZE_MAX), HF_OUT_OF_BOUNDS);
    assert_status(hf_copy(&page, 0, &other, 1, SIZE_MAX), HF_OUT_OF_BOUNDS);
    assert_true(all_bytes_are(other.address, other.size, 0));
    assert_ok(hf_copy(&page, 4096, &other, 0, 0));
    assert_ok(hf_release(&page));
    assert_status(hf_copy(&page, 0, &other, 0, 0), HF_STALE);
    assert_status(hf_copy(&other, 0, &page, 0, 0), HF_STALE);
    assert_status(hf_fill(&page, 0, 0, 0), HF_STALE);
    assert_ok(hf_arena_close(arena, 0));
}

static void parity_B6_mismatch_is_the_first_difference_the_shorter_length_or_none(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, MIB);
    hf_segment a = take(pool, 4 * KIB), b = take(pool, 4 * KIB), prefix, empty;
    size_t where = 0;
    assert_ok(hf_mismatch(&a, &b, &where));
    assert_int_equal(where, SIZE_MAX);
    for (size_t at = 0; at < 4096; at += 117) {
        assert_ok(hf_set_u8(&a, at, 1));
        assert_ok(hf_mismatch(&a, &b, &where));
        assert_int_equal(where, at);
        assert_ok(hf_set_u8(&b, at, 1));
    }
    assert_ok(hf_mismatch(&a, &a, &where));
    assert_int_equal(where, SIZE_MAX);
    assert_ok(hf_slice(&a, 0, 100, &prefix));
    assert_ok(hf_slice(&a, 0, 0, &empty));
    assert_ok(hf_mismatch(&prefix, &b, &where));
    assert_int_equal(where, 100);
    assert_ok(hf_mismatch(&b, &empty, &where));
    assert_int_equal(where, 0);
    assert_ok(hf_mismatch(&empty, &empty, &where));
    assert_int_equal(where, SIZE_MAX);
    assert_ok(hf_arena_close(arena, 0));
}

/* On the JVM a slicing allocator that is full leaves its state unchanged and serves smaller requests; so does a pool at its limit.
 * */
static void parity_P1_to_P4_what_is_full_still_serves_smaller_requests(void **state) {
    (void)state;
    hf_arena arena = open_arena();
    hf_pool pool = open_pool(arena, 128 * KIB);
    hf_segment page = take(pool, 64 * KIB), none, piece;
    assert_status(hf_pool_allocate(pool, 128 * KIB, 0, &none), HF_NO_MEMORY);
    assert_status(hf_pool_allocate(pool, MIB, 0, &none), HF_NO_MEMORY);
    hf_segment small = take(pool, 32 * KIB);
    assert_ok(hf_check(&page));
    assert_ok(hf_check(&small));
    assert_status(hf_arena_allocate(arena, SIZE_MAX / 2, 8, &none), HF_NO_MEMORY);
    assert_ok(hf_arena_allocate(arena, 100, 8, &piece));
    assert_true(all_bytes_are(piece.address, 100, 0));
    assert_ok(hf_arena_reset(arena));
    assert_status(hf_check(&piece), HF_STALE);
    assert_ok(hf_arena_close(arena, 0));
}

static void unmap(void *context) {
    munmap(context, 8192);
}

static void parity_M1_to_M3_a_mapping_of_ones_own_is_adopted_and_unmapped_at_close(void **state) {
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite("page of a file", 1, 15, file), 15);
    assert_int_equal(fflush(file), 0);
    hf_arena arena = open_arena();
    void *mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
    assert_true(mapped != MAP_FAILED);
    hf_segment segment;
    char text[15], back[4] = { 0 };
    assert_ok(hf_arena_adopt(arena, mapped, 4096, unmap, mapped, &segment));
    assert_ok(hf_read(&segment, 0, text, sizeof text));
    assert_string_equal(text, "page of a file");
    assert_ok(hf_write(&segment, 0, "PAGE", 4));
    assert_int_equal(msync(mapped, 4096, MS_SYNC), 0);
    assert_ok(hf_arena_close(arena, 0));
    assert_status(hf_read(&segment, 0, text, sizeof text), HF_CLOSED);
    rewind(file);
    assert_int_equal(fread(back, 1, 4, file), 4);
    assert_memory_equal(back, "PAGE", 4);
    fclose(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parity_A1_to_A3_kinds_of_arena_zeroed_aligned_without_overlap),
        cmocka_unit_test(parity_A4_to_A8_impossible_sizes_and_alignments_are_refused),
        cmocka_unit_test(parity_A9_to_A10_after_close_and_off_the_thread),
        cmocka_unit_test(parity_A11_to_A15_close_ends_all_once),
        cmocka_unit_test(parity_A14_close_while_acquired_is_refused_and_the_arena_lives),
        cmocka_unit_test(parity_A16_shared_close_against_busy_readers),
        cmocka_unit_test(parity_A18_C6_to_C8_a_cleanup_that_asks_its_own_arena_is_told_closed),
        cmocka_unit_test(parity_R1_to_R4_foreign_memory_has_the_arenas_lifetime_and_views_only_narrow),
        cmocka_unit_test(parity_S1_to_S4_bounds_do_not_overflow_and_the_dead_can_be_sliced),
        cmocka_unit_test(parity_S5_an_offset_that_wraps_reads_nothing),
        cmocka_unit_test(parity_L1_to_L3_numbers_at_any_offset_aligned_or_not),
        cmocka_unit_test(parity_O1_read_only_views_refuse_every_write_and_slices_inherit),
        cmocka_unit_test(parity_B1_copy_moves_like_memmove_at_all_sizes),
        cmocka_unit_test(parity_B2_B5_overflow_copies_nothing_and_the_dead_refuse_a_copy_of_nothing),
        cmocka_unit_test(parity_B6_mismatch_is_the_first_difference_the_shorter_length_or_none),
        cmocka_unit_test(parity_P1_to_P4_what_is_full_still_serves_smaller_requests),
        cmocka_unit_test(parity_M1_to_M3_a_mapping_of_ones_own_is_adopted_and_unmapped_at_close),
    };
    return cmocka_run_group_tests_name("contract_parity", tests, NULL, NULL);
}
