#!/usr/bin/env python3
"""Sum up JUnit reports, as ctest and pytest write them, in the line that ends each test run of updraft.

Usage: summary.py REPORT...   Prints the names of what failed and what was skipped, then
"N passed, N failed, N skipped". A program under ctest ends with such a line itself and counts by it, or is one of
cmocka's and counts by what that prints of each test; without, or failing without a failed test, it has crashed and counts as a failure.
"""
import collections
import re
import sys
import xml.etree.ElementTree as ElementTree

TOTALS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
FAILED = re.compile(r"^FAILED (.+)$", re.MULTILINE)
CMOCKA_BEGUN = re.compile(r"^\[={10}\] (?:\S+: )?Running (\d+) test\(s\)\.$", re.MULTILINE)
CMOCKA_RUN = re.compile(r"^\[={10}\] (?:\S+: )?(\d+) test\(s\) run\.$", re.MULTILINE)
CMOCKA_TEST = re.compile(r"^\[ *(OK|FAILED|SKIPPED) *\] ([A-Za-z_]\w*)$", re.MULTILINE)
SKIPPED = re.compile(r"(?:^skipped: (.*)\n)?^skipped (.+)$", re.MULTILINE)


def sum_cmocka(output):
    """Return (passed, failed, skipped) and the names of what failed; None: not cmocka's, or not run to its end."""
    begun, run = CMOCKA_BEGUN.findall(output), CMOCKA_RUN.findall(output)
    ended = {test: result for result, test in CMOCKA_TEST.findall(output)}
    if not run or begun != run or len(ended) != sum(map(int, run)):
        return None
    results = list(ended.values())
    return ([results.count(result) for result in ("OK", "FAILED", "SKIPPED")],
            [test for test, result in ended.items() if result == "FAILED"])


def sum_program(name, output, broken):
    """Return ([passed, failed, skipped], lines to print) of one program that ctest ran."""
    totals = TOTALS.findall(output)
    cmocka = None if totals else sum_cmocka(output)
    if cmocka:
        totals, failed = [cmocka[0]], cmocka[1]
        output = "".join(f"FAILED {test}\n" for test in failed)
    counts = [int(number) for number in totals[-1]] if totals else [0, 0, 0]
    lines = [f"FAILED {name}: {test}" for test in FAILED.findall(output)]
    lines += [f"skipped {name}: {test}: {reason or 'no reason given'}" for reason, test in SKIPPED.findall(output)]
    if not totals or (broken and counts[1] == 0):
        counts[1] += 1
        lines.append(f"FAILED {name}: it ended before its time, or failed without a failed test")
    return counts, lines


def sum_case(case):
    """The same of one test case of a report."""
    broken = case.find("failure") is not None or case.find("error") is not None
    if "status" in case.attrib:     # ctest's, which calls a missing program skipped; that has no totals and fails
        return sum_program(case.get("name"), case.findtext("system-out") or "", broken)
    skipped = case.find("skipped")
    name = f"{case.get('classname')}/{case.get('name')}"
    if broken:
        return [0, 1, 0], [f"FAILED {name}"]
    if skipped is not None:
        name = name.split("[")[0]       # the cases of one test are one line
        return [0, 0, 1], [f"skipped {name}: {skipped.get('message') or 'no reason given'}"]
    return [1, 0, 0], []


def main():
    totals = [0, 0, 0]
    said = collections.Counter()
    for report in sys.argv[1:]:
        for case in ElementTree.parse(report).iter("testcase"):
            counts, lines = sum_case(case)
            totals = [total + count for total, count in zip(totals, counts)]
            said.update(lines)
    for line, times in said.items():
        print(line if times == 1 else f"{line} ({times} cases)")
    if sum(totals) == 0:
        print("FAILED: no test ran")
        totals[1] = 1
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
