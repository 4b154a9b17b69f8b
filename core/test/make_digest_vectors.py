#!/usr/bin/env python3
"""Write core/test/vectors/{md5,sha256}/lengths.bin and print the constants of the digest tests.

lengths.bin holds the digests of the first 0, 1, 2, ... 200 bytes of the pattern (7 * i + 3) mod 256, one after
the other, made by Python's hashlib. No library digests a message of 2^61 bytes, so the digests for the
length field are made by the textbook functions below, which are first checked against hashlib.
"""
import hashlib
import math
import pathlib
import struct
import zlib

VECTORS = pathlib.Path(__file__).parent / "vectors"
MASK = 0xFFFFFFFF


def left(word, count):
    return (word << count | word >> (32 - count)) & MASK


def right(word, count):
    return left(word, 32 - count)


def padded(message, size, order):
    """The message with its padding, for a message that claims to be `size` bytes long."""
    zeros = (55 - size) % 64
    return message + b"\x80" + bytes(zeros) + struct.pack(order + "Q", size * 8 % 2**64)


def textbook_md5(message, size):
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    turns = [7, 12, 17, 22] * 4 + [5, 9, 14, 20] * 4 + [4, 11, 16, 23] * 4 + [6, 10, 15, 21] * 4
    data = padded(message, size, "<")
    for at in range(0, len(data), 64):
        words = struct.unpack_from("<16I", data, at)
        a, b, c, d = state
        for i in range(64):
            if i < 16:
                f, g = b & c | ~b & d, i
            elif i < 32:
                f, g = d & b | ~d & c, 5 * i + 1
            elif i < 48:
                f, g = b ^ c ^ d, 3 * i + 5
            else:
                f, g = c ^ (b | ~d & MASK), 7 * i
            total = a + f + int(abs(math.sin(i + 1)) * 2**32) + words[g % 16] & MASK
            a, d, c, b = d, c, b, b + left(total, turns[i]) & MASK
        state = [x + y & MASK for x, y in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state).hex()


def primes(count):
    found = []
    n = 2
    while len(found) < count:
        if all(n % p for p in found):
            found.append(n)
        n += 1
    return found


def fraction_of_root(n, root):
    """The first 32 bits of the fractional part of the root-th root of n, in integers."""
    low, high = 0, n << 32
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**root <= n << 32 * root else (low, middle - 1)
    return low & MASK


def textbook_sha256(message, size):
    state = [fraction_of_root(p, 2) for p in primes(8)]
    constants = [fraction_of_root(p, 3) for p in primes(64)]
    data = padded(message, size, ">")
    for at in range(0, len(data), 64):
        w = list(struct.unpack_from(">16I", data, at))
        for i in range(16, 64):
            s0 = right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3
            s1 = right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10
            w.append(w[i - 16] + s0 + w[i - 7] + s1 & MASK)
        a, b, c, d, e, f, g, h = state
        for i in range(64):
            one = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + (e & f ^ ~e & g) + constants[i] + w[i]
            two = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + (a & b ^ a & c ^ b & c)
            h, g, f, e, d, c, b, a = g, f, e, d + one & MASK, c, b, a, one + two & MASK
        state = [x + y & MASK for x, y in zip(state, (a, b, c, d, e, f, g, h))]
    return struct.pack(">8I", *state).hex()


def main():
    pattern = bytes((7 * i + 3) % 256 for i in range(200))
    for name, textbook in (("md5", textbook_md5), ("sha256", textbook_sha256)):
        digests = [hashlib.new(name, pattern[:n]) for n in range(201)]
        for n, digest in enumerate(digests):
            assert textbook(pattern[:n], n) == digest.hexdigest()
        (VECTORS / name / "lengths.bin").write_bytes(b"".join(d.digest() for d in digests))
        million = hashlib.new(name, b"a" * 1000000).hexdigest()
        print(f"{name}: a million times 'a': {million}")
        for before in (2**29, 2**32, 2**61 - 64):
            digest = textbook(b"abc", before + 3)
            print(f"{name}: initial state, {before:#x} bytes claimed, then 'abc': {digest}")
    print(f"zlib CRC of the pattern: {zlib.crc32(pattern):#010x}")


main()
