# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# TAP for shell tests. Source it; then `check NAME COMMAND...` for each case, `skip_check NAME WHY` for one that can't be tried here,
# and `done_checking` at the end. What a failing command printed follows its line.
tap_number=0
tap_failed=0

check() {
    local name=$1 output
    shift
    tap_number=$((tap_number + 1))
    if output=$("$@" 2>&1); then
        echo "ok $tap_number - $name"
    else
        echo "not ok $tap_number - $name"
        printf '%s\n' "${output:-(it printed nothing)}" | head -n 25 | sed 's/^/# /'
        tap_failed=$((tap_failed + 1))
    fi
}

skip_check() {
    tap_number=$((tap_number + 1))
    echo "ok $tap_number - $1 # SKIP $2"
}

done_checking() {
    echo "1..$tap_number"
    exit "$((tap_failed != 0))"
}
