#!/usr/bin/env python3
"""Write core/test/vectors/gzip/*: files that zlib makes, and files that no compressor would.

The second kind is written bit by bit, since each has one thing wrong, or one thing that is right but
rare. Whether a file is accepted is asserted against Python's zlib, so the expectations of gzip_test.c are not
the reader's own opinion. `payload.bin` is what the good files inflate to.
"""
import pathlib
import struct
import zlib

VECTORS = pathlib.Path(__file__).parent / "vectors" / "gzip"

ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


def make_payload():
    """Text, then noise, then a run, then text again: every kind of block has something to do."""
    text = "".join(f"user{i % 3}.bin at {i * 4096:#x}, {i * i} bytes; " for i in range(60)).encode()
    noise, random = bytearray(), 1
    for _ in range(1500):
        random = (random * 1664525 + 1013904223) % 2**32
        noise.append(random >> 24)
    return text + bytes(noise) + b"\xff" * 1200 + text[:700]


PAYLOAD = make_payload()


class Bits:
    """A deflate stream in the making: numbers with their low bit first, codes with their high bit first."""

    def __init__(self):
        self.list = []

    def number(self, value, count):
        self.list += [value >> i & 1 for i in range(count)]
        return self

    def code(self, value, count):
        self.list += [value >> i & 1 for i in reversed(range(count))]
        return self

    def block(self, kind, last=1):
        return self.number(last, 1).number(kind, 2)

    def fixed(self, symbol):
        if symbol < 144:
            return self.code(0x30 + symbol, 8)
        if symbol < 256:
            return self.code(0x190 + symbol - 144, 9)
        if symbol < 280:
            return self.code(symbol - 256, 7)
        return self.code(0xC0 + symbol - 280, 8)

    def counts(self, literals, distances, codes):
        return self.number(literals - 257, 5).number(distances - 1, 5).number(codes - 4, 4)

    def code_sizes(self, sizes):
        """The sizes of the codes for code lengths, of all 19."""
        for symbol in ORDER:
            self.number(sizes.get(symbol, 0), 3)
        return self

    def bytes(self):
        padded = self.list + [0] * (-len(self.list) % 8)
        return bytes(sum(padded[i + k] << k for k in range(8)) for i in range(0, len(padded), 8))


def canonical(sizes):
    """Symbol -> (code, size), for sizes that make a complete code."""
    codes, code = {}, 0
    for size in range(1, 16):
        for symbol in sorted(s for s, n in sizes.items() if n == size):
            codes[symbol] = (code, size)
            code += 1
        code <<= 1
    return codes


def dynamic(literals, distances, literal_count=257, distance_count=1):
    """A last, dynamic block up to its data; sizes are {symbol: size}. Returns it with its two codes."""
    bits = Bits().block(2).counts(literal_count, distance_count, 19)
    sizes = [literals.get(i, 0) for i in range(literal_count)]
    sizes += [distances.get(i, 0) for i in range(distance_count)]
    plain = {i: 5 for i in range(16)} | {17: 2, 18: 2}
    bits.code_sizes(plain)
    codes = canonical(plain)
    at = 0
    while at < len(sizes):
        zeros = next((i for i, s in enumerate(sizes[at:]) if s), len(sizes) - at)
        if zeros >= 11:
            zeros = min(zeros, 138)
            bits.code(*codes[18]).number(zeros - 11, 7)
            at += zeros
        else:
            bits.code(*codes[sizes[at]])
            at += 1
    return bits, canonical(literals), canonical(distances)


def gzip(deflated, content, header=b"\x1f\x8b\x08\0\0\0\0\0\0\xff", crc=None, size=None):
    crc = zlib.crc32(content) if crc is None else crc
    size = len(content) if size is None else size
    return header + deflated + struct.pack("<II", crc, size % 2**32)


def deflate(content, level=9, strategy=zlib.Z_DEFAULT_STRATEGY, window=15):
    packer = zlib.compressobj(level, zlib.DEFLATED, -window, 9, strategy)
    return packer.compress(content) + packer.flush()


def flushed(content):
    """Blocks of all kinds, with the empty stored blocks that flushing writes between them."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, 1)
    out = b""
    for i in range(0, len(content), 300):
        how = (zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH)[i // 300 % 3]
        out += packer.compress(content[i : i + 300]) + packer.flush(how)
    return out + packer.flush()


def header(flags, rest=b"", check=None):
    start = struct.pack("<BBBBIBB", 0x1F, 0x8B, 8, flags, 0x12345678, 2, 3) + rest
    if flags & 2:
        start += struct.pack("<H", zlib.crc32(start) & 0xFFFF if check is None else check)
    return start


def distance_code(distance):
    """A distance's symbol, the number of its extra bits and their value."""
    extra = max((distance - 1).bit_length() - 2, 0)
    rest = distance - 1 - (((distance - 1) >> extra) << extra)
    return 2 * extra + ((distance - 1) >> extra), extra, rest


def copy_from(distance):
    """A payload of its own: `distance` bytes, then a copy of the first three of them."""
    bits = Bits().block(1).fixed(ord("a")).fixed(ord("b")).fixed(ord("c")).fixed(ord("d"))
    content = b"abcd"
    while len(content) < distance:
        size = min(258, distance - len(content))
        if size < 258:
            bits.fixed(ord("d"))
            content += b"d"
        else:
            bits.fixed(285).code(0, 5)
            content += b"d" * 258
    symbol, extra, rest = distance_code(distance)
    bits.fixed(257).code(symbol, 5).number(rest, extra).fixed(256)
    return bits.bytes(), content + content[:3]


def good():
    """name -> (deflate stream or whole file, content)"""
    everything = b"\x05\0extra" + b"payload.bin\0" + b"a comment\0"
    body = deflate(PAYLOAD)
    yield "stored", gzip(deflate(PAYLOAD, 0), PAYLOAD)
    yield "fixed", gzip(deflate(PAYLOAD, 9, zlib.Z_FIXED), PAYLOAD)
    yield "dynamic-1", gzip(deflate(PAYLOAD, 1), PAYLOAD)
    yield "dynamic-9", gzip(body, PAYLOAD)
    yield "window-512", gzip(deflate(PAYLOAD, 9, window=9), PAYLOAD)
    yield "huffman-only", gzip(deflate(PAYLOAD, 9, zlib.Z_HUFFMAN_ONLY), PAYLOAD)
    yield "run-length", gzip(deflate(PAYLOAD, 9, zlib.Z_RLE), PAYLOAD)
    yield "flushed", gzip(flushed(PAYLOAD), PAYLOAD)
    yield "header-all", gzip(body, PAYLOAD, header(0x1F, everything))
    yield "header-empty-extra", gzip(body, PAYLOAD, header(0x04, b"\0\0"))
    yield "header-name", gzip(body, PAYLOAD, header(0x08, b"\0"))
    yield "header-comment-check", gzip(body, PAYLOAD, header(0x12, b"\xe9\0"))
    yield "zeros-1048576", gzip(deflate(bytes(1048576)), bytes(1048576))
    yield "empty", gzip(deflate(b""), b"")
    yield "empty-stored", gzip(b"\x01\0\0\xff\xff", b"")

    bits, literals, _ = dynamic({97: 1, 256: 1}, {})
    yield "no-distances", gzip(bits.code(*literals[97]).code(*literals[256]).bytes(), b"a")
    bits, literals, distances = dynamic({97: 2, 98: 2, 256: 2, 257: 2}, {0: 1}, 258)
    for symbol in (97, 98):
        bits.code(*literals[symbol])
    bits.code(*literals[257]).code(*distances[0]).code(*literals[256])
    yield "one-distance", gzip(bits.bytes(), b"abbbb")
    bits, literals, _ = dynamic({256: 1}, {})
    yield "one-literal", gzip(bits.code(0, 1).bytes(), b"")
    long = {i: i + 1 for i in range(14)} | {14: 15, 256: 15}
    bits, literals, _ = dynamic(long, {})
    for symbol in (0, 14, 13, 256):
        bits.code(*literals[symbol])
    yield "longest-codes", gzip(bits.bytes(), b"\0\x0e\x0d")
    for distance in (256, 257, 512, 513, 24577, 32768):
        yield f"distance-{distance}", gzip(*copy_from(distance))
    bits = Bits().block(1).fixed(ord("x")).fixed(284).number(31, 5).code(0, 5).fixed(256)
    yield "length-258-the-long-way", gzip(bits.bytes(), b"x" * 259)


def bad():
    """name -> file"""
    body = deflate(PAYLOAD)
    yield "magic-first", gzip(body, PAYLOAD, b"\x1e\x8b\x08\0\0\0\0\0\0\xff")
    yield "magic-second", gzip(body, PAYLOAD, b"\x1f\x8c\x08\0\0\0\0\0\0\xff")
    yield "method", gzip(body, PAYLOAD, b"\x1f\x8b\x07\0\0\0\0\0\0\xff")
    for bit in (0x20, 0x40, 0x80):
        yield f"flag-{bit:02x}", gzip(body, PAYLOAD, b"\x1f\x8b\x08" + bytes([bit]) + b"\0\0\0\0\0\xff")
    right = zlib.crc32(header(0)[:3] + b"\x02" + header(0)[4:]) & 0xFFFF
    yield "header-check-low", gzip(body, PAYLOAD, header(2, b"", right ^ 0x0010))
    yield "header-check-high", gzip(body, PAYLOAD, header(2, b"", right ^ 0x1000))
    yield "block-type", gzip(Bits().block(3).bytes(), b"")
    yield "stored-size", gzip(b"\x01\x01\0\xff\xffa", b"a")
    yield "literal-count", gzip(Bits().block(2).counts(287, 1, 4).bytes() + bytes(40), b"")
    yield "distance-count", gzip(Bits().block(2).counts(257, 31, 4).bytes() + bytes(40), b"")
    for name, sizes in (
        ("over", {0: 1, 1: 1, 2: 1}),
        ("short", {0: 1, 1: 2}),
        ("one", {0: 1}),
        ("none", {}),
    ):
        yield f"lengths-{name}", gzip(
            Bits().block(2).counts(257, 1, 19).code_sizes(sizes).bytes() + bytes(40), b""
        )
    for name, literals, distances in (
        ("literals-over", {0: 1, 1: 1, 256: 1}, {}),
        ("literals-short", {0: 2, 256: 2}, {}),
        ("literals-one-of-two-bits", {256: 2}, {}),
        ("distances-over", {0: 1, 256: 1}, {0: 1, 1: 1, 2: 2}),
        ("distances-short", {0: 1, 256: 1}, {0: 2, 1: 2}),
        ("distances-one-of-two-bits", {0: 1, 256: 1}, {0: 2}),
        ("endless", {0: 1, 1: 1}, {}),
    ):
        bits, _, _ = dynamic(literals, distances, 257, 3)
        yield name, gzip(bits.bytes() + bytes(8), b"")

    codes = canonical({0: 2, 1: 2, 16: 2, 18: 2})
    start = lambda: Bits().block(2).counts(257, 1, 19).code_sizes({0: 2, 1: 2, 16: 2, 18: 2})
    yield "repeat-first", gzip(start().code(*codes[16]).number(0, 2).bytes() + bytes(40), b"")
    far = start().code(*codes[18]).number(127, 7).code(*codes[18]).number(110, 7)
    yield "repeat-past-end", gzip(far.code(*codes[1]).code(*codes[16]).number(0, 2).bytes() + bytes(8), b"")

    yield "symbol-286", gzip(Bits().block(1).fixed(286).bytes() + bytes(8), b"")
    yield "symbol-287", gzip(Bits().block(1).fixed(287).bytes() + bytes(8), b"")
    bits, _, _ = dynamic({256: 1}, {})
    yield "symbol-unassigned", gzip(bits.code(1, 1).bytes() + bytes(8), b"")
    for symbol in (30, 31):
        bits = Bits().block(1).fixed(97).fixed(257).code(symbol, 5)
        yield f"distance-{symbol}", gzip(bits.bytes() + bytes(8), b"")
    sizes = {97: 2, 98: 2, 256: 2, 257: 2}
    bits, literals, _ = dynamic(sizes, {0: 1}, 258)
    yield "distance-unassigned", gzip(
        bits.code(*literals[97]).code(*literals[257]).code(1, 1).bytes() + bytes(8), b""
    )
    bits, literals, _ = dynamic(sizes, {}, 258)
    yield "distance-without-code", gzip(
        bits.code(*literals[97]).code(*literals[257]).bytes() + bytes(8), b""
    )
    yield "too-far", gzip(Bits().block(1).fixed(97).fixed(257).code(1, 5).fixed(256).bytes(), b"aaaa")
    yield "too-far-at-once", gzip(Bits().block(1).fixed(257).code(0, 5).fixed(256).bytes(), b"")
    yield "crc", gzip(body, PAYLOAD, crc=zlib.crc32(PAYLOAD) ^ 0x80000000)
    yield "size", gzip(body, PAYLOAD, size=len(PAYLOAD) + 1)
    yield "trailing-zero", gzip(body, PAYLOAD) + b"\0"
    yield "trailing-four-zeros", gzip(body, PAYLOAD) + bytes(4)
    yield "two-members", gzip(body, PAYLOAD) + gzip(deflate(b"more"), b"more")
    yield "nothing-after-header", header(0)


def accepted(data):
    """What zlib says: the content of the one member that the file is, or None."""
    reader = zlib.decompressobj(31)
    try:
        content = reader.decompress(data)
    except zlib.error:
        return None
    return content if reader.eof and not reader.unused_data else None


def main():
    VECTORS.mkdir(parents=True, exist_ok=True)
    (VECTORS / "payload.bin").write_bytes(PAYLOAD)
    for name, data in good():
        assert accepted(data) is not None, name
        (VECTORS / f"{name}.gz").write_bytes(data)
    for name, data in bad():
        assert accepted(data) is None, name
        (VECTORS / f"bad-{name}.gz").write_bytes(data)


main()
