#!/usr/bin/env python3
"""Compose the image of a boot loader: the sector at flash 0, from the linked program.

Usage: compose.py PROGRAM.elf IMAGE.bin VERSION

The image is of the kind that the mask ROM loads (header, segments, XOR checksum), with the loader record
of docs/formats/loader_record.md in its last 16 bytes. Fails when the program is too large for that. The
size is printed, and kept beside the image for ./dev test.
"""
import struct
import sys
import zlib
from pathlib import Path

SECTOR, RECORD = 4096, 16
PT_LOAD = 1


def segments_of(elf):
    """Return (entry, [(address, bytes)]) of a 32-bit little-endian ELF program."""
    entry, table = struct.unpack_from("<II", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 42)
    found = []
    for index in range(count):
        kind, offset, _, address, stored = struct.unpack_from("<5I", elf, table + index * size)
        if kind == PT_LOAD and stored != 0:
            found.append((address, elf[offset:offset + stored] + bytes(-stored % 4)))
    return entry, found


def image_of(entry, segments):
    """The image for the ROM, up to its checksum."""
    image = struct.pack("<BBBBI", 0xE9, len(segments), 0, 0, entry)
    checksum = 0xEF
    for address, data in segments:
        image += struct.pack("<II", address, len(data)) + data
        for byte in data:
            checksum ^= byte
    return image + bytes(15 - len(image) % 16) + bytes([checksum])


def record_of(version):
    """It counts starts on trial; its journal is where the flash map puts it."""
    record = b"UPDL" + struct.pack("<BBHI", version, 0xFF & ~1, 0xFFFF, 0xFFFFFFFF)
    return record + struct.pack("<I", zlib.crc32(record))


def main():
    program, target, version = sys.argv[1:]
    image = image_of(*segments_of(Path(program).read_bytes()))
    room = SECTOR - RECORD
    size = f"{Path(target).name}: {len(image)} of {room} bytes"
    print(size)
    Path(target).with_suffix(".size").write_text(size + "\n", encoding="utf-8")
    if len(image) > room:
        sys.exit(f"{target}: {len(image) - room} bytes too large for its sector")
    Path(target).write_bytes(image.ljust(room, b"\xFF") + record_of(int(version)))


if __name__ == "__main__":
    main()
