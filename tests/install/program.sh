#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Prints the program of README.md: the first C block after the line <!-- program -->. What a stranger copies from there compiles.
# usage: program.sh SOURCE_ROOT
set -eu
awk '
    /^<!-- program -->/ { marked = 1 }
    inside && /^```/ { exit }
    inside { print }
    marked && /^```c$/ { inside = 1 }
' "$1/README.md" | grep . || {
    echo "README.md has no block of C after a line <!-- program -->" >&2
    exit 1
}
