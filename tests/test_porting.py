"""Goal: the programs of docs/porting.md are accepted by a compiler as they stand there.

Method: each block is compiled, warnings being errors, against the port's own header and the headers of the SDK's names in
device/test/ports/; Arduino's against the core's stand-in for the host.
"""
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/porting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(c|cpp)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FOLDERS = {
    "upd_port_nonos.h": ["device/ports/nonos", "device/test/ports/nonos"],
    "upd_port_idf.h": ["device/ports/idf", "device/test/ports/idf", "device/vendor/idf"],
    "upd_port_arduino.h": ["device/ports/arduino", "device/vendor/arduino/host"],
}
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Werror", "-fsyntax-only"]


def port_of(text):
    return next(header for header in FOLDERS if f"<{header}>" in text)


def compile_block(language, text, *more):
    folders = [f"-I{ROOT / folder}" for folder in [*FOLDERS[port_of(text)], "device/include", "core/include"]]
    compiler = ["cc", "-std=c11", "-x", "c"] if language == "c" else ["c++", "-std=c++17", "-x", "c++"]
    return subprocess.run([*compiler, *WARNINGS, *folders, *more, "-"], input=text, text=True, capture_output=True,
                          check=False)


@pytest.mark.parametrize(("language", "text"), BLOCKS, ids=[port_of(text) for _, text in BLOCKS])
def test_what_the_page_shows_compiles(language, text):
    result = compile_block(language, text)
    assert result.returncode == 0, result.stderr


def test_each_port_is_shown_and_a_mistake_is_seen():
    assert [port_of(text) for _, text in BLOCKS] == list(FOLDERS)
    for language, text in BLOCKS:
        assert compile_block(language, text.replace("&flash", "&flesh")).returncode != 0


def test_the_port_for_esp_idf_is_that_for_the_rtos_sdk():
    language, text = BLOCKS[1]
    assert compile_block(language, text, "-DUPD_PORT_RTOS").returncode == 0
