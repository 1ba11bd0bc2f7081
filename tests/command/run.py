# SPDX-License-Identifier: MIT
"""`holdfast run` on small samples: that it compares, that it notices, and that it leaves nothing behind.

The input is dpkg's own list of what is installed, which every Debian machine has; apt's lists are used in one case, where they are.

usage: run.py HOLDFAST
"""
import glob
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import tempfile

from tap import Skip, command, equal, holdfast, holds, main, test

STATUS = "/var/lib/dpkg/status"
FOLDER = os.path.dirname(os.path.realpath(command))
SCRIPTS = os.path.join(FOLDER, "sql")
LIBRARY = os.path.realpath(os.path.join(FOLDER, "../../adapters/sqlite/libholdfast-sqlite.so"))


def sample():
    if not os.path.exists(STATUS):
        raise Skip(f"no {STATUS} here")
    return ["--input", STATUS, "--rows", "400"]


class Folder(tempfile.TemporaryDirectory):
    """A work folder that must be empty at the end."""

    def __exit__(self, *reason):
        left = os.listdir(self.name)
        super().__exit__(*reason)
        if reason[0] is None:
            equal(left, [])


def run(*arguments, **options):
    with Folder() as work:
        return holdfast("run", "--work", work, *arguments, **options)


def failed(ended, *words):
    equal((ended.status, len(ended.out.splitlines()) < 8), (1, True), ended)
    for word in words:
        holds(word in ended.err, f"stderr does not say '{word}'\n{ended}")


def changed_scripts(folder, name, change):
    """A copy of the scripts with one of them changed."""
    scripts = os.path.join(folder, "scripts")
    shutil.copytree(SCRIPTS, scripts)
    path = os.path.join(scripts, name)
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(change(text))
    return scripts


@test
def a_small_run_compares_both_and_says_so_in_one_table():
    ended = run(*sample(), "--limit", "8M")
    equal(ended.status, 0, ended)
    for line in [r"30 queries +[\d.]+ s +[\d.]+ s", r"15 update steps +[\d.]+ s +[\d.]+ s", r"peak memory +[\d.]+ MiB +[\d.]+ MiB",
                 r"limit kept +- +yes", r"segments outstanding at exit +- +0 ", r"same answers +yes +45 of 45",
                 r"same database afterwards +yes ",
                 r"most charged, of the limit +- +[\d.]+ of 8\.0 MiB"]:
        holds(re.search(line, ended.out), f"no line like {line}\n{ended}")
    holds("400 packages" in ended.out and STATUS in ended.out, ended)


@test
def the_lists_of_apt_are_the_default_input():
    if not shutil.which("apt-cache") or not glob.glob("/var/lib/apt/lists/*Packages*"):
        raise Skip("apt has no package lists here")
    ended = run("--rows", "300", "--limit", "8M", "-q")
    equal((ended.status, ended.err), (0, ""), ended)
    holds("300 packages from apt's package lists" in ended.out, ended)


@test
def the_same_input_gives_the_same_answers_and_the_same_database():
    def whole_run():
        with Folder() as work:
            ended = holdfast("run", "--work", work, *sample(), "--limit", "8M", "-q", "--keep")
            equal(ended.status, 0, ended)
            kept = os.path.join(work, os.listdir(work)[0])
            equal(os.path.realpath(kept), re.search(r"kept in +(\S+)", ended.out)[1], ended)
            with open(os.path.join(kept, "base.db"), "rb") as base, open(os.path.join(kept, "plain.txt"), "rb") as plain:
                result = base.read(), plain.read(), re.search(r"SHA3-256 (\w+)", ended.out)[1]
            shutil.rmtree(kept)
            return result

    holds(whole_run() == whole_run(), "two runs differ")


@test
def details_are_a_line_for_each_step():
    ended = run(*sample(), "--limit", "8M", "-q", "--details")
    equal(ended.status, 0, ended)
    equal(len(re.findall(r"^  query  +\d+ +[\d.]+ s +[\d.]+ s  yes ", ended.out, re.M)), 30, ended)
    equal(len(re.findall(r"^  update +\d+ +[\d.]+ s +[\d.]+ s  yes ", ended.out, re.M)), 15, ended)


@test
def progress_is_plain_lines_when_piped_and_one_moving_line_on_a_terminal():
    ended = run(*sample(), "--limit", "8M")
    holds(re.search(r"^plain +7 of 45 +[\d.]+ s ", ended.err, re.M) and "\r" not in ended.err, ended)
    with Folder() as work:
        reader, writer = pty.openpty()
        arguments = [command, "run", "--work", work, *sample(), "--limit", "8M"]
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=writer)
        os.close(writer)
        seen = b""
        while True:
            try:
                more = os.read(reader, 65536)
            except OSError:  # the other end is closed: Linux says EIO
                break
            if not more:
                break
            seen += more
        os.close(reader)
        equal(process.wait(), 0)
    holds(b"\rplain: 7 of 45: " in seen and b"\n" not in seen and seen.endswith(b"\r\x1b[K"), seen[-300:])


@test
def quiet_prints_nothing_on_stderr():
    ended = run(*sample(), "--limit", "8M", "--quiet")
    equal((ended.status, ended.err), (0, ""), ended)


@test
def answers_that_differ_are_a_failure_that_names_the_step():
    with tempfile.TemporaryDirectory() as folder:
        scripts = changed_scripts(folder, "queries.sql", lambda text: text + "\n--# a question of luck\nSELECT random();\n")
        ended = run(*sample(), "--limit", "8M", "-q", "--scripts", scripts)
    equal(ended.status, 1, ended)
    holds('"a question of luck", has other answers' in ended.err, ended)
    holds(re.search(r"same answers +NO +45 of 46", ended.out), ended)


@test
def databases_that_differ_are_a_failure():
    with tempfile.TemporaryDirectory() as folder:
        luck = "\n--# luck\nCREATE TABLE luck AS SELECT random() AS number;\n"
        scripts = changed_scripts(folder, "updates.sql", lambda text: text + luck)
        ended = run(*sample(), "--limit", "8M", "-q", "--scripts", scripts)
    equal(ended.status, 1, ended)
    holds("the two databases differ afterwards" in ended.err, ended)
    holds(re.search(r"same database afterwards +NO", ended.out), ended)


@test
def a_limit_that_is_far_too_small_is_an_out_of_memory_of_sqlites_own():
    ended = run(*sample(), "--limit", "1M", "-q")
    holds("killed by signal" not in ended.err, ended)
    if ended.status != 0:
        failed(ended, "on holdfast: ", "out of memory")


@test
def an_error_of_the_shell_is_passed_on_with_the_step_it_came_from():
    with tempfile.TemporaryDirectory() as folder:
        scripts = changed_scripts(folder, "queries.sql", lambda text: text + "\n--# a mistake\nSELECT * FROM nowhere;\n")
        failed(run(*sample(), "-q", "--scripts", scripts), "step 31 of 46", '"a mistake"', "no such table: nowhere")


@test
def a_missing_input_is_named():
    failed(run("--input", "/nowhere/Packages"), "can't read the package list /nowhere/Packages", "No such file")


@test
def an_input_without_packages_is_said_to_have_none():
    failed(run("--input", "/dev/null", "-q"), "there is no package in /dev/null")


@test
def empty_lists_of_apt_are_told_with_the_way_to_get_them():
    if not shutil.which("apt-cache"):
        raise Skip("no apt-cache here")
    with tempfile.TemporaryDirectory() as folder:
        settings = os.path.join(folder, "apt.conf")
        with open(settings, "w") as file:
            for name in "State::lists", "State::status", "Cache":
                file.write(f'Dir::{name} "{folder}/{name.replace("::", "-")}";\n')
        os.makedirs(os.path.join(folder, "State-lists"))
        os.makedirs(os.path.join(folder, "Cache"))
        open(os.path.join(folder, "State-status"), "w").close()
        failed(run("-q", environment={"APT_CONFIG": settings}), "no package lists", "apt-get update")


@test
def lists_that_are_too_short_for_the_whole_job_are_refused():
    if not shutil.which("apt-cache") or not os.path.exists(STATUS):
        raise Skip("no apt here")
    with tempfile.TemporaryDirectory() as folder:
        shown = subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE).stdout
        fake = os.path.join(folder, "apt-cache")
        with open(os.path.join(folder, "list"), "wb") as file:
            file.write(shown[:400000])
        with open(fake, "w") as file:
            file.write(f"#!/bin/sh\nexec cat '{folder}/list'\n")
        os.chmod(fake, 0o755)
        ended = run("-q", environment={"PATH": folder + ":" + os.environ["PATH"]})
        failed(ended, "this run wants 100 MB", "apt-get update", "--rows")


@test
def without_apt_the_way_out_is_told():
    with tempfile.TemporaryDirectory() as empty:
        failed(run("-q", environment={"PATH": empty}), "can't start apt-cache", "--input")


@test
def without_the_shell_its_package_is_told():
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(shutil.which("awk"), os.path.join(folder, "awk"))
        failed(run(*sample(), "-q", environment={"PATH": folder}), "can't start sqlite3", "package is sqlite3", "--sqlite3")
    failed(run(*sample(), "-q", "--sqlite3", "./no/such/shell"), "can't find the shell ./no/such/shell")


@test
def a_library_that_does_not_load_is_no_success():
    with tempfile.NamedTemporaryFile(suffix=".so") as other:
        other.write(b"no library")
        other.flush()
        failed(run(*sample(), "-q", "--library", other.name), "did not load", "no statistics")
    failed(run(*sample(), "--library", "/nowhere.so"), "can't read the library /nowhere.so")


@test
def scripts_that_are_not_there_are_named():
    failed(run(*sample(), "--scripts", "/"), "there is no packages.awk in /")


@test
def a_work_folder_that_can_not_be_used_is_named():
    for folder, reason in ("/proc", "/proc"), ("/nowhere/at/all", "No such file"), ("/dev/null", "/dev/null"), ("", "work folder"):
        ended = holdfast("run", *sample(), "--work", folder)
        failed(ended, reason)


@test
def a_full_disk_is_noticed_before_anything_is_written():
    with tempfile.TemporaryDirectory() as small:
        mount_small(small, "2m")
        try:
            ended = holdfast("run", *sample(), "--work", small, "-q")
            left = os.listdir(small)
        finally:
            subprocess.run(["umount", small], check=True)
    failed(ended, "MB free", "--work", "--rows")
    equal(left, [])


@test
def a_disk_that_fills_up_in_the_middle_is_an_error_that_leaves_nothing():
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as small:
        mount_small(small, "27m")
        big = "\n--# fills the disk\nCREATE TABLE big AS SELECT zeroblob(60000000) AS data;\n"
        scripts = changed_scripts(folder, "build.sql", lambda text: text + big)
        try:
            ended = holdfast("run", *sample(), "--work", small, "-q", "--scripts", scripts)
            left = os.listdir(small)
        finally:
            subprocess.run(["umount", small], check=True)
    failed(ended, '"fills the disk"', "full")
    equal(left, [])


@test
def files_that_may_not_grow_are_an_error_that_leaves_nothing():
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200000, 200000))

    ended = run(*sample(), "-q", preexec_fn=limit)
    holds(ended.status == 1 and ended.err.startswith("holdfast run: "), ended)


def processes_of_session(session):
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as file:
                state, _, _, its_session = file.read().rpartition(")")[2].split()[:4]
        except OSError:  # it has just ended
            continue
        if int(its_session) == session and state != "Z":
            found.append(path)
    return found


def mount_small(folder, size):
    if not shutil.which("mount"):
        raise Skip("no mount here")
    arguments = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    if subprocess.run(arguments, stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("no right to mount a small file system")


@test
def a_signal_ends_it_and_leaves_nothing_behind():
    endless = "\n--# for ever\nWITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;\n"
    with Folder() as work, tempfile.TemporaryDirectory() as folder:
        scripts = changed_scripts(folder, "queries.sql", lambda text: text + endless)
        # Its own session, so that whatever it leaves running can be found.
        arguments = [command, "run", "--work", work, *sample(), "--scripts", scripts]
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        for line in process.stderr:
            if re.match(r"plain +30 of 46 ", line):
                break
        process.send_signal(signal.SIGTERM)
        try:
            out, err = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        equal(process.returncode, -signal.SIGTERM, out + err)
        holds("interrupted" in err, err)
        equal(processes_of_session(process.pid), [])


def recorded_calls(environment):
    """The arguments of every sqlite3 that a run starts, and what matters of its environment."""
    with tempfile.TemporaryDirectory() as folder:
        shell, calls = os.path.join(folder, "shell"), os.path.join(folder, "calls")
        with open(shell, "w") as file:
            file.write(f"#!/bin/sh\necho \"$*|$LD_PRELOAD|$HOLDFAST_SQLITE_LIMIT\" >> '{calls}'\nexec sqlite3 \"$@\"\n")
        os.chmod(shell, 0o755)
        ended = run(*sample(), "--limit", "8M", "-q", "--sqlite3", shell, environment=environment)
        equal((ended.status, ended.err), (0, ""), ended)
        with open(calls) as file:
            return [line.split("|") for line in file.read().splitlines()]


@test
def settings_of_the_caller_do_not_reach_either_side():
    mine = {"HOLDFAST_SQLITE_STATS": "1", "HOLDFAST_SQLITE_LIMIT": "3M", "LD_PRELOAD": LIBRARY}
    preloaded = [(arguments.split()[-1], library, limit) for arguments, library, limit in recorded_calls(mine) if library or limit]
    equal(preloaded, [("holdfast.db", LIBRARY, "8388608")])


@test
def an_initial_file_of_the_users_shell_is_never_read():
    calls = recorded_calls({})
    holds(len(calls) >= 4 and all(arguments.startswith("-batch -bail -init /dev/null ") for arguments, _, _ in calls), calls)


main()
