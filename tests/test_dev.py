"""Goal: `./dev test` never looks better than its suites were, and what is missing is installed once or named.

Method: the script itself, in an empty folder, with planted suites; apt-get, sudo and id are stand-ins that write down
how they were called.
"""
import os
import re
import subprocess
from pathlib import Path

import pytest

DEV = Path(__file__).parent.parent / "dev"
TOOLS = ("sh awk basename cat chmod cp cut date dirname env expr find getconf grep head id mkdir mv paste rm sed sort tail tee "
         "test uname wc").split()


class Dev:
    """The script in a folder of its own, with these suites and packages."""

    def __init__(self, folder, suites, packages=""):
        self.folder = folder
        text = DEV.read_text()
        for function, rows in (("suites", suites), ("packages", packages)):
            text, count = re.subn(rf"(?s)(\n{function}\(\) {{\n    cat <<'END'\n).*?\nEND\n",
                                  lambda match, rows=rows: f"{match[1]}{rows}\nEND\n", text)
            assert count == 1
        (folder / "dev").write_text(text)
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            path = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
            (self.bin / tool).symlink_to(path)
        self.calls = folder / "calls"
        self.calls.write_text("")

    def stand_in(self, name, script):
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!{self.bin}/sh\necho "{name} $*" >>"{self.calls}"\n{script}\n')
        path.chmod(0o755)

    def run(self, *words):
        return subprocess.run([self.bin / "sh", self.folder / "dev", *words], env={"PATH": str(self.bin)}, cwd="/",
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


GOOD = "echo '3 passed, 0 failed, 0 skipped'"


@pytest.mark.parametrize("command, totals, says", [
    (GOOD, "3 passed, 0 failed, 0 skipped", ""),
    ("echo '3 passed, 0 failed, 1 skipped'", "3 passed, 0 failed, 1 skipped", ""),
    ("echo '0 passed, 0 failed, 1 skipped'", "0 passed, 0 failed, 1 skipped", ""),
    ("echo '2 passed, 1 failed, 0 skipped'; exit 1", "2 passed, 1 failed, 0 skipped", ""),
    ("echo '2 passed, 1 failed, 0 skipped'", "2 passed, 1 failed, 0 skipped", ""),
    ("echo '9 passed, 0 failed, 0 skipped'; echo '1 passed, 0 failed, 0 skipped'", "1 passed, 0 failed, 0 skipped", ""),
    ("echo '3 passed, 0 failed, 0 skipped'; exit 1", "3 passed, 1 failed, 0 skipped", "exit status 1 without a failed test"),
    ("echo '0 passed, 0 failed, 0 skipped'", "0 passed, 1 failed, 0 skipped", "it ran nothing"),
    ("true", "0 passed, 1 failed, 0 skipped", "it ended without its totals"),
    ("absent_command", "0 passed, 1 failed, 0 skipped", "it ended without its totals"),
    ("false; echo '3 passed, 0 failed, 0 skipped'", "0 passed, 1 failed, 0 skipped", "it ended without its totals"),
    ("printf 'x\\000y\\n'; echo '3 passed, 0 failed, 0 skipped'", "3 passed, 0 failed, 0 skipped", ""),
])
@pytest.mark.parametrize("words", [["test"], ["test", "planted"]])
def test_a_suite_counts_for_what_it_was(tmp_path, words, command, totals, says):
    result = Dev(tmp_path, f"planted always none {command}").run(*words)
    assert result.stdout.splitlines()[-1] == totals
    assert result.returncode == int(", 0 failed, " not in totals)
    assert f"({says})" in result.stdout if says else "(" not in result.stdout


def test_suites_are_summed_and_skipped_tests_named(tmp_path):
    dev = Dev(tmp_path, f"one always none {GOOD}\n"
              "two always none echo noise; echo 'skipped core/x: no files'; echo '1 passed, 0 failed, 1 skipped'\n"
              "three always none echo 'what went wrong'; echo '1 passed, 1 failed, 0 skipped'; exit 1\n"
              "four asked none echo '100 passed, 0 failed, 0 skipped'\n"
              "five always none echo 'note: 7 bytes'; echo '1 passed, 0 failed, 0 skipped'")
    lines = dev.run("test").stdout.splitlines()
    assert lines[-1] == "6 passed, 1 failed, 1 skipped"
    assert "    two: core/x: no files" in lines
    assert "    what went wrong" in lines and "    7 bytes" in lines
    assert not any("noise" in line or "four" in line for line in lines)
    assert dev.run("test", "four").stdout.splitlines()[-1] == "100 passed, 0 failed, 0 skipped"
    assert dev.run("test", "one", "two").stdout.splitlines()[-1] == "4 passed, 0 failed, 1 skipped"


@pytest.mark.parametrize("words, says", [
    (["test", "absent"], "no such suite: absent"),
    (["test", "pla.*"], "no such suite: pla.*"),
    (["absent"], "no such verb: absent"),
    (["fuzz", "absent", "1"], "no such fuzz target: absent"),
    (["fuzz", "absent"], "usage: ./dev fuzz NAME SECONDS"),
])
def test_a_wrong_word_is_named(tmp_path, words, says):
    result = Dev(tmp_path, f"planted always none {GOOD}").run(*words)
    assert result.returncode == 2 and says in result.stderr and "passed" not in result.stdout


SUITES = f"planted always one {GOOD}\nother always two {GOOD}"
PACKAGES = "one hammer-dev command hammer\none anvil command anvil\ntwo tongs command tongs"
INSTALL = 'case "$*" in *install*) for tool in hammer anvil; do echo >{0}/$tool; chmod +x {0}/$tool; done;; esac'
APT = ["apt-get -q update", "apt-get -q -y --no-install-recommends install anvil hammer-dev"]


def test_without_apt_it_says_what_to_install(tmp_path):
    result = Dev(tmp_path, SUITES, PACKAGES).run("test", "planted")
    assert result.returncode == 1
    assert "anvil hammer-dev" in result.stderr and "tongs" not in result.stderr and "no apt" in result.stderr


def test_what_is_missing_is_installed_once(tmp_path):
    dev = Dev(tmp_path, SUITES, PACKAGES)
    dev.stand_in("id", "echo 0")
    dev.stand_in("apt-get", INSTALL.format(dev.bin))
    for _ in range(2):
        result = dev.run("test", "planted")
        assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "3 passed, 0 failed, 0 skipped")
    assert [call for call in dev.calls.read_text().splitlines() if call.startswith("apt-get")] == APT


def test_who_is_not_root_asks_sudo(tmp_path):
    dev = Dev(tmp_path, SUITES, PACKAGES)
    dev.stand_in("id", "echo 1000")
    dev.stand_in("apt-get", INSTALL.format(dev.bin))
    refused = dev.run("test", "planted")
    assert refused.returncode == 1 and "as root, run: apt-get install anvil hammer-dev" in refused.stderr
    assert "apt-get" not in dev.calls.read_text()
    dev.stand_in("sudo", '[ "$1" = -n ] && shift && exec "$@"')
    assert dev.run("test", "planted").returncode == 0
    assert [call for call in dev.calls.read_text().splitlines() if call.startswith("apt-get")] == APT


@pytest.mark.parametrize("script", ["exit 0", "exit 100"])
def test_an_installation_that_fails_stops_there(tmp_path, script):
    dev = Dev(tmp_path, SUITES, PACKAGES)
    dev.stand_in("id", "echo 0")
    dev.stand_in("apt-get", script)
    result = dev.run("test", "planted")
    assert result.returncode != 0 and "passed" not in result.stdout


def test_help_lists_every_suite_of_the_script():
    text = subprocess.run([DEV, "help"], capture_output=True, text=True, check=True, env=os.environ).stdout
    rows = re.search(r"(?s)\nsuites\(\) {\n    cat <<'END'\n(.*?)\nEND\n", DEV.read_text())[1]
    for row in rows.splitlines():
        assert f"    {row.split()[0]}" in text
