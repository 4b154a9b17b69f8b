#!/usr/bin/env python3
"""Check that folders include only whom the map of docs/design.md, section 1, lets them include.

An include names the folder that holds the file. Usage: includes.py [ROOT]
"""
import re
import sys
from pathlib import Path

MAY_INCLUDE = {
    "core": {"core"},
    "device": {"device", "core"},
    "boot": {"boot", "core"},
    "firmware": {"firmware", "device", "core"},
    "sim": {"sim", "core", "device", "firmware"},
    "tools": {"tools", "core"},
    "server": {"server", "core"},
}
# What runs on a chip has no C library: beside its own headers only the compiler's.
FREESTANDING = {"core", "device", "boot"}
COMPILER = {"stdint.h", "stddef.h", "stdbool.h", "stdalign.h", "stdarg.h", "limits.h", "stdnoreturn.h",
            "cpuid.h", "immintrin.h"}
# Tests and fuzz targets may use the C library, and the harness, which lives in core/test/.
FOR_TESTS = {"test", "fuzz"}
# Ports stand on an SDK, whose headers and C library are there.
FOR_PORTS = {"ports"}
HARNESS = "core/test/check.h"

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)


def owners(root, source, name, files):
    """The files of the repository that an include may mean; a path beside the source goes first."""
    beside = (source.parent / name).resolve()
    if beside.is_file() and beside.is_relative_to(root):
        return [beside.relative_to(root).as_posix()]
    return [path for path in files if path.endswith("/" + name)]


def check(root):
    """Return (number of includes seen, list of violations) of the repository at root."""
    root = Path(root).resolve()
    files = [path.relative_to(root).as_posix() for folder in MAY_INCLUDE
             for path in sorted((root / folder).rglob("*")) if path.suffix in {".c", ".h", ".S", ".inc"}]
    seen, problems = 0, []
    for file in files:
        folder, *inner = file.split("/")
        is_test = bool(FOR_TESTS.intersection(inner))
        is_port = bool(FOR_PORTS.intersection(inner))
        text = (root / file).read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            seen += 1
            name = match.group(1)
            where = f"{file}:{text.count(chr(10), 0, match.start(1)) + 1}"
            found = owners(root, root / file, name, files)
            folders = {path.split("/")[0] for path in found}
            if not found:
                if folder in FREESTANDING and not is_test and not is_port and name not in COMPILER:
                    problems.append(f"{where}: {folder} --> <{name}>, which chips do not have")
            elif not folders & MAY_INCLUDE[folder] and not (is_test and HARNESS in found):
                problems.append(f"{where}: {folder} --> {min(folders)} ({name}) is no arrow of the map")
    return seen, problems


def main():
    seen, problems = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent)
    print("\n".join(problems + [f"{seen} includes, {len(problems)} against the map"]))
    return 1 if problems or seen == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
