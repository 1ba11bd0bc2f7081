/* SPDX-License-Identifier: MIT
 *
 * src/hold.h: each row of its table of transitions, and each transition that must be refused from every other state. Runs in the tiny
 * build too, where one pin is a full count and the fourth issue is refused.
 */
#include "suite.h"

#include "hold.h"

enum { ERA = 2 };

static const hf_hold_state every_state[] = { HF_HOLD_FREE, HF_HOLD_ISSUING, HF_HOLD_LIVE, HF_HOLD_LINGERING, HF_HOLD_CLOSED };
#define STATES (sizeof every_state / sizeof every_state[0])

static hf_hold word_of(uint64_t era, hf_hold_state state, uint64_t pins) {
    return (hf_hold){ hf_hold_word(era, state, pins) };
}

static void assert_word(const hf_hold *hold, uint64_t era, hf_hold_state state, uint64_t pins) {
    assert_int_equal(hold->word, hf_hold_word(era, state, pins));
}

static uint64_t pins_a_state_may_have(hf_hold_state state) {
    return state == HF_HOLD_FREE ? 0 : 1;
}

static void fields_do_not_touch_each_other(void **state) {
    (void)state;
    uint64_t word = hf_hold_word(HF_ERA_MAX, HF_HOLD_CLOSED, HF_PINS_MAX);
    assert_int_equal(hf_hold_era(word), HF_ERA_MAX);
    assert_int_equal(hf_hold_state_of(word), HF_HOLD_CLOSED);
    assert_int_equal(hf_hold_pins(word), HF_PINS_MAX);
    assert_int_equal(word & HF_VIEW_SPECIAL, 0);
}

static void a_view_matches_live_in_its_era_whatever_its_flags_and_the_pins(void **state) {
    (void)state;
    static const uint64_t flags[] = { 0, HF_VIEW_READ_ONLY, HF_VIEW_CONFINED, HF_VIEW_ADOPTED, HF_VIEW_BUMP, HF_VIEW_INTERIOR, 31 };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        uint64_t view = hf_view_era(ERA, flags[i]);
        assert_true(hf_hold_matches(hf_hold_word(ERA, HF_HOLD_LIVE, HF_PINS_MAX), view));
        assert_false(hf_hold_matches(hf_hold_word(ERA + 1, HF_HOLD_LIVE, 0), view));
        for (size_t s = 0; s < STATES; s++)
            assert_int_equal(hf_hold_matches(hf_hold_word(ERA, every_state[s], 0), view), every_state[s] == HF_HOLD_LIVE);
    }
}

/* What hf_check inlines: only a plain view may pass it. */
static void the_inline_compare_fails_for_views_that_need_more(void **state) {
    (void)state;
    uint64_t word = hf_hold_word(ERA, HF_HOLD_LIVE, 0);
    assert_true(((word ^ hf_view_era(ERA, HF_VIEW_BUMP | HF_VIEW_INTERIOR)) & HF_HOLD_MASK) == 0);
    assert_false(((word ^ hf_view_era(ERA, HF_VIEW_READ_ONLY)) & HF_HOLD_MASK) == 0);
    assert_false(((word ^ hf_view_era(ERA, HF_VIEW_CONFINED)) & HF_HOLD_MASK) == 0);
    assert_false(((word ^ hf_view_era(ERA, HF_VIEW_ADOPTED)) & HF_HOLD_MASK) == 0);
}

static void the_next_era_is_above_the_word_and_the_base_and_ends_at_the_largest(void **state) {
    (void)state;
    hf_hold hold = { 0 };
    assert_int_equal(hf_hold_next_era(&hold, 0), 1); /* era 0 is never issued */
    assert_int_equal(hf_hold_next_era(&hold, 2), 3);
    hold = word_of(2, HF_HOLD_FREE, 0);
    assert_int_equal(hf_hold_next_era(&hold, 1), 3);
    hold = word_of(HF_ERA_MAX - 1, HF_HOLD_FREE, 0);
    assert_int_equal(hf_hold_next_era(&hold, 0), HF_ERA_MAX);
    hold = word_of(HF_ERA_MAX, HF_HOLD_FREE, 0);
    assert_int_equal(hf_hold_next_era(&hold, 0), 0);
    hold = (hf_hold){ 0 };
    assert_int_equal(hf_hold_next_era(&hold, HF_ERA_MAX), 0);
}

static void issue_publish_and_abandon(void **state) {
    (void)state;
    hf_hold hold = word_of(1, HF_HOLD_FREE, 0);
    hf_hold_issue(&hold, ERA, false);
    assert_word(&hold, ERA, HF_HOLD_LIVE, 0);
    hold = word_of(1, HF_HOLD_FREE, 0);
    hf_hold_issue(&hold, ERA, true);
    assert_word(&hold, ERA, HF_HOLD_ISSUING, 1);
    assert_true(hf_hold_publish(&hold, ERA));
    assert_word(&hold, ERA, HF_HOLD_LIVE, 0);
    hold = word_of(ERA, HF_HOLD_ISSUING, 1);
    assert_true(hf_hold_abandon(&hold, ERA));
    assert_word(&hold, ERA, HF_HOLD_FREE, 0);
}

static void publish_and_abandon_want_exactly_their_own_issue(void **state) {
    (void)state;
    for (size_t s = 0; s < STATES; s++) {
        for (uint64_t era = ERA; era <= ERA + 1; era++) {
            if (every_state[s] == HF_HOLD_ISSUING && era == ERA) continue;
            hf_hold hold = word_of(era, every_state[s], pins_a_state_may_have(every_state[s])), before = hold;
            assert_false(hf_hold_publish(&hold, ERA));
            assert_false(hf_hold_abandon(&hold, ERA));
            assert_int_equal(hold.word, before.word);
        }
    }
}

static void pins_count_up_to_the_largest_and_down_to_none(void **state) {
    (void)state;
    hf_hold hold = word_of(ERA, HF_HOLD_LIVE, 0);
    uint64_t view = hf_view_era(ERA, HF_VIEW_READ_ONLY);
    for (uint64_t n = 1; n <= HF_PINS_MAX; n++) assert_int_equal(hf_hold_pin(&hold, view), HF_HOLD_PINNED);
    assert_word(&hold, ERA, HF_HOLD_LIVE, HF_PINS_MAX);
    assert_int_equal(hf_hold_pin(&hold, view), HF_HOLD_PINS_FULL);
    assert_word(&hold, ERA, HF_HOLD_LIVE, HF_PINS_MAX);
    for (uint64_t n = 1; n <= HF_PINS_MAX; n++) assert_int_equal(hf_hold_unpin(&hold, view), HF_HOLD_UNPINNED);
    assert_word(&hold, ERA, HF_HOLD_LIVE, 0);
    assert_int_equal(hf_hold_unpin(&hold, view), HF_HOLD_NO_PIN);
    assert_word(&hold, ERA, HF_HOLD_LIVE, 0); /* nothing was borrowed from state or era */
}

static void only_live_words_of_the_same_era_can_be_pinned_or_released(void **state) {
    (void)state;
    for (size_t s = 0; s < STATES; s++) {
        for (uint64_t era = ERA - 1; era <= ERA + 1; era++) {
            if (every_state[s] == HF_HOLD_LIVE && era == ERA) continue;
            hf_hold hold = word_of(era, every_state[s], pins_a_state_may_have(every_state[s])), before = hold;
            assert_int_equal(hf_hold_pin(&hold, hf_view_era(ERA, 0)), HF_HOLD_NOT_LIVE);
            assert_int_equal(hf_hold_release(&hold, hf_view_era(ERA, 0)), HF_HOLD_NOT_YOURS);
            assert_false(hf_hold_release_unpinned(&hold, hf_view_era(ERA, 0)));
            assert_int_equal(hold.word, before.word);
        }
    }
}

static void release_without_pins_frees_and_only_the_first_one_wins(void **state) {
    (void)state;
    hf_hold hold = word_of(ERA, HF_HOLD_LIVE, 0);
    assert_int_equal(hf_hold_release(&hold, hf_view_era(ERA, HF_VIEW_CONFINED)), HF_HOLD_RELEASED);
    assert_word(&hold, ERA, HF_HOLD_FREE, 0);
    assert_int_equal(hf_hold_release(&hold, hf_view_era(ERA, 0)), HF_HOLD_NOT_YOURS);
    hold = word_of(ERA, HF_HOLD_LIVE, 0);
    assert_true(hf_hold_release_unpinned(&hold, hf_view_era(ERA, 0)));
    assert_word(&hold, ERA, HF_HOLD_FREE, 0);
}

static void release_with_pins_lingers_until_the_last_unpin(void **state) {
    (void)state;
    hf_hold hold = word_of(ERA, HF_HOLD_LIVE, HF_PINS_MAX);
    assert_false(hf_hold_release_unpinned(&hold, hf_view_era(ERA, 0)));
    assert_int_equal(hf_hold_release(&hold, hf_view_era(ERA, 0)), HF_HOLD_LINGERS);
    assert_word(&hold, ERA, HF_HOLD_LINGERING, HF_PINS_MAX);
    assert_int_equal(hf_hold_pin(&hold, hf_view_era(ERA, 0)), HF_HOLD_NOT_LIVE);
    for (uint64_t n = HF_PINS_MAX; n > 1; n--) assert_int_equal(hf_hold_unpin(&hold, hf_view_era(ERA, 0)), HF_HOLD_UNPINNED);
    assert_int_equal(hf_hold_unpin(&hold, hf_view_era(ERA, 0)), HF_HOLD_UNPINNED_FREED);
    assert_word(&hold, ERA, HF_HOLD_FREE, 0);
}

static void an_unpin_needs_its_own_era_and_a_pin(void **state) {
    (void)state;
    for (size_t s = 0; s < STATES; s++) {
        hf_hold hold = word_of(ERA + 1, every_state[s], pins_a_state_may_have(every_state[s])), before = hold;
        assert_int_equal(hf_hold_unpin(&hold, hf_view_era(ERA, 0)), HF_HOLD_OTHER_ERA);
        assert_int_equal(hold.word, before.word);
        hold = before = word_of(ERA, every_state[s], 0);
        assert_int_equal(hf_hold_unpin(&hold, hf_view_era(ERA, 0)), HF_HOLD_NO_PIN);
        assert_int_equal(hold.word, before.word);
    }
}

static void revoke_closes_what_is_owned_and_keeps_era_and_pins(void **state) {
    (void)state;
    static const hf_hold_state owned[] = { HF_HOLD_ISSUING, HF_HOLD_LIVE, HF_HOLD_LINGERING, HF_HOLD_CLOSED };
    for (size_t s = 0; s < sizeof owned / sizeof owned[0]; s++) {
        hf_hold hold = word_of(ERA, owned[s], 1);
        assert_true(hf_hold_revoke(&hold));
        assert_word(&hold, ERA, HF_HOLD_CLOSED, 1);
        assert_int_equal(hf_hold_unpin(&hold, hf_view_era(ERA, 0)), HF_HOLD_UNPINNED_DRAINED);
        assert_word(&hold, ERA, HF_HOLD_CLOSED, 0);
        assert_false(hf_hold_revoke(&hold));
    }
    hf_hold hold = word_of(ERA, HF_HOLD_LIVE, 0);
    assert_false(hf_hold_revoke(&hold));
    assert_word(&hold, ERA, HF_HOLD_CLOSED, 0);
    hold = word_of(ERA, HF_HOLD_FREE, 0);
    assert_false(hf_hold_revoke(&hold));
    assert_word(&hold, ERA, HF_HOLD_FREE, 0);
}

static void an_allocation_that_a_close_overtook_gives_up_its_pin(void **state) {
    (void)state;
    hf_hold hold = word_of(ERA, HF_HOLD_ISSUING, 1);
    assert_true(hf_hold_revoke(&hold));
    assert_false(hf_hold_publish(&hold, ERA));
    assert_false(hf_hold_abandon(&hold, ERA));
    assert_int_equal(hf_hold_unpin(&hold, hf_view_era(ERA, 0)), HF_HOLD_UNPINNED_DRAINED);
}

static void an_arena_word_opens_renews_and_is_never_renewed_under_a_pin(void **state) {
    (void)state;
    hf_hold hold = { 0 };
    hf_hold_open(&hold);
    assert_word(&hold, 1, HF_HOLD_LIVE, 0);
    assert_true(hf_hold_renew(&hold));
    assert_word(&hold, 2, HF_HOLD_LIVE, 0);
    assert_int_equal(hf_hold_pin(&hold, hf_view_era(1, HF_VIEW_BUMP)), HF_HOLD_NOT_LIVE);
    assert_int_equal(hf_hold_pin(&hold, hf_view_era(2, HF_VIEW_BUMP)), HF_HOLD_PINNED);
    assert_false(hf_hold_renew(&hold));
    assert_word(&hold, 2, HF_HOLD_LIVE, 1);
    assert_true(hf_hold_revoke(&hold));
    assert_false(hf_hold_renew(&hold));
    assert_int_equal(hf_hold_unpin(&hold, hf_view_era(2, HF_VIEW_BUMP)), HF_HOLD_UNPINNED_DRAINED);
    hf_hold_open(&hold); /* the next arena in this place */
    assert_word(&hold, 3, HF_HOLD_LIVE, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_do_not_touch_each_other),
        cmocka_unit_test(a_view_matches_live_in_its_era_whatever_its_flags_and_the_pins),
        cmocka_unit_test(the_inline_compare_fails_for_views_that_need_more),
        cmocka_unit_test(the_next_era_is_above_the_word_and_the_base_and_ends_at_the_largest),
        cmocka_unit_test(issue_publish_and_abandon),
        cmocka_unit_test(publish_and_abandon_want_exactly_their_own_issue),
        cmocka_unit_test(pins_count_up_to_the_largest_and_down_to_none),
        cmocka_unit_test(only_live_words_of_the_same_era_can_be_pinned_or_released),
        cmocka_unit_test(release_without_pins_frees_and_only_the_first_one_wins),
        cmocka_unit_test(release_with_pins_lingers_until_the_last_unpin),
        cmocka_unit_test(an_unpin_needs_its_own_era_and_a_pin),
        cmocka_unit_test(revoke_closes_what_is_owned_and_keeps_era_and_pins),
        cmocka_unit_test(an_allocation_that_a_close_overtook_gives_up_its_pin),
        cmocka_unit_test(an_arena_word_opens_renews_and_is_never_renewed_under_a_pin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
