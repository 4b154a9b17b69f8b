#!/usr/bin/env python3
"""Print which lines and branches of the chips' code the tests reach, and fail where too few are.

Usage: coverage.py BUILD FOLDER...   BUILD is a build of the coverage preset whose tests have run; the
sources are those of the library updraft_FOLDER of each folder, and the headers of that folder. Below
LIMIT per cent of the lines, of any folder but core or of all together, it fails.

A line of several copies (an inline function of a header) counts as reached when one of them was.
Lines that were not reached are named: FILE:LINE, with `branch` where a line ran, but not each way.
"""
import json
import subprocess
import sys
from pathlib import Path

LIMIT = 95.0
ROOT = Path(__file__).resolve().parent.parent


class File:
    """Counts of one source: of a line, and of the branches that leave it."""

    def __init__(self):
        self.lines, self.branches = {}, {}

    def add(self, line):
        number = line["line_number"]
        self.lines[number] = self.lines.get(number, 0) + line["count"]
        # Copies that were compiled alike have the same branches in the same order.
        ways = [branch["count"] for branch in line["branches"] if not branch["throw"]]
        known = self.branches.setdefault(number, [0] * len(ways))
        known.extend([0] * (len(ways) - len(known)))
        for i, count in enumerate(ways):
            known[i] += count

    def line_counts(self):
        return sum(count > 0 for count in self.lines.values()), len(self.lines)

    def branch_counts(self):
        ways = [count for counts in self.branches.values() for count in counts]
        return sum(count > 0 for count in ways), len(ways)

    def missed(self):
        """Yield the runs of lines that were not reached, then the lines that ran, but not each way."""
        numbers = sorted(self.lines)
        first = None
        for number, following in zip(numbers, [*numbers[1:], None]):
            if self.lines[number] != 0:
                continue
            first = number if first is None else first
            if following is None or self.lines[following] != 0:
                yield f"{first}" if first == number else f"{first}-{number}"
                first = None
        for number in numbers:
            if self.lines[number] != 0 and 0 in self.branches[number]:
                yield f"{number} branch"


def in_repository(folder, name):
    """A file's name within the repository: compilers write it from there on, or from the build's folder on."""
    for path in Path(folder, name).resolve(), ROOT / name:
        if path.is_file() and path.is_relative_to(ROOT):
            return path.relative_to(ROOT).as_posix()
    return name


def gcov(notes):
    """Yield (name, lines) of each file that one object was made of."""
    run = subprocess.run(["gcov", "--json-format", "--branch-probabilities", "--stdout", str(notes.resolve())],
                         check=True, capture_output=True, text=True)
    for line in run.stdout.splitlines():
        answer = json.loads(line)
        for file in answer["files"]:
            yield in_repository(answer["current_working_directory"], file["file"]), file["lines"]


def measure(build, folder):
    files = {}
    for notes in sorted(Path(build, folder, "CMakeFiles", f"updraft_{folder}.dir").rglob("*.gcno")):
        for name, lines in gcov(notes):
            if name.startswith(f"{folder}/"):
                for line in lines:
                    files.setdefault(name, File()).add(line)
    return files


def share(reached, count):
    return 100.0 * reached / count if count else 100.0


def row(name, lines, branches):
    return (f"{name:44} {lines[0]:6} of {lines[1]:5} {share(*lines):6.1f} %"
            f" {branches[0]:6} of {branches[1]:5} {share(*branches):6.1f} %")


def total(counts):
    return tuple(sum(column) for column in zip(*counts))


def main():
    build, folders = sys.argv[1], sys.argv[2:]
    sums, problems, missed = {}, [], []
    print(f"{'coverage':44} {'lines':>23} {'branches':>24}")
    for folder in folders:
        files = measure(build, folder)
        if not files:
            problems.append(f"{folder}: nothing was measured")
            continue
        for name, file in sorted(files.items()):
            print(row(name, file.line_counts(), file.branch_counts()))
            missed += [f"{name}:{place}" for place in file.missed()]
        sums[folder] = (total([file.line_counts() for file in files.values()]),
                        total([file.branch_counts() for file in files.values()]))
    print("not reached:")
    print("\n".join(missed))
    if sums:
        sums["together"] = tuple(total(column) for column in zip(*sums.values()))
    for name, (lines, branches) in sums.items():
        print("total " + row(name, lines, branches))
        if share(*lines) < LIMIT and name != "core":
            problems.append(f"{name}: {share(*lines):.1f} % of the lines; the limit is {LIMIT:.0f} %")
    print("\n".join([*problems, f"{len(folders)} folders, {len(problems)} problems"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
