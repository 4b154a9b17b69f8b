"""Goal: every command line that --help shows works as it stands, and does what is said of it.

Method: each example runs in a shell, in a fresh workbench with the files that examples name.
"""
import shutil
import subprocess

import conftest
import pytest

from fake_api import TOKEN, FakeApi
from fake_device import FakeDevice

COMMANDS = conftest.Program(conftest.find_program())("help", "--json").json["commands"]
EXAMPLES = [example["line"] for command in COMMANDS for example in command["examples"]]


@pytest.fixture(scope="module")
def server():
    """Examples that talk to a server have one that agrees to everything; the real one has tests of its own."""
    with FakeApi() as api:
        yield api


@pytest.mark.parametrize("line", EXAMPLES)
def test_example(line, workbench, shell_path, server):
    for program in ("jq", "man"):
        if f"| {program} " in line and not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    for name in ("password.txt", "admin.token", "ca.pem"):
        (workbench / name).write_text(TOKEN + "\n")
    for name in ("config.json", "index.html", "beta.html"):
        (workbench / name).write_text("{}")
    shutil.copy(workbench / "app.bin", workbench / "lamp.bin")
    line = line.replace("https://updraft.local:8070", server.url)
    if line == "updraft events --product p_0123456789abcdef":      # as one would end it
        line += " --count 4"
    if "--user admin" in line:                                      # as one would answer its question
        line = f"echo password | {line}"
    if "http://192.168.4.1/" in line:
        server.answers["/products/clock/releases/v1.0.1t45772%28a%29/images/user2"] = 200, (workbench / "user2.bin").read_bytes()
        with FakeDevice() as device:
            return run_line(line.replace("http://192.168.4.1/", device.url), workbench, shell_path, server)
    run_line(line, workbench, shell_path, server)


def run_line(line, workbench, shell_path, server):
    run = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", line], cwd=workbench, env={"PATH": shell_path,
                         "HOME": str(workbench), "TERM": "dumb", "UPDRAFT_SERVER": server.url, "UPDRAFT_TOKEN": TOKEN}, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout or any(word in line for word in (" -o ", " > ", "--man-dir")), "it says nothing"
