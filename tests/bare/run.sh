#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The library needs no build system: one compiler call over src/*.c and the README's program, with each compiler, architecture and C
# library that is here.
# usage: run.sh SOURCE_ROOT
set -euo pipefail
source_root=$1
# shellcheck source=tests/install/tap.sh
source "$source_root/tests/install/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sh "$source_root/tests/install/program.sh" "$source_root" >"$work/main.c"
cd "$source_root"

# bare RUNNER COMPILER [FLAG]...: the call as CONTRACT and README give it.
bare() {
    local -a run_by
    read -ra run_by <<<"$1"
    shift
    "$@" -std=gnu17 -Iinclude -Isrc src/*.c "$work/main.c" -pthread -o "$work/program" && "${run_by[@]}" "$work/program" >"$work/out.txt"
}

# try NAME RUNNER COMPILER [FLAG]...
try() {
    local name=$1 runner=$2
    shift 2
    if ! type "$1" >/dev/null 2>&1; then
        skip_check "$name" "there is no $1 here"
    elif [[ -n $runner ]] && ! type "${runner%% *}" >/dev/null 2>&1; then
        skip_check "$name" "there is no ${runner%% *} here"
    else
        check "$name" bare "$runner" "$@"
    fi
}

try "gcc builds it with one call, and it runs" '' gcc
try "clang builds it with one call, and it runs" '' clang
try "gcc builds it optimised, without asserts" '' gcc -O3 -DNDEBUG -Wall -Wextra -Werror
try "clang builds it optimised, without asserts" '' clang -O3 -DNDEBUG -Wall -Wextra -Werror
try "gcc builds it with link-time optimisation" '' gcc -O2 -flto=auto
try "gcc builds it for musl, and it runs" '' musl-gcc -O2
try "gcc builds it static for musl, and it runs" '' musl-gcc -O2 -static
if [[ $(uname -m) != aarch64 ]]; then
    try "gcc builds it for aarch64, and it runs in qemu" 'qemu-aarch64-static -L /usr/aarch64-linux-gnu' aarch64-linux-gnu-gcc -O2
fi
done_checking
