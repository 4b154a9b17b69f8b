"""Goal: every command line that --help shows works as it stands, and does what is said of it.

Method: each example runs in a shell, in a fresh workbench with the files that examples name.
"""
import shutil
import subprocess

import conftest
import pytest

COMMANDS = conftest.Program(conftest.find_program())("help", "--json").json["commands"]
EXAMPLES = [example["line"] for command in COMMANDS for example in command["examples"]]


@pytest.mark.parametrize("line", EXAMPLES)
def test_example(line, workbench, shell_path):
    for program in ("jq", "man"):
        if f"| {program} " in line and not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    run = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", line], cwd=workbench, env={"PATH": shell_path,
                         "HOME": str(workbench), "TERM": "dumb"}, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout or any(word in line for word in (" -o ", " > ", "--man-dir")), "it says nothing"
