# SPDX-License-Identifier: MIT
"""The command line of holdfast, without `holdfast run`: usage, doctor, lab.

usage: command.py HOLDFAST
"""
import json
import os
import re
import resource
import subprocess
import tempfile

from tap import Skip, command, equal, holdfast, holds, main, test

COMMANDS = ["doctor", "lab", "run"]
FAILURES = {"HF_INVALID", "HF_NO_MEMORY", "HF_CLOSED", "HF_STALE", "HF_SYSTEM"}


@test
def help_goes_to_stdout_and_names_every_command():
    ended = holdfast("--help")
    equal((ended.status, ended.err), (0, ""), ended)
    for name in COMMANDS:
        holds(re.search(rf"^  {name} ", ended.out, re.M), ended)


@test
def every_command_has_help_of_its_own():
    for name in COMMANDS:
        for option in "--help", "-h":
            ended = holdfast(name, option)
            equal((ended.status, ended.err), (0, ""), ended)
            holds(ended.out.startswith(f"usage: holdfast {name}"), ended)
            holds("Exit status" in ended.out, ended)


@test
def help_is_not_wider_than_a_wide_terminal():
    for arguments in [[]] + [[name] for name in COMMANDS]:
        for line in holdfast(*arguments, "--help").out.splitlines():
            holds(len(line) <= 132, line)


@test
def the_version_is_one_line():
    ended = holdfast("--version")
    equal((ended.status, ended.err), (0, ""), ended)
    holds(re.fullmatch(r"holdfast \d+\.\d+\.\d+\n", ended.out), ended)


def refused(*arguments, by="holdfast"):
    ended = holdfast(*arguments)
    equal((ended.status, ended.out), (2, ""), ended)
    holds(ended.err.startswith(f"{by}: "), ended)
    holds(f"Try '{by} --help'." in ended.err, ended)
    return ended


@test
def no_command_is_a_wrong_call_and_shows_the_help_on_stderr():
    ended = holdfast()
    equal((ended.status, ended.out), (2, ""), ended)
    holds(ended.err.startswith("usage: holdfast"), ended)


@test
def an_unknown_command_is_named_on_stderr():
    holds("'frobnicate'" in refused("frobnicate").err)


@test
def an_unknown_option_is_named_on_stderr():
    holds("--frobnicate" in refused("--frobnicate").err)
    for name in COMMANDS:
        holds("--frobnicate" in refused(name, "--frobnicate", by=f"holdfast {name}").err)


@test
def an_argument_too_many_is_named_on_stderr():
    for name in COMMANDS:
        holds("'extra'" in refused(name, "extra", by=f"holdfast {name}").err)


@test
def options_of_run_with_bad_values_are_refused_before_anything_is_done():
    bad = {
        "--rows": ["0", "many", "-3", "10x", "", "99999999999999999999"],
        "--limit": ["1", "64X", "64MM", "", "-64M", "99999999999G"],
    }
    for option, values in bad.items():
        for value in values:
            holds(option in refused("run", option, value, by="holdfast run").err, (option, value))
    holds("--limit" in refused("run", "--limit", by="holdfast run").err)


@test
def a_full_disk_behind_stdout_is_a_failure():
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        for arguments in ["--help"], ["--version"], ["doctor"], ["lab"]:
            ended = subprocess.run([command, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
            equal(ended.returncode, 1, ended)
            holds("can't write to standard output" in ended.stderr, ended)


# -- doctor --


def doctor_rows():
    ended = holdfast("doctor", "--json")
    equal((ended.status, ended.err), (0, ""), ended)
    report = json.loads(ended.out)
    return {row["feature"]: row for row in report["rows"]}


@test
def doctor_has_a_row_for_all_that_matters():
    ended = holdfast("doctor")
    equal((ended.status, ended.err), (0, ""), ended)
    for words in [
        "page size", "cores", "overcommit", "RLIMIT_AS", "max_map_count", "memory of the machine", "cgroup limit, version 1",
        "cgroup limit, version 2", "MADV_DONTNEED", "MADV_DONTNEED_LOCKED", "MADV_POPULATE_WRITE", "MADV_GUARD_INSTALL", "mseal",
        "membarrier, expedited", "membarrier, rseq", "rseq, registered", "process_madvise", "names for memory", "(mTHP)", "NUMA",
        "core-dump filter", "MADV_DONTDUMP", "MADV_NOHUGEPAGE", "(THP)", "mbind",
    ]:
        holds(words in ended.out, f"no row about {words}\n{ended}")


@test
def doctor_says_the_same_as_json():
    table, rows = holdfast("doctor").out, doctor_rows()
    for feature, row in rows.items():
        holds(feature in table and row["here"] in table and row["what"] in table, row)
        holds(row["use"] in ("used", "fallback", "later", "fact"), row)
        holds(row["part"] in ("kernel", "machine", "library"), row)


@test
def doctor_lines_up_its_columns():
    lines = [line for line in holdfast("doctor").out.splitlines() if line.startswith("  ")]
    equal([line for line in lines if line[29] != " " or line[30] == " " or line[52] != " "], [])


@test
def doctor_agrees_with_what_can_be_seen_from_here():
    rows = doctor_rows()
    equal(rows["page size"]["here"], f"{os.sysconf('SC_PAGESIZE') // 1024} KiB")
    equal(rows["cores for this process"]["here"], str(len(os.sched_getaffinity(0))))
    with open("/proc/sys/vm/max_map_count") as file:
        equal(rows["mappings (max_map_count)"]["here"], file.read().strip())


@test
def doctor_sees_a_limit_of_the_address_space():
    limit = 40 << 30  # sanitizers need far more: this case is not for them, and they are seen by their failure to start
    ended = holdfast("doctor", "--json", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    if ended.status != 0 and "Sanitizer" in ended.err:
        raise Skip("a sanitizer needs more addresses than that")
    equal((ended.status, ended.err), (0, ""), ended)
    rows = {row["feature"]: row for row in json.loads(ended.out)["rows"]}
    equal(rows["address space (RLIMIT_AS)"]["here"], "40 GiB")
    equal(rows["reserve 1 TiB of addresses"]["here"], "no (ENOMEM)")
    equal(rows["reserve 1 TiB of addresses"]["use"], "fallback")
    equal(rows["an arena of 1 TiB opens"]["here"], "no (HF_NO_MEMORY)")


# -- lab --


def lab_lines():
    ended = holdfast("lab")
    equal((ended.status, ended.err), (0, ""), ended)
    lines = ended.out.splitlines()
    equal(len(lines), 4, ended)
    return lines


@test
def lab_is_a_heading_and_three_lines_that_line_up():
    lines = lab_lines()
    for title in "a raw mmap pool", "holdfast":
        column = lines[0].index(title)
        for line in lines[1:]:
            holds(line[column - 1] == " " and line[column] != " ", line)


@test
def lab_shows_the_raw_pool_dead_and_holdfast_answering_with_a_status_and_a_sentence():
    for number, line in enumerate(lab_lines()[1:], 1):
        holds(line.startswith(f"  {number} "), line)
        holds("killed by SIGSEGV in fill()" in line, line)
        answer = re.search(r'allocate (HF_\w+), fill (HF_\w+): "(hf_\w+: .+)"$', line)
        holds(answer and answer[1] in FAILURES and answer[2] in FAILURES, line)


@test
def lab_leaves_no_core_file():
    with tempfile.TemporaryDirectory() as folder:
        unlimited = resource.RLIM_INFINITY
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        soft = unlimited if hard == unlimited else hard
        ended = holdfast("lab", cwd=folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (soft, hard)))
        equal(ended.status, 0, ended)
        equal(os.listdir(folder), [])


main()
