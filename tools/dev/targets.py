# SPDX-License-Identifier: MIT
"""Which targets a configured build directory has.

usage: targets.py BUILD_DIR installed [FOLDER]...   ninja targets of all that is installed, and of all defined under FOLDERs
       targets.py BUILD_DIR link WHERE              symbolic links in WHERE to the libraries and programs that are installed
"""
import json
import os
import subprocess
import sys


def targets(build_dir):
    text = subprocess.run(["meson", "introspect", "--targets", build_dir], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(text)


def print_ninja_names(build_dir, source_dir, folders):
    for target in targets(build_dir):
        folder = os.path.relpath(os.path.dirname(target["defined_in"]), source_dir)
        wanted = target["installed"] or any((folder + "/").startswith(f.rstrip("/") + "/") for f in folders)
        if wanted and target["type"] in ("executable", "shared library", "static library", "shared module", "custom"):
            for file in target["filename"]:
                print(os.path.relpath(file, build_dir))


def link(build_dir, where):
    for target in targets(build_dir):
        if not target["installed"] or target["type"] == "custom":
            continue
        for file in target["filename"]:
            # libx.so.0.1.0 stands beside libx.so.0 and libx.so, as the linker made them.
            stem = file.split(".so")[0] + ".so" if ".so" in os.path.basename(file) else file
            folder = os.path.dirname(file)
            for name in sorted(os.listdir(folder)):
                path = os.path.join(folder, name)
                if path == file or (path.startswith(stem) and not os.path.isdir(path) and path.endswith((".so", ".so.0"))):
                    place(path, os.path.join(where, name))


def place(path, at):
    text = os.path.relpath(path, os.path.dirname(at))
    if os.path.islink(at) and os.readlink(at) == text:
        return
    if os.path.lexists(at):
        os.remove(at)
    os.symlink(text, at)


def main(arguments):
    build_dir, what, rest = os.path.realpath(arguments[0]), arguments[1], arguments[2:]
    if what == "installed":
        source_dir = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
        print_ninja_names(build_dir, source_dir, rest)
    elif what == "link":
        link(build_dir, os.path.realpath(rest[0]))
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
