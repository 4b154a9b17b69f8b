"""Goal: `updraft push` upgrades a stock device by its own page, tolerates its answers, and sends it nothing that it should
not run: the device itself does not look.

Method: a device made after the demo's web server (fake_device.py), images of both slots, and everything that may go wrong.
"""
import pytest

import images
from fake_api import TOKEN, FakeApi
from fake_device import FakeDevice


@pytest.fixture()
def files(tmp_path):
    for slot in (1, 2):
        (tmp_path / f"user{slot}.bin").write_bytes(images.user_image(slot, 0x40201010 + 0x80000 * (slot - 1), size=0x8000))
    return tmp_path


def push(updraft, files, device, *words, **kwargs):
    return updraft("push", "--user1", files / "user1.bin", "--user2", files / "user2.bin", *words, device.url, **kwargs)


@pytest.mark.parametrize("runs, sent", [("user1", "user2"), ("user2", "user1")])
def test_the_other_slots_image_is_sent(updraft, files, runs, sent):
    with FakeDevice(runs) as device:
        result = push(updraft, files, device, "--json").json
    assert device.image == (files / f"{sent}.bin").read_bytes()
    assert device.log == ["GET getuser", "GET info", "POST start", "image", "POST reset"]
    assert (result["ran"], result["sent"], result["size"], result["reset"]) == (runs, sent, len(device.image), True)


def test_without_reset_it_goes_on(updraft, files):
    with FakeDevice() as device:
        assert "goes on with what it runs" in push(updraft, files, device, "--no-reset").out
    assert device.log == ["GET getuser", "GET info", "POST start", "image"]


def test_a_device_that_restarts_before_it_answers(updraft, files):
    with FakeDevice(restarts_at_once=True) as device:
        result = push(updraft, files, device)
    assert "it may have done so" in result.err and device.log[-1] == "POST reset"


@pytest.mark.parametrize("says", ['{"status": "200", "user_bin": "user1.bin"}', '{"user_bin":"user1.bin"}\n\r\n',
                                  '{ "status" : 200 , "user_bin" : "user1.bin" }trailing'])
def test_spellings_of_the_slot(updraft, files, says):
    with FakeDevice(says=says) as device:
        push(updraft, files, device)
    assert device.image == (files / "user2.bin").read_bytes()


@pytest.mark.parametrize("faults, code, says, log", [
    ({"says": '{"user_bin": "user3.bin"}'}, 1, "does not say whether it runs user1.bin or user2.bin", 1),
    ({"says": "<html>"}, 1, "does not say whether", 1),
    ({"silent": "getuser"}, 4, "did not answer when asked what it runs", 1),
    ({"refuses": "getuser"}, 1, "answered 400 when asked what it runs", 1),
    ({"refuses": "start"}, 1, "answered 400 when told to begin", 3),
    ({"stops": True}, 4, "did not answer when it had the image", 3),
    ({"refuses": "reset"}, 1, "answered 400 when told to restart", 5),
])
def test_a_device_that_does_not_go_along(updraft, files, faults, code, says, log):
    with FakeDevice(**faults) as device:
        assert says in push(updraft, files, device, "--seconds", 5, code=code).err
    assert len(device.log) == log and "POST reset" not in device.log[:log - 1]


@pytest.mark.parametrize("name, data, code, says", [
    ("user2", lambda files: (files / "user1.bin").read_bytes(), 3, "is no image for slot user2"),
    ("user2", lambda files: (files / "user2.bin").read_bytes()[:-1], 3, "user2.bin"),
    ("user2", lambda files: bytes([0xE9]) + bytes(4000), 3, "user2.bin"),
    ("user2", lambda files: images.esp32(), 3, "is no image for slot user2"),
    ("user2", lambda files: b"", 3, "user2.bin"),
])
def test_nothing_is_sent_that_the_device_should_not_run(updraft, files, name, data, code, says):
    (files / f"{name}.bin").write_bytes(data(files))
    with FakeDevice() as device:
        assert says in push(updraft, files, device, code=code).err
    assert device.log == ["GET getuser", "GET info"] and device.image is None


RUNS = "v1.0.1t45772(a)"


@pytest.mark.parametrize("runs, target, words, says", [
    # The letter of what runs: by which ways it may be replaced.
    ("v1.0.1t45772(o)", "v1.0.2t45772(a)", (), "running version allows online upgrade only"),
    ("v1.0.1t45772(O)", "v1.0.2t45772(a)", (), "running version allows online upgrade only"),
    ("v1.0.1t45772(n)", "v1.0.2t45772(a)", (), "running version allows no upgrade"),
    ("v1.0.1t45772(o)", None, (), "running version allows online upgrade only"),
    ("v1.0.1t45772(n)", None, (), "running version allows no upgrade"),
    ("v1.0.1t45772(o)", "v1.0.0t45772(a)", ("--downgrade",), "running version allows online upgrade only"),
    ("v1.0.1t45772(n)", "v1.0.2t45772(a)", ("--downgrade",), "running version allows no upgrade"),
    ("v1.0.1t45772(n)", None, ("--downgrade",), "running version allows no upgrade"),
    # Of the target: never into what cannot be left again.
    (RUNS, "v1.0.2t45772(n)", (), "could not be upgraded again"),
    (RUNS, "v1.0.0t45772(n)", ("--downgrade",), "could not be upgraded again"),
    (None, "v1.0.2t45772(n)", (), "could not be upgraded again"),
    ("nonsense", "v1.0.2t45772(n)", ("--downgrade",), "could not be upgraded again"),
    # The order, and the product.
    (RUNS, "v1.0.1t45772(a)", (), "not newer than the running version"),
    (RUNS, "b1.0.1t45772(l)", (), "not newer than the running version"),
    (RUNS, "v1.0.1t45772(a)", ("--downgrade",), "not newer than the running version"),
    (RUNS, "v1.0.0t45772(a)", (), "not newer than the running version"),
    (RUNS, "v0.999.999t45772(a)", (), "not newer than the running version"),
    (RUNS, "v1.0.2t45773(a)", (), "made for another product type"),
    (RUNS, "v1.0.0t45773(a)", ("--downgrade",), "made for another product type"),
])
def test_what_the_decision_refuses_is_not_sent(updraft, files, runs, target, words, says):
    with FakeDevice(version=runs) as device:
        result = push(updraft, files, device, *(["--release", target] if target else []), *words, "--json", code=3)
    assert says in result.err and result.json["problem"]["reason"] == "not-allowed"
    assert device.image is None and device.log == ["GET getuser", "GET info"]


@pytest.mark.parametrize("runs, target, words, says", [
    (RUNS, "v1.0.2t45772(a)", (), None), ("v1.0.1t45772(l)", "v1.0.2t45772(o)", (), None), (RUNS, "b1.0.2t45772(l)", (), None),
    (RUNS, "v1.0.0t45772(a)", ("--downgrade",), None), (RUNS, "v0.0.0t45772(l)", ("--downgrade",), None),
    ("v0.0.1t45772(a)", "v0.0.0t45772(a)", ("--downgrade",), None),
    (RUNS, "v1.0.2t45772(a)", ("--downgrade",), None),
    # What cannot be checked is said.
    (RUNS, None, (), "whether this is newer than v1.0.1t45772(a) was not checked"), (RUNS, "2.0", (), "was not checked"),
    (RUNS, None, ("--downgrade",), None),
    (None, "v1.0.2t45772(a)", (), "does not say which version it runs"), ("", None, (), "does not say which version it runs"),
    ("1.2.3", "v1.0.2t45772(a)", (), "does not say which version it runs"), ("<html>", None, (), "does not say which version it runs"),
    ('{"Version": []}', None, (), "does not say which version it runs"), ("{", None, (), "does not say which version it runs"),
])
def test_what_the_decision_allows_is_sent(updraft, files, runs, target, words, says):
    with FakeDevice(version=runs) as device:
        result = push(updraft, files, device, *(["--release", target] if target else []), *words)
    assert device.image == (files / "user2.bin").read_bytes() and device.log[-1] == "POST reset"
    assert says in result.err if says else result.err == ""


def test_a_device_cannot_steer_a_terminal_by_its_version(updraft, files):
    with FakeDevice(version="v1.0.1t45772(n)\x1b[2J") as device:
        push(updraft, files, device, "--release", "v1.0.2t45772(a)")  # no version, and no word of what it is
    with FakeDevice(version='v1.0.1t45772(n)"\x1b[2J') as device:
        assert "\x1b" not in push(updraft, files, device, code=3).err


def test_the_needed_file_is_named_when_it_is_missing(updraft, files):
    with FakeDevice() as device:
        result = updraft("push", "--user1", files / "user1.bin", device.url, code=2)
    assert "--user2 FILE" in result.err and device.log == ["GET getuser", "GET info"]


def test_the_image_comes_from_the_server(updraft, files):
    image = (files / "user2.bin").read_bytes()
    with FakeDevice() as device, FakeApi() as api:
        api.answers["/products/clock/releases/v1.0.1t45772%28a%29/images/user2"] = 200, image
        env = {"UPDRAFT_SERVER": api.url, "UPDRAFT_TOKEN": TOKEN, "HOME": str(files)}
        updraft("push", "--product", "clock", "--release", "v1.0.1t45772(a)", device.url, env=env)
        assert device.image == image
        api.answers["/products/clock/releases/none/images/user2"] = 404, {"error": {"code": "not_found", "message": "no such"}}
        assert "no such" in updraft("push", "--product", "clock", "--release", "none", device.url, env=env, code=1).err
        assert "go together" in updraft("push", "--product", "clock", device.url, env=env, code=2).err


@pytest.mark.parametrize("address", ["https://127.0.0.1/", "http://", "http://a:0/", "http://a:99999/", "http://a/page", "ftp://a/",
                                     "http://a:x/", ""])
def test_addresses_that_are_none(updraft, files, address):
    assert updraft("push", "--user1", files / "user1.bin", address, code=2).err.startswith("updraft: ")


def test_nobody_is_there(updraft, files):
    with FakeDevice() as device:
        url = device.url
    assert "refused" in updraft("push", "--user1", files / "user1.bin", url, code=4).err
