"""A glitch on the supply makes a processor skip an instruction. Goal: no single skipped instruction makes
the boot loader start an image that is bad, in either slot.

Method: every instruction of the loader, one at a time, is replaced by one of its length that does nothing,
and the loader is started over slots that are bad in ways that differ. docs/boot-nonos.md has the counts.

A permanent skip, as here, is harder than the glitch: it also hits the check that is made twice by the same
instructions. A few of them in the ordinary tests, tests/test_boot_nonos.py; all by `./dev test boot-skip`.
"""
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "sim"))

from emulator import Emulator, EmulatorError                                        # noqa: E402
from nonos import USER1, USER2, Flash                                               # noqa: E402
from test_boot_nonos import DAMAGES, LOADER, ROM, block_of                          # noqa: E402

PROGRAM = LOADER.with_suffix(".elf")
CODE = 0x4010E000
NOPS = {2: b"\x3D\xF0", 3: b"\xF0\x20\x00"}

# What is in user1 and in user2. The first two are what wear, noise and cuts make; the others are images
# that were made bad on purpose, with everything else mended.
WAYS = {
    "torn": ("irom byte", "code byte"),
    "never written": ("first 148 bytes", "blank"),
    "sums": ("code byte, CRC mended", "CRC"),
    "headers": ("inner magic", "outer magic"),
    "places": ("segment at 4010e000", "entry outside"),
}


def instructions():
    """(address, size) of each instruction of the loader."""
    text = subprocess.run(["xtensa-lx106-elf-objdump", "-d", PROGRAM], check=True, capture_output=True, text=True).stdout
    text = text[text.index("<boot_start>:"):]         # literals come first
    lines = re.findall(r"^([0-9a-f]+):\t([0-9a-f]+) +\t(\S+)(?:\t(.*))?$", text, re.MULTILINE)
    literals = {int(re.search(r"([0-9a-f]{8})", operands)[1], 16) for _, _, name, operands in lines if name == "l32r"}
    data = {literal + i for literal in literals for i in range(4)}
    return [(int(address, 16), len(code) // 2) for address, code, name, _ in lines
            if int(address, 16) not in data and len(code) in (4, 6)]


def with_skipped(loader, address, size):
    """The loader's image without one instruction, its checksum mended."""
    image = bytearray(loader)
    at, sum_at = 8, None
    for _ in range(image[1]):
        first, length = struct.unpack_from("<II", image, at)
        if first <= address < first + length:
            place = at + 8 + address - first
        at += 8 + length
    sum_at = at | 15
    for index, byte in enumerate(NOPS[size]):
        image[sum_at] ^= image[place + index] ^ byte
        image[place + index] = byte
    return bytes(image)


class Victim:
    """Restarted when a skip has made it run in circles, which a watchdog ends on the chip."""

    def __init__(self, path):
        self.path, self.machine = path, None

    def run(self, flash):
        flash.write(self.path)
        if self.machine is None:
            self.machine = Emulator(self.path, ROM, seconds=1).__enter__()
        try:
            return self.machine.boot("new")
        except EmulatorError:
            self.close()
            return None

    def close(self):
        if self.machine is not None:
            self.machine.__exit__()
        self.machine = None


def started(folder, way, chosen):
    """Addresses of instructions without which something starts."""
    loader = LOADER.read_bytes()
    flash = Flash(0)
    flash.select(block_of(4))
    for address, name in zip((USER1, USER2[0]), WAYS[way]):
        flash.put(address, DAMAGES[name])
    victim = Victim(folder / "flash.bin")
    found = []
    try:
        for address, size in chosen:
            flash.put(0, with_skipped(loader, address, size))
            run = victim.run(flash)
            if run is not None and run.event == "app":
                found.append(address)
    finally:
        victim.close()
    return found


def main():
    chosen = instructions()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            found = started(Path(folder), way, chosen)
            failed += bool(found)
            print(f"{way}: {len(chosen)} instructions, {len(found)} without which something starts"
                  f"{''.join(f' {address:#x}' for address in found)}", flush=True)
    print(f"{len(WAYS) - failed} passed, {failed} failed, 0 skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
