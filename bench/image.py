#!/usr/bin/env python3
"""How long checking firmware images takes, and what each module costs on a chip.

Usage: image.py [--json] [--repeat N]   The program is $UPDRAFT_BIN, else out/updraft.

Time is a ratio: `updraft image verify` over all real images against `sha256sum` over the same files, turn by turn in
the same run, the best of N turns each, CPU time of user and system. A ratio below 1 is faster than sha256sum. Text and
stack of core/ on lx106 are read from its objects, as ./dev test reads them.
"""
import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import sizes  # noqa: E402

SHARED = Path(os.environ.get("UPDRAFT_SHARED", ROOT.parent / "shared"))
PROGRAM = Path(os.environ.get("UPDRAFT_BIN", ROOT / "out" / "updraft"))
# What a kind of image is checked by; the kind is what its files are called in the corpus.
KINDS = {"all images": "*.bin", "NONOS and rBoot (CRC-32)": "[lnw][coi]*-esp8266-*.bin",
         "Arduino (CRC-32/MPEG-2)": "ratgdo8266-*.bin", "ESP32 family (SHA-256)": "*-esp32*.bin"}


def seconds(*command):
    """CPU time of a command and of nothing else: what the machine does besides drops out."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(files, repeat):
    """Best times of both programs over the same files, turn by turn, after a turn that fills the cache."""
    ours, theirs = [str(PROGRAM), "image", "verify", *files], ["sha256sum", *files]
    seconds(*ours), seconds(*theirs)
    turns = [(seconds(*ours), seconds(*theirs)) for _ in range(repeat)]
    return min(t[0] for t in turns), min(t[1] for t in turns)


def measure_times(repeat):
    rows = []
    for kind, pattern in KINDS.items():
        files = sorted((SHARED / "corpus" / "img").glob(pattern))
        if files:
            ours, theirs = compare([str(f) for f in files], repeat)
            size = sum(f.stat().st_size for f in files)
            rows.append({"images": kind, "files": len(files), "bytes": size, "updraft_s": ours, "sha256sum_s": theirs,
                         "ratio": ours / theirs, "updraft_mb_s": size / ours / 1e6})
    return rows


def measure_modules():
    """Text, constants and deepest stack of each module of core/ on lx106; empty without its compiler."""
    if not shutil.which("xtensa-lx106-elf-gcc"):
        return []
    quiet = {"check": True, "cwd": ROOT, "stdout": subprocess.DEVNULL}
    subprocess.run(["cmake", "--preset", "lx106"], **quiet)
    subprocess.run(["cmake", "--build", "--preset", "lx106", "--target", "updraft_core"], **quiet)
    modules, stacks = sizes.measure(ROOT / "build" / "lx106", ["core"])
    return [{"module": m.name, "text": m.text, "constants": m.constants,
             "stack": max((stacks.deepest(title)[0] for title in m.frame), default=0)} for m in modules]


def print_tables(result):
    print(f"{'updraft image verify / sha256sum':34} {'files':>6} {'MB':>7} {'ms':>8} {'ms':>8} {'ratio':>6}")
    for row in result["times"]:
        print(f"{row['images']:34} {row['files']:6} {row['bytes'] / 1e6:7.1f} {row['updraft_s'] * 1e3:8.1f} "
              f"{row['sha256sum_s'] * 1e3:8.1f} {row['ratio']:6.2f}")
    if not result["times"]:
        print(f"skipped: no firmware images at {SHARED}")
    print(f"\n{'lx106, bytes':34} {'text':>6} {'const':>7} {'stack':>8}")
    for row in result["modules"]:
        print(f"{row['module']:34} {row['text']:6} {row['constants']:7} {row['stack']:8}")
    if not result["modules"]:
        print("skipped: xtensa-lx106-elf-gcc is not installed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--repeat", type=int, default=9, metavar="N", help="turns of each program")
    arguments = parser.parse_args()
    if not PROGRAM.exists():
        sys.exit(f"image.py: no program at {PROGRAM}: run ./dev build")
    result = {"schema": 1, "times": measure_times(arguments.repeat), "modules": measure_modules()}
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        print_tables(result)


if __name__ == "__main__":
    main()
