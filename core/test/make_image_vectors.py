#!/usr/bin/env python3
"""Write core/test/vectors/image/*.bin: one small image of each kind, composed here a second time.

The images of chips are those of docs/formats/image.md, "Small images"; their digests are Python's, their
secure boot signatures are made by espsecure (PyPI: esptool) with the keys below. espsecure draws random
numbers for RSA and ECDSA of version 2, so a new run gives other signatures in signed-*.bin; all else is
the same again. With --check nothing is written: the files must be what would be written, signatures aside.
"""
import hashlib
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib

VECTORS = pathlib.Path(__file__).parent / "vectors" / "image"


def checksum(*data):
    value = 0xEF
    for byte in b"".join(data):
        value ^= byte
    return value


def line(part, data):
    """The zeros and the checksum that end `part`, whose segments hold `data`."""
    return bytes(-(len(part) + 1) % 16) + bytes([checksum(*data)])


def segments(*rows):
    return b"".join(struct.pack("<II", address, len(data)) + data for address, data in rows)


def loaded(header, *rows):
    part = header + segments(*rows)
    return part + line(part, [data for _, data in rows])


def nonos_crc(image):
    value = zlib.crc32(image)
    return struct.pack("<I", ~value & 0xFFFFFFFF if value & 0x80000000 else value + 1)


def mpeg2_crc(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def descriptor(page=16):
    text = struct.pack("<II8x32s32s16s16s32s", 0xABCD5432, 0, b"1.2.3", b"updraft", b"12:34:56", b"Jan  2 2026", b"v5.4")
    return (text + bytes(range(32)) + struct.pack("<HHBB", 0, 99, page, 3)).ljust(256, b"\0")


# --- ESP8266, NONOS SDK ----------------------------------------------------------------------------

IROM = bytes(range(16))
RAM = (0x40100000, bytes.fromhex("deadbeef00112233")), (0x3FFE8000, b"data"), (0x3FFE8004, b"rodata\0\0")


def ram_part(byte_2, byte_3):
    return loaded(struct.pack("<BBBBI", 0xE9, 3, byte_2, byte_3, 0x40100004), *RAM)


def v2(byte_2, byte_3, inner_3):
    outer = struct.pack("<BBBBIII", 0xEA, 4, byte_2, byte_3, 0x40100004, 0, len(IROM))
    return outer + IROM + ram_part(0, inner_3)


def v1_slot(slot):
    image = ram_part(0, slot).ljust(0x10000, b"\xff") + IROM
    return image + nonos_crc(image)


# --- SHA-256 behind the image ----------------------------------------------------------------------


def hashed(image):
    return image + hashlib.sha256(image).digest()


def rtos():
    rows = (0x40210010, descriptor()), (0x3FFE8000, b"abcd"), (0x40100000, bytes(range(16)))
    return hashed(loaded(bytes.fromhex("e903023000012140"), *rows))


def esp32_header(count, entry, chip, max_revision, digest, min_revision=0, legacy=0):
    header = struct.pack("<BBBBI", 0xE9, count, 2, 0x20, entry)
    return header + struct.pack("<BBBBHBHH4xB", 0xEE, 0, 0, 0, chip, legacy, min_revision, max_revision, digest)


def esp32(chip=0, drom=0x3F400020, iram=0x40080000, max_revision=399, page=16, digest=1, **revisions):
    header = esp32_header(2, iram, chip, max_revision, digest, **revisions)
    image = loaded(header, (drom, descriptor(page)), (iram, bytes(range(16))))
    return hashed(image) if digest else image


def esp32_aligned():
    """As padded for a signature: image and digest end with a sector."""
    rows = (0x3F400020, descriptor()), (0x40080000, bytes(range(256)) * 14 + bytes(180))
    return hashed(loaded(esp32_header(2, 0x40080000, 0, 399, 1), *rows))


def esp32_loader():
    text = struct.pack("<B2xBI32s24s16x", 0x50, 7, 3, b"v5.4", b"Jan  2 2026 12:34:56")
    return hashed(loaded(esp32_header(2, 0x40080400, 0, 399, 1), (0x3FFF0000, text), (0x40080400, bytes(range(32)))))


# --- Arduino ---------------------------------------------------------------------------------------


def arduino():
    eboot = struct.pack("<BBBBI", 0xE9, 2, 2, 0x40, 0x4010F480)
    eboot = loaded(eboot, (0x4010F000, b"eboot's text\0\0\0\0"), (0x3FFF20B8, b"eboot's rodata\0\0"))
    rows = (
        (0x40201010, bytes(8) + b"irom, and the words in front of it"),
        (0x40100000, b"text, of an odd length"),
        (0x40100018, b"text1"),
        (0x3FFE8000, b"data"),
        (0x3FFE8010, b"rodata"),
    )
    image = eboot.ljust(0x1000, b"\xaa")
    app = loaded(struct.pack("<BBBBI", 0xE9, len(rows), 2, 0x40, 0x40100008), *rows)
    image += app
    words = struct.pack("<II", len(image), mpeg2_crc(image))
    return image[:0x1010] + words + image[0x1018:]


def arduino_signed():
    signature = bytes((7 * i + 3) % 256 for i in range(256))
    return arduino() + signature + struct.pack("<I", len(signature))


# --- Secure boot -----------------------------------------------------------------------------------


def pem(key):
    from cryptography.hazmat.primitives import serialization as form

    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption())


def signed(image, version, *keys):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "image.bin"
        source.write_bytes(image)
        for i, key in enumerate(keys):
            file = pathlib.Path(folder) / "key.pem"
            file.write_bytes(pem(key))
            command = [sys.executable, "-m", "espsecure", "sign-data", str(source), "--version", str(version)]
            command += ["--append-signatures"] if i > 0 else []
            subprocess.run(command + ["--keyfile", str(file)], check=True, stdout=subprocess.DEVNULL)
        return source.read_bytes()


def signed_images():
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    v1_key = ec.derive_private_key(int("11" * 32, 16), ec.SECP256R1())
    p256 = ec.derive_private_key(int("22" * 32, 16), ec.SECP256R1())
    p384 = ec.derive_private_key(int("33" * 48, 16), ec.SECP384R1())
    rsa_key = rsa.generate_private_key(65537, 3072)
    return {
        "signed-v1": signed(esp32(), 1, v1_key),
        "signed-ecdsa": signed(esp32(), 2, p256),
        "signed-aligned": signed(esp32_aligned(), 2, p256),
        "signed-p384": signed(esp32(), 2, p384),
        "signed-three": signed(esp32(digest=0), 2, rsa_key, p256, rsa_key),
    }


def images():
    sdk = v2(0, 1, 0x20)
    esptool = v2(2, 0x40, 0x40)
    return {
        "v1": ram_part(0, 0x20),
        "v1-slot": v1_slot(2),
        "v2-sdk": sdk + nonos_crc(sdk),
        "v2-rboot": v2(0, 0x20, 0x20),
        "v2-esptool": esptool + nonos_crc(esptool),
        "rtos": rtos(),
        "esp32": esp32(),
        "esp32-unhashed": esp32(digest=0),
        "esp32-loader": esp32_loader(),
        "esp32c3": esp32(5, 0x3C000020, 0x4037C000, 199),
        "esp32s3": esp32(9, 0x3C000020, 0x40374000, 199),
        # An address that suits pages of 32 KiB, and not those of 64 KiB.
        "esp32c6": esp32(13, 0x42008020, 0x40800000, 99, page=15, min_revision=1, legacy=0),
        "arduino": arduino(),
        "arduino-signed": arduino_signed(),
    }


def main():
    VECTORS.mkdir(parents=True, exist_ok=True)
    for name, image in {**images(), **signed_images()}.items():
        file = VECTORS / (name + ".bin")
        if "--check" in sys.argv:
            kept = file.read_bytes()
            random = name.startswith("signed-") and name != "signed-v1"
            end = -4096 if random else len(image)
            if (kept[:end], len(kept)) != (image[:end], len(image)):
                sys.exit(f"{file} is not what this script makes")
        else:
            file.write_bytes(image)
        print(f"{name}: {len(image)} bytes, SHA-256 {hashlib.sha256(image).hexdigest()}")


if __name__ == "__main__":
    main()
