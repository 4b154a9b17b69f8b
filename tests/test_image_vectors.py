"""The small images that core's tests read are what Python and espsecure make, and esptool takes them."""
import subprocess
import sys
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parent.parent / "core" / "test"
VECTORS = CORE / "vectors" / "image"
CHIPS = {"esp32": "esp32", "signed": "esp32", "esp32c3": "esp32c3", "esp32s3": "esp32s3", "esp32c6": "esp32c6"}


def test_vectors_are_what_the_script_makes():
    subprocess.run([sys.executable, CORE / "make_image_vectors.py", "--check"], check=True, capture_output=True)


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.bin")), ids=lambda path: path.stem)
def test_esptool_takes_a_vector(path):
    chip = CHIPS.get(path.stem) or CHIPS.get(path.stem.split("-")[0], "esp8266")
    command = [sys.executable, "-m", "esptool", "--chip", chip, "image-info", path]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "(valid)" in text and "invalid" not in text
