"""Goal: docs/vendor-apis.md names each function of the vendors' headers in C, and for each value that the vendor documents a
test that expects it.

Method: the page's table against the headers; each test that it names is looked up, with the tables before it in its file.
"""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ["idf/esp_ota_ops.h", "idf/esp_https_ota.h", "idf/esp_partition.h", "nonos/upgrade.h", "nonos/user_esp_platform.h"]
ROW = re.compile(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| ([^|]+) \| (`[a-z_]+`: [^|]+) \|$", re.MULTILINE)
DECLARED = re.compile(r"^[a-z].*?\b\*?((?:esp|system|upgrade|user)_[a-z_]+)\(", re.MULTILINE)
NUMBER = re.compile(r"#define (ESP_[A-Z_]+) +\(?(?:([A-Z_]+) \+ )?(0x[0-9a-fA-F]+|-?\d+)\)?")
# What is no single word in a test.
ANY = {"nothing", "a number", "a partition", "an iterator"}


def numbers():
    known = {}
    for path in sorted((ROOT / "device/vendor/idf").glob("*.h")):
        for name, base, value in NUMBER.findall(path.read_text(encoding="utf-8")):
            known[name] = known.get(base, 0) + int(value, 0)
    return known


NUMBERS = numbers()


def rows():
    page = (ROOT / "docs/vendor-apis.md").read_text(encoding="utf-8")
    for functions, values, tests in ROW.findall(page):
        named = [(source, test.strip()) for source, names in re.findall(r"`([a-z_]+)`: ([^;`]+)", tests)
                 for test in names.split(",")]
        parts = values.split(", ") if "," in values else [values] if values in ANY else values.split()
        for function in re.findall(r"`([a-z_]+)`", functions):
            yield function, parts, named


def body_of(source, test):
    """A test, from the end of the one before it on: with its tables and helpers."""
    text = (ROOT / f"sim/test/vendor_{source}_test.c").read_text(encoding="utf-8")
    at = text.index(f"static void test_{test}(void)")
    before = [match.start() for match in re.finditer(r"^static void test_", text[:at], re.MULTILINE)]
    start = text.index("\n}", before[-1]) if before else 0
    return text[start:text.index("\n}", at)]


def spellings(value):
    if value == "OK":
        return [r"\bESP_OK\b", r"\{[^{}]*, 0[,}]"]
    if value == "ESP_FAIL":
        return [r"\bESP_FAIL\b", r"(?<!\w)-1\b"]
    if value.startswith("0x"):
        names = [name for name, number in NUMBERS.items() if number == int(value, 16)]
        return [rf"(?i)\b{value}\b", *(rf"\b{name}\b" for name in names)]
    if value in ("true", "false"):
        return [rf"\b{value}\b", r"!\w+\(" if value == "false" else r"CHECK(?:_THAT)?\([^!]*\w+\("]
    return [rf"(?<![\w.]){re.escape(value)}\b"]


@pytest.mark.parametrize(("function", "values", "tests"), list(rows()), ids=[row[0] for row in rows()])
def test_each_value_is_expected_by_a_test(function, values, tests):
    bodies = "\n".join(body_of(source, test) for source, test in tests)
    missing = [value for value in values if value not in ANY
               and not any(re.search(spelling, bodies) for spelling in spellings(value))]
    assert missing == []
    # What gives nothing may be called back.
    assert values == ["nothing"] or function in "\n".join((ROOT / f"sim/test/vendor_{source}_test.c").read_text(encoding="utf-8") for source, _ in tests)


def test_each_function_of_the_headers_is_there():
    declared = set()
    for header in HEADERS:
        text = (ROOT / "device/vendor" / header).read_text(encoding="utf-8")
        declared.update(name for name in DECLARED.findall(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)))
    assert declared - {row[0] for row in rows()} == set()
    assert len(declared) > 40
