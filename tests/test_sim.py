"""updraft-sim from outside: what its images are, what it refuses, and a chip that it has emulated.

Its devices against the server: tests/fleet.py, the tour of docs/guides, and the browser's tests.
"""
import os
import subprocess

import conftest
import pytest

SIM = conftest.find_simulation()
ROM = conftest.ROOT / "build/lx106/sim/rom/rom.elf"
IMAGE = conftest.ROOT / "build/lx106/firmware/clock-1.0.0-user1.bin"
LOADER = conftest.ROOT / "build/lx106/boot/nonos.bin"
pytestmark = pytest.mark.skipif(SIM is None, reason="no updraft-sim: build it")


def run(*words, code=0, cwd=None, **environment):
    done = subprocess.run([SIM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
                          stdin=subprocess.DEVNULL, timeout=120, env=os.environ | {name: str(value) for name, value in environment.items()})
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize("kind, words, place", [
    ("nonos", ["--slot", "user1"], ["--slot", "user1", "--map", "6"]), ("nonos", ["--slot", "user2"], ["--slot", "user2", "--map", "6"]),
    ("rtos", [], ["--chip", "esp8266"]), ("idf", [], ["--chip", "esp32"]), ("arduino", [], ["--chip", "esp8266"])])
def test_images_are_whole_and_fit(updraft, tmp_path, kind, words, place):
    path = tmp_path / "image.bin"
    run("image", "--as", kind, "--version", "1.2.3", *words, "--size", "20K", "-o", path)
    assert 19000 < path.stat().st_size <= 20480
    assert b"&v=1.2.3&FirmwareInfo_&plan=works&" in path.read_bytes()
    updraft("image", "verify", *place, path)
    if kind == "nonos":
        other = "user2" if "user1" in place else "user1"
        updraft("image", "verify", "--slot", other, "--map", "6", path, code=3)


@pytest.mark.parametrize("words, says", [
    (["image", "--as", "avr", "--version", "1", "-o", "x"], "there is no kind 'avr'"),
    (["image", "--as", "idf", "-o", "x"], "--as, --version and -o are needed"),
    (["image", "--as", "idf", "--version", "a&b", "-o", "x"], "no '&'"),
    (["image", "--as", "idf", "--version", "1", "--size", "1", "-o", "x"], "--size: a number from 4096"),
    (["device", "--as", "idf", "--flash", "none", "--server", "http://127.0.0.1:1"], "--image is needed to make one"),
    (["device", "--as", "idf"], "--as, --flash and --server are needed"),
    (["device", "--sleep"], "there is no option '--sleep'"),
    (["fleet", "--devices", "0"], "--devices: a number from 1"),
    (["fleet", "--server", "http://127.0.0.1:1"], "--server and --product are needed"),
    (["fleet", "--server", "http://127.0.0.1:1", "--product", "nonos=k"], "--link HOST:PORT is needed"),
    (["fleet", "--server", "http://127.0.0.1:1", "--product", "vax=k"], "there is no kind 'vax'"),
    (["fleet", "--server", "https://127.0.0.1:1", "--product", "idf=k"], "--ca-file is needed"),
    (["grow"], "there is no verb 'grow'")])
def test_what_is_wrong_is_said_in_a_sentence(tmp_path, words, says):
    assert says in run(*words, code=2, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_flash_of_another_size_is_no_device(tmp_path):
    run("image", "--as", "idf", "--version", "1", "-o", tmp_path / "image.bin")
    (tmp_path / "flash").write_bytes(b"\xff" * 8192)
    said = run("device", "--as", "idf", "--flash", tmp_path / "flash", "--server", "http://127.0.0.1:1", "--product", "p",
               "--image", tmp_path / "image.bin", code=1)
    assert "its size is another one" in said
    assert (tmp_path / "flash").read_bytes() == b"\xff" * 8192


@pytest.mark.skipif(not IMAGE.exists() or not ROM.exists(), reason="no images of the clock: build the lx106 preset")
def test_a_chip_is_emulated_with_loader_and_firmware(updraft, tmp_path):
    # Nowhere else; qemu's own options end at a comma.
    folder = tmp_path / "a, b"
    folder.mkdir()
    flash = folder / "clock.bin"
    updraft("flash", "build", "--map", "2", "--boot", LOADER, "--user1", IMAGE, "-o", flash)
    shown = run("device", "--as", "nonos", "--flash", flash, "--server", "http://127.0.0.1:9", "--qemu", ROM, "--until",
                "Checking for updates", "--seconds", "60", TMPDIR=folder)
    assert "jump to run user1 @ 1000" in shown
    assert "clock 1.0.0 for user1" in shown
    assert list(folder.iterdir()) == [flash]


def test_an_emulated_chip_has_its_folder_where_tmpdir_says(tmp_path):
    words = ["device", "--as", "nonos", "--flash", "flash", "--server", "http://127.0.0.1:9", "--qemu", "rom"]
    for name in "flash", "rom":
        (tmp_path / name).write_bytes(b"")
    assert "nowhere/updraft-sim-" in run(*words, code=1, cwd=tmp_path, TMPDIR=tmp_path / "nowhere")
    said = run(*words, code=1, cwd=tmp_path, TMPDIR="/" + 300 * "x")
    assert "TMPDIR: its path is too long" in said and "xxx" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flash", "rom"]
