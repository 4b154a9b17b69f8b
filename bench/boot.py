#!/usr/bin/env python3
"""What starting a verified image costs: instructions from reset to the application's entry.

Usage: boot.py [--json]

An image of 400 KB is started by updraft's boot loader and by boot_v1.7.bin (when it is beside the repository), in the
same emulator, which counts instructions: those of the boot loader and of the ROM's functions that it calls. The
original looks at the RAM segments only. What verifying adds is the difference to an image with the same RAM segments
and next to no code in flash, per byte. Then the chip would also wait for its flash: at 40 MHz and two bits a clock,
the 80 Mbit/s read 400 KB in 41 ms; the CPU runs at 52 MHz while the loader does.
"""
import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "sim"), str(ROOT / "tests")]
from emulator import Emulator  # noqa: E402
from nonos import USER1, Flash, v2_image  # noqa: E402

BUILD = ROOT / "build/lx106"
SHARED = Path(os.environ.get("UPDRAFT_SHARED", ROOT.parent / "shared"))
LOADERS = {"updraft": BUILD / "boot/nonos.bin", "boot v1.7": SHARED / "vendor/boot_v1.7.bin"}
MAP, SIZE = 2, 400_000
ENTRY = 0x40100008


def image(irom):
    """user1 with 40 KB of RAM segments, as an application of the SDK has."""
    noise = bytes((i * 73 + (i >> 8) * 151) & 0xFF for i in range(1 << 16))
    code = bytes(8) + b"\x06\xff\xff" + noise[:30_000 - 11] + b"\0" * 3
    segments = [(0x40100000, code[:len(code) & ~3]), (0x3FFE8000, noise[:10_000])]
    return v2_image(1, segments, ENTRY, (noise * 8)[:irom])


def spin(count):
    """A program of count rounds of three instructions, that reports itself: the measure of the emulator's clock."""
    code = bytearray(count.to_bytes(4, "little") + (0x60001FFC).to_bytes(4, "little"))
    code += bytes([0x21, 0xFE, 0xFF,        # l32r   a2, count
                   0x31, 0xFE, 0xFF])       # l32r   a3, report
    code += bytes([0x0B, 0x22,              # addi.n a2, a2, -1
                   0x3D, 0xF0,              # nop.n
                   0x56, 0x82, 0xFF])       # bnez   a2, the addi.n
    code += bytes([0x29, 0x03,              # s32i.n a2, a3, 0
                   0x06, 0xFF, 0xFF])       # j      .
    return v2_image(1, [(0x40100000, bytes(code) + bytes(-len(code) % 4))], ENTRY)


def cycles(folder, loader, program, order):
    flash = Flash(MAP, loader.read_bytes())
    flash.select(b"\xFC\xE7" + b"\xFF" * 6)
    flash.put(USER1, program)
    path = Path(folder) / "flash.bin"
    flash.write(path)
    with Emulator(path, BUILD / "sim/rom/rom.elf") as chip:
        run = chip.boot(order)
    if run.event not in ("stopped", "app") or run.ops:
        sys.exit(f"boot.py: the image did not start: {run}")
    return run.cycles


def measure():
    with tempfile.TemporaryDirectory() as folder:
        loader = LOADERS["updraft"]
        rounds = 1_000_000
        step = (cycles(folder, loader, spin(2 * rounds), "") - cycles(folder, loader, spin(rounds), "")) / (3 * rounds)
        rows = {}
        for name, path in LOADERS.items():
            if path.exists():
                whole = cycles(folder, path, image(SIZE), f"stop {ENTRY:#x}") / step
                little = cycles(folder, path, image(1024), f"stop {ENTRY:#x}") / step
                rows[name] = {"instructions": round(whole), "ms_at_52_MHz": round(whole / 52_000, 1),
                              "instructions_per_irom_byte": round((whole - little) / (SIZE - 1024), 2)}
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    if not LOADERS["updraft"].exists():
        sys.exit("boot.py: no boot loader: run ./dev build first")
    rows = measure()
    if arguments.json:
        print(json.dumps({"schema": 1, "image_bytes": len(image(SIZE)), "loaders": rows}, indent=2))
        return
    print(f"{'reset to entry, image of ' + str(len(image(SIZE))) + ' bytes':44} {'instructions':>12} {'ms, 52 MHz':>11} {'per irom byte':>14}")
    for name, row in rows.items():
        print(f"{name:44} {row['instructions']:12} {row['ms_at_52_MHz']:11} {row['instructions_per_irom_byte']:14}")
    if "boot v1.7" in rows:
        print(f"{'ratio':44} {rows['updraft']['instructions'] / rows['boot v1.7']['instructions']:12.2f}")
    else:
        print(f"skipped: no boot_v1.7.bin at {SHARED}/vendor")


if __name__ == "__main__":
    main()
