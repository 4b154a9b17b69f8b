#!/usr/bin/env python3
"""Check that libraries for the chip need nothing that a chip lacks: no malloc, no C library, no 64-bit division.

Usage: link.py ARCHIVE...   What one archive needs, another may define.
"""
import subprocess
import sys

NM = "xtensa-lx106-elf-nm"
# What the chip's mask ROM or the compiler's own library holds: memory, 32-bit division, and of 64-bit arithmetic the
# shifts and products, which are short.
ALLOWED = {"memcpy", "memmove", "memset", "memcmp", "__udivsi3", "__umodsi3", "__divsi3", "__modsi3",
           "__ashldi3", "__ashrdi3", "__lshrdi3", "__muldi3", "__umulsidi3"}


def needs(archives):
    """Return (number of defined symbols, {missing symbol: the objects that need it})."""
    output = subprocess.run([NM, "--format=posix", "--extern-only", "--print-file-name", *archives],
                            check=True, capture_output=True, text=True).stdout
    defined, wanted = set(), {}
    for line in output.splitlines():
        where, rest = line.rsplit(": ", 1)
        name, kind = rest.split()[:2]
        if kind in "Uw":
            wanted.setdefault(name, []).append(where)
        else:
            defined.add(name)
    return len(defined), {name: where for name, where in wanted.items() if name not in defined | ALLOWED}


def main():
    defined, missing = needs(sys.argv[1:])
    for name, where in sorted(missing.items()):
        print(f"{', '.join(where)}: needs {name}, which chips do not have")
    print(f"{defined} symbols defined, {len(missing)} missing")
    return 1 if missing or defined == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
