"""NONOS flash images for tests, put together in Python from the format's description alone, so that
they are a witness independent of core/."""
import struct
import zlib

SECTOR = 0x1000
REPORT = 0x60001FFC             # a program's report to the emulated machine
CHIP_SIZE = {0: 0x80000, 1: 0x40000, 2: 0x100000, 3: 0x200000, 4: 0x400000, 5: 0x200000,
             6: 0x400000, 8: 0x800000, 9: 0x1000000}
USER1 = 0x1000
USER2 = {0: 0x41000, 2: 0x81000, 3: 0x81000, 4: 0x81000, 5: 0x101000, 6: 0x101000, 8: 0x101000,
         9: 0x101000}
MAPS = sorted(USER2)


def reporting_code(value):
    """Code for 0x40100000, entry at its byte 8, that reports `value` and then stands still."""
    return struct.pack("<II", REPORT, value) + bytes([
        0x21, 0xFE, 0xFF,       # l32r   a2, REPORT
        0x31, 0xFE, 0xFF,       # l32r   a3, value
        0x39, 0x02,             # s32i.n a3, a2, 0
        0x06, 0xFF, 0xFF,       # j      .
        0x00])


def xor_checksum(segments):
    value = 0xEF
    for _, data in segments:
        for byte in data:
            value ^= byte
    return value


def v1_image(segments, entry, byte2=0, byte3=0):
    body = struct.pack("<BBBBI", 0xE9, len(segments), byte2, byte3, entry)
    for address, data in segments:
        body += struct.pack("<II", address, len(data)) + data
    body += bytes(15 - len(body) % 16)
    return body + bytes([xor_checksum(segments)])


def appended_crc(data):
    value = zlib.crc32(data)
    return (~value & 0xFFFFFFFF) if value & 0x80000000 else value + 1


def v2_image(slot, segments, entry, irom=bytes(64), byte2=0, byte3=0):
    """The image of `slot` 1 or 2 as the SDK's generator makes it."""
    irom += bytes(-len(irom) % 16)
    body = struct.pack("<BBBBIII", 0xEA, 4, 0, slot, entry, 0, len(irom)) + irom
    body += v1_image(segments, entry, byte2, byte3)
    return body + struct.pack("<I", appended_crc(body))


def reporting_image(slot, value, irom=bytes(64)):
    """A complete user image whose program reports `value` once it runs."""
    segments = [(0x40100000, reporting_code(value)), (0x3FFE8000, b"data" * 4), (0x3FFE8010, b"rodata\0\0")]
    return v2_image(slot, segments, 0x40100008, irom)


class Flash:
    """A whole flash, erased but for what is put in it."""

    def __init__(self, map_number, boot=None):
        self.map = map_number
        self.data = bytearray(b"\xFF" * CHIP_SIZE[map_number])
        if boot is not None:
            self.put(0, boot)
            self.data[3] = map_number << 4

    def put(self, offset, data):
        self.data[offset:offset + len(data)] = data

    def sector(self, number):
        return bytes(self.data[number * SECTOR:(number + 1) * SECTOR])

    @property
    def parameters(self):
        """First sector of the system parameter area."""
        return len(self.data) // SECTOR - 4

    def select(self, block, flag=0):
        """Put `block` at the start of the valid copy, erased before, and the flag byte."""
        for number in (1, 2, 3):
            self.put((self.parameters + number) * SECTOR, b"\xFF" * SECTOR)
        self.put((self.parameters + (1 if flag == 0 else 2)) * SECTOR, block)
        self.put((self.parameters + 3) * SECTOR, bytes([flag]))

    def copy(self):
        """The valid copy of the system parameters, as the flag byte names it."""
        flag = self.data[(self.parameters + 3) * SECTOR]
        return self.sector(self.parameters + (1 if flag == 0 else 2))

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.data)

    def read(self, path):
        with open(path, "rb") as file:
            self.data = bytearray(file.read())
