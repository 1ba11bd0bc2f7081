# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# What the commands of ./dev share: messages, packages, and one configured build directory per variant.
#
#   build/meson    the build that is used, tested and installed
#   build/NAME     the same tree under a sanitizer, or for another machine (see `variant` below)
#
# Everything under build/ can be deleted at any time. Nothing outside it is written, but for Debian packages.
# `dev_command` is set by the script that sources this.

: "${dev_command:?is set by the script that sources this}"
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
export root
jobs=${HOLDFAST_JOBS:-$(nproc)}

say() { printf '%s\n' "$*"; }
warn() { printf 'dev %s: %s\n' "$dev_command" "$*" >&2; }
die() {
    warn "$@"
    exit 1
}
usage_error() {
    warn "$* (./dev $dev_command --help)"
    exit 2
}

# -- packages ------------------------------------------------------------------------------------------------------------------

# Prints the packages of packages.txt that this command needs (kind: needed) or can do without (kind: optional).
packages() {
    local kind=$1 line package commands is
    while read -r line; do
        read -r package commands _ <<<"${line%%#*}" || true
        [[ -n $package ]] || continue
        is=needed
        [[ $commands == *'?' ]] && is=optional && commands=${commands%'?'}
        [[ $is == "$kind" ]] || continue
        [[ -z $commands || ,$commands, == *",$dev_command,"* ]] && printf '%s\n' "$package"
    done <"$root/packages.txt"
    return 0
}

# Prints those of its arguments that are not installed.
missing() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
    done
}

# Installs; on failure once more with fresh lists. What apt-get says is shown only if both fail.
apt_install() {
    local log=$root/build/apt.log
    local -a install=(apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@")
    mkdir -p "$root/build"
    export DEBIAN_FRONTEND=noninteractive
    "${install[@]}" >"$log" 2>&1 </dev/null && return 0
    { apt-get update && "${install[@]}"; } >>"$log" 2>&1 </dev/null
}

ensure_packages() {
    local -a needed optional
    if ! type dpkg-query apt-get >/dev/null 2>&1; then
        warn "this is no Debian machine: what packages.txt names must be there already"
        return 0
    fi
    mapfile -t needed < <(mapfile -t all < <(packages needed) && missing "${all[@]}")
    if ((${#needed[@]})); then
        ((EUID == 0)) || die "these Debian packages are missing: ${needed[*]}. Install them, or run this as root."
        say "installing ${needed[*]} (apt-get)"
        apt_install "${needed[@]}" || {
            tail -n 20 "$root/build/apt.log" >&2
            die "apt-get could not install ${needed[*]}; its whole output is in build/apt.log"
        }
    fi
    mapfile -t optional < <(mapfile -t all < <(packages optional) && missing "${all[@]}")
    if ((${#optional[@]} == 0)); then
        return 0
    elif ((EUID != 0)); then
        warn "without these Debian packages something is skipped: ${optional[*]}"
    else
        say "installing ${optional[*]} (apt-get; optional)"
        local package
        apt_install "${optional[@]}" || for package in "${optional[@]}"; do
            apt_install "$package" || warn "could not install $package: what needs it is skipped"
        done
    fi
}

# -- building ------------------------------------------------------------------------------------------------------------------

# configure NAME [MESON OPTION]...: build/NAME is configured with these options, for the sources and meson.build files of now.
# Here, and not when ninja notices, so that what meson prints goes into a file.
configure() {
    local name=$1 dir=$root/build/$1 options tree
    shift
    options=$(printf '%s\n' "$@" && meson --version && cd "$root" && sha256sum meson_options.txt &&
        if [[ -f build/$name.cross ]]; then cat "build/$name.cross"; fi)
    tree=$(cd "$root" && printf '%s\n' src/*.c && find . -path ./build -prune -o -name meson.build -print | sort | xargs sha256sum)
    local -a how=()
    if [[ -f $dir/.options && $(<"$dir/.options") == "$options" ]]; then
        [[ -f $dir/.tree && $(<"$dir/.tree") == "$tree" ]] && return 0
        how=(--reconfigure)
    else
        # Not --wipe: that keeps options that were given once and are not any more.
        rm -rf "$dir"
    fi
    mkdir -p "$dir"
    rm -f "$dir/.options" "$dir/.tree"
    if ! meson setup "${how[@]}" "$@" "$dir" "$root" >"$dir.log" 2>&1 </dev/null; then
        tail -n 20 "$dir.log" >&2
        warn "meson could not configure build/$name; its whole output is in build/$name.log"
        return 1
    fi
    printf '%s\n' "$options" >"$dir/.options"
    printf '%s\n' "$tree" >"$dir/.tree"
}

# compile NAME [TARGET]...: without targets, everything. Quiet but for the warnings and errors of the compilers.
compile() {
    local dir=$root/build/$1
    shift
    ninja -C "$dir" -j "$jobs" --quiet "$@" </dev/null
}

# The product: what an installation would hold, and links to it under build/ as users know the names.
build_product() {
    local -a targets
    configure meson -Dsqlite=enabled || return 1
    mapfile -t targets < <(python3 "$root/tools/dev/targets.py" "$root/build/meson" installed "$@")
    say "building ${#targets[@]} targets in build/meson"
    compile meson "${targets[@]}" || return 1
    python3 "$root/tools/dev/targets.py" "$root/build/meson" link "$root/build"
}
