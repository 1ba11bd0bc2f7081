#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A staged install, as a packager makes one, and then nothing but it: what a stranger does with the library is compiled and run
# against the headers, libraries and holdfast.pc that were installed.
# usage: run.sh SOURCE_ROOT BUILD_ROOT
set -euo pipefail
source_root=$1 build_root=$2
# shellcheck source=tests/install/tap.sh
source "$source_root/tests/install/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage
cd "$work"

install_it() { DESTDIR=$stage meson install -C "$build_root" --no-rebuild; }
check "it installs into a staging directory" install_it
pc=$(find "$stage" -name holdfast.pc)
library=$(find "$stage" -name libholdfast.so)
[[ -n $pc && -n $library ]] || {
    echo "Bail out! the staged install has no holdfast.pc or no libholdfast.so"
    exit 1
}
libdir=$(dirname "$library")
# The staged files alone: pkg-config looks nowhere else, and puts the staging directory before every path.
export PKG_CONFIG_LIBDIR=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$stage PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
export LD_LIBRARY_PATH=$libdir

# -- what is there -------------------------------------------------------------------------------------------------------------

has_files() {
    local name
    for name in holdfast.h inline.h libholdfast.so libholdfast.so.0 libholdfast.a holdfast.pc; do
        [[ -n $(find "$stage" -name "$name") ]] || { echo "$name was not installed"; return 1; }
    done
}
no_inner_header() {
    local headers
    headers=$(cd "$stage" && find . -name '*.h' -printf '%f\n' | sort | tr '\n' ' ')
    echo "$headers"
    [[ $headers == "hf_sqlite.h holdfast.h inline.h " ]]
}
soname_is() { readelf -d "$library" | grep -F 'Library soname: [libholdfast.so.0]'; }
is_never_unloaded() { readelf -d "$library" | grep -w NODELETE; }
needs_only_libc() {
    ! readelf -d "$library" | grep NEEDED | grep -vE '\[(libc\.so|ld-linux)' || { echo "it needs more than the C library"; return 1; }
}
check "headers, both libraries and holdfast.pc are there" has_files
check "no header but the public ones is installed" no_inner_header
check "the shared library is called libholdfast.so.0" soname_is
check "the shared library is never unloaded" is_never_unloaded
check "the shared library needs nothing but the C library" needs_only_libc

# -- symbols -------------------------------------------------------------------------------------------------------------------

sed -n '/global:/,/local:/p' "$source_root/src/holdfast.map" | grep -oE '\bhf_[a-z0-9_]+\b' | sort >map.txt
# The version's own name is a symbol too: an absolute one.
nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >exported.txt
check "the exported symbols are those of holdfast.map" diff map.txt exported.txt
versions_are() { ! nm -D --defined-only --with-symbol-versions "$library" | awk '$2 != "A"' | grep -v '@@HOLDFAST_[0-9]'; }
check "every exported symbol has a version" versions_are

# -- the README's program --------------------------------------------------------------------------------------------------------

check "README.md has a program" sh "$source_root/tests/install/program.sh" "$source_root"
sh "$source_root/tests/install/program.sh" "$source_root" >program.c 2>/dev/null || echo '#error "no program"' >program.c
strict=(-Wall -Wextra -Wundef -Wconversion -pedantic -Werror)

# build_and_run COMPILER LANGUAGE STANDARD LINKAGE: compiles the program as the README says and runs it.
build_and_run() {
    local -a flags link
    read -ra flags <<<"$(pkg-config --cflags holdfast)"
    if [[ $4 == shared ]]; then
        read -ra link <<<"$(pkg-config --libs holdfast)"
    else
        read -ra link <<<"$(pkg-config --static --libs holdfast | sed 's/-lholdfast/-l:libholdfast.a/')"
    fi
    "$1" -std="$3" "${strict[@]}" "${flags[@]}" -x "$2" program.c -x none "${link[@]}" -o "program-$4" && "./program-$4" | sed 's/0x[0-9a-f]*/0x/g' >"$4.txt" &&
        uses "$4"
}
uses() {
    local needed
    needed=$(readelf -d "program-$1" | grep -c 'libholdfast' || true)
    [[ $1 == shared && $needed == 1 || $1 == static && $needed == 0 ]] || { echo "linked against the wrong library"; return 1; }
}
for compiler in gcc g++ clang clang++; do
    language=c standard=c11
    [[ $compiler == *++ ]] && language=c++ standard=c++11
    for linkage in shared static; do
        name="the README's program compiles as $standard with $compiler against the $linkage library, and runs"
        if type "$compiler" >/dev/null 2>&1; then
            check "$name" build_and_run "$compiler" "$language" "$standard" "$linkage"
        else
            skip_check "$name" "there is no $compiler here"
        fi
    done
done
check "the program prints the same with either library" diff shared.txt static.txt

# -- the header ----------------------------------------------------------------------------------------------------------------

printf '#include <holdfast.h>\nhf_status second(void);\nhf_status second(void) { return hf_check(NULL); }\n' >second.c
printf '#include <holdfast.h>\nhf_status second(void);\nint main(void) { return second() == hf_check(NULL) ? 0 : 1; }\n' >first.c
two_units() {
    # shellcheck disable=SC2046 # words are wanted
    gcc -std=c11 "${strict[@]}" $(pkg-config --cflags holdfast) first.c second.c $(pkg-config --libs holdfast) -o two && ./two
}
check "two files of one program may include the header" two_units
cat >symbols.c <<'C'
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <holdfast.h>
/* As another language does it: every name by dlsym, no header. argv: the library, then names. */
int main(int argc, char **argv) {
    void *library = dlopen(argv[1], RTLD_NOW);
    int missing = library == NULL;
    for (int i = 2; library && i < argc; i++)
        if (!dlsym(library, argv[i]))
            printf("no %s\n", argv[i]), missing = 1;
    const char *(*version)(void) = NULL;
    void *symbol = library ? dlsym(library, "hf_version") : NULL;
    memcpy(&version, &symbol, sizeof version);
    char header[32];
    snprintf(header, sizeof header, "%d.%d.%d", HF_VERSION_MAJOR, HF_VERSION_MINOR, HF_VERSION_PATCH);
    if (!version || strcmp(version(), header) != 0)
        printf("the library's version is not %s\n", header), missing = 1;
    printf("%s\n", header);
    return missing;
}
C
other_language() {
    # shellcheck disable=SC2046 # words are wanted
    gcc -std=gnu17 -Wall -Wextra -Werror $(pkg-config --cflags holdfast) symbols.c -ldl -o symbols &&
        xargs ./symbols "$libdir/libholdfast.so.0" <map.txt
}
check "another language finds every function by name, the inline ones too" other_language
same_version() { [[ $(./symbols "$libdir/libholdfast.so.0") == "$(pkg-config --modversion holdfast)" ]]; }
check "header, library and holdfast.pc agree on the version" same_version

# -- the SQLite adapter --------------------------------------------------------------------------------------------------------

cat >adapter.c <<'C'
#include <hf_sqlite.h>
#include <sqlite3.h>
#include <stdio.h>
int main(void) {
    sqlite3 *db;
    hf_sqlite_stats s = HF_SQLITE_STATS_INIT;
    if (hf_sqlite_install(NULL) != HF_OK)
        return puts(hf_sqlite_error_message()), 1;
    if (sqlite3_open(":memory:", &db) || sqlite3_exec(db, "create table t(x); insert into t values(1)", NULL, NULL, NULL))
        return puts(sqlite3_errmsg(db)), 1;
    if (hf_sqlite_get_stats(&s) != HF_OK || s.live_bytes == 0)
        return puts("SQLite's pages are not in holdfast memory"), 1;
    return sqlite3_close(db) != SQLITE_OK;
}
C
adapter() {
    local standard=$1 language=$2
    local -a flags
    # sqlite3.pc is the system's own.
    read -ra flags <<<"$(PKG_CONFIG_LIBDIR=${pc%/*}:$system_pc pkg-config --cflags --libs holdfast-sqlite)"
    gcc -std="$standard" "${strict[@]}" -x "$language" adapter.c -x none "${flags[@]}" -o adapter && ./adapter
}
system_pc=$(env -u PKG_CONFIG_LIBDIR -u PKG_CONFIG_SYSROOT_DIR pkg-config --variable pc_path pkg-config)
check "a program puts its SQLite on holdfast through holdfast-sqlite.pc" adapter c11 c
check "the adapter's header compiles as C++11" adapter c++11 c++
preload_has_no_holdfast_symbols() {
    # The preloaded library brings holdfast along; a program's own libholdfast.so must not be bound to that copy.
    ! nm -D --defined-only "$libdir/libholdfast-sqlite.so" | awk '$2 != "A" { print $3 }' | grep -E '^hf_(arena|pool|segment|release|pin)'
}
check "the preloaded library shows none of the holdfast inside it" preload_has_no_holdfast_symbols
left_alone() {
    LD_PRELOAD=$libdir/libholdfast-sqlite.so sh -c 'echo fine' >alone.txt 2>&1
    cat alone.txt
    [[ $(<alone.txt) == fine ]]
}
check "a program without SQLite runs as before under the preloaded library" left_alone
done_checking
