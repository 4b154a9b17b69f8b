"""Images, made here byte by byte after the format pages: what the tests feed to programs, independent of core/."""
import hashlib
import struct
import zlib

LOADER_TEXT = b"\n2nd boot version : 1.7(updraft test)\0\0"


def checksum(segments):
    value = 0xEF
    for _, data in segments:
        for byte in data:
            value ^= byte
    return value


def v1(segments, entry=0x40100004, mode=0, size_freq=0, start=b""):
    """An ESP8266 v1 image; `start` is what stands before it (the irom part of a v2 image)."""
    body = start + struct.pack("<BBBBI", 0xE9, len(segments), mode, size_freq, entry)
    for address, data in segments:
        body += struct.pack("<II", address, len(data)) + data
    body += bytes(15 - len(body) % 16)
    return body + bytes([checksum(segments)])


def boot():
    """A boot loader that calls itself v1.7, as the SDK's does."""
    code = bytes(range(64)) + LOADER_TEXT + bytes(-len(LOADER_TEXT) % 4)
    return v1([(0x40100000, code)], entry=0x40100000)


def nonos_crc(data):
    value = zlib.crc32(data)
    return ~value & 0xFFFFFFFF if value & 0x80000000 else value + 1


def v2(slot, irom, segments, entry=0x40100004, mode=0, size_freq=0x20, crc=True):
    """A NONOS user image of the SDK; without CRC, and with 0 in the slot's byte, as rBoot's tools make it."""
    irom += bytes(-len(irom) % 16)
    head = struct.pack("<BBBBIII", 0xEA, 4, 0, slot, entry, 0, len(irom)) + irom
    body = v1(segments, entry, mode, size_freq, start=head)
    return body + struct.pack("<I", nonos_crc(body)) if crc else body


def user_image(slot, link, size_freq=0x20, size=0x2000):
    """A NONOS image whose flash code is `size` bytes that say where it is linked."""
    irom = b"".join(struct.pack("<I", link + i) for i in range(0, size, 4))
    return v2(slot, irom, [(0x40100000, bytes(range(32))), (0x3FFE8000, b"data" * 8), (0x3FFE8020, b"read only...")],
              size_freq=size_freq)


def app_descriptor(version=b"1.2.3", project=b"demo"):
    text = struct.pack("<II8x32s32s16s16s32s", 0xABCD5432, 0, version, project, b"12:34:56", b"Jan  1 2026", b"v5.4")
    return (text + hashlib.sha256(b"elf").digest()).ljust(256, b"\0")


# Chip id: where constants in flash, data in RAM and code in RAM are.
MEMORY = {0: (0x3F400000, 0x3FFB0000, 0x40080000), 2: (0x3F000000, 0x3FFC0000, 0x40024000),
          5: (0x3C000000, 0x3FC90000, 0x40380000), 9: (0x3C000000, 0x3FC90000, 0x40374000),
          18: (0x48000000, 0x4FF40000, 0x4FF00000)}


def esp32(chip_id=0, segments=None, mode=2, size_freq=0x2F, entry=0x40080400, hashed=True):
    """An image of the ESP32 family."""
    flash, data, code = MEMORY[chip_id]
    if segments is None:
        segments = [(flash + 0x20, app_descriptor() + bytes(range(256))), (data, bytes(64)),
                    (code, bytes(range(128)) * 16)]
        entry = code + 0x400
    body = struct.pack("<BBBBI", 0xE9, len(segments), mode, size_freq, entry)
    body += bytes([0xEE, 0, 0, 0]) + struct.pack("<HBHH", chip_id, 0, 0, 0) + bytes(4) + bytes([1 if hashed else 0])
    for address, data in segments:
        body += struct.pack("<II", address, len(data)) + data
    body += bytes(15 - len(body) % 16) + bytes([checksum(segments)])
    return body + hashlib.sha256(body).digest() if hashed else body


def esp32_boot(chip_id=0, size_freq=0x20):
    """A second-stage boot loader of ESP-IDF: it runs from RAM alone."""
    _, data, code = MEMORY[chip_id]
    return esp32(chip_id, [(data, b"boot" * 16), (code, bytes(range(256))), (code + 0x400, bytes(64))],
                 size_freq=size_freq, entry=code + 0x400)


def rtos(link):
    """An app of the ESP8266 RTOS SDK: flash segment first, SHA-256 at the end although no header byte says so."""
    flash = app_descriptor() + bytes(range(256)) + struct.pack("<I", link)
    body = v1([(link + 0x10, flash), (0x40100000, bytes(64)), (0x3FFE8000, b"data")], entry=link + 0x110,
              size_freq=0x20)
    return body + hashlib.sha256(body).digest()


def crc32_mpeg2(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if value & 0x80000000 else value << 1
    return value


def arduino(size_freq=0x40, irom=bytes(range(256)) * 4):
    """A sketch of the Arduino core for the ESP8266: eboot, padding, application, length and CRC."""
    loader = v1([(0x4010F000, bytes(range(64)))], entry=0x4010F000, mode=2, size_freq=size_freq)
    loader = loader.ljust(0x1000, b"\xAA")

    def build(length, crc):
        flash = struct.pack("<II", length, crc) + irom
        return loader + v1([(0x40201010, flash), (0x40100000, bytes(range(32))), (0x3FFE8000, b"data")],
                           entry=0x40100000, mode=2, size_freq=size_freq)

    zeroed = build(0, 0)  # length and CRC count as zero in the CRC, and in the checksum byte at the end
    words = struct.pack("<II", len(zeroed), crc32_mpeg2(zeroed))
    return zeroed[:0x1010] + words + zeroed[0x1018:]
