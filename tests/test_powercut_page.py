"""Goal: docs/powercut.md and the programs of the proof cannot disagree.

Method: page.py with a page and programs of the test's own, for each way in which they differ; and the page itself, of
which each block has to be one that a suite prints.
"""
import importlib.util
import re
import subprocess

import conftest
import pytest

SPEC = importlib.util.spec_from_file_location("page", conftest.ROOT / "tests" / "powercut" / "page.py")

TEXT = """# A page

<!-- printed by: count cuts all -->
```text
power cuts: 3, bricks: 0
updates: 3
```

<!-- printed by: count cuts -->
```text
power cuts: 1, bricks: 0
```
The end.
"""


@pytest.fixture
def page(tmp_path):
    module = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(module)
    module.PAGE, module.PROGRAMS = tmp_path / "page.md", tmp_path
    module.PAGE.write_text(TEXT)
    return module


def program(page, script):
    path = page.PROGRAMS / "count"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


@pytest.mark.parametrize("printed, says", [
    ("power cuts: 1, bricks: 0", None),
    ("power cuts: 2, bricks: 0", ["bricks: 0\"", "now it is \"power cuts: 2"]),
    ("power cuts: 1, bricks: 0\\nupdates: 1", ["\"(nothing)\"", "\"updates: 1\""]),
    ("", ["\"power cuts: 1", "\"\""]),
])
def test_a_run_fails_when_the_page_shows_something_else(page, capfd, printed, says):
    program(page, f"printf '{printed}\\n'")
    assert page.main(["run", "count", "cuts"]) == (1 if says else 0)
    shown = capfd.readouterr().out
    for words in says or []:
        assert words in shown
    assert ("powercut-page" in shown) == bool(says)


def test_a_run_fails_when_its_program_does(page):
    program(page, "echo power cuts: 1, bricks: 0; exit 1")
    assert page.main(["run", "count", "cuts"]) == 1


@pytest.mark.parametrize("status", [0, 1])
def test_what_the_page_does_not_show_is_as_its_program_ends(page, status):
    program(page, f"echo power cuts: 9; exit {status}")
    assert page.main(["run", "count", "cuts", "nonos"]) == status


def test_writing_changes_the_blocks_and_nothing_else(page):
    program(page, 'echo "now: $*"')
    assert page.main(["write"]) == 0
    assert page.PAGE.read_text() == TEXT.replace("power cuts: 3, bricks: 0\nupdates: 3", "now: cuts all") \
        .replace("power cuts: 1, bricks: 0", "now: cuts")


def test_some_blocks_can_be_written_alone(page):
    program(page, 'echo "now: $*"')
    assert page.main(["write", "count", "cuts", "all"]) == 0
    assert page.PAGE.read_text() == TEXT.replace("power cuts: 3, bricks: 0\nupdates: 3", "now: cuts all")


def test_writing_fails_when_a_program_does(page):
    program(page, 'echo "now: $*"; [ "$*" = cuts ]')
    assert page.main(["write"]) == 1


def suite_commands():
    """What the suites run by page.py, asked ones included, as `./dev` itself would."""
    script = (conftest.ROOT / "dev").read_text()
    rows = [line.split(maxsplit=3)[3] for line in script.splitlines()
            if re.match(r"\S+ +(always|asked) +\S+ +(powercut|closure)_suite ", line)]
    run = 'step() { shift; [ "$*" = "${*#python3 tests/powercut/page.py run }" ] || echo "${*#*page.py run }"; }\n' \
          "build_preset() { :; }\ntotals() { :; }\n"
    functions = "".join(script[script.index(f"{name}() {{"):].split("\n}\n")[0] + "\n}\n"
                        for name in ("powercut_suite", "closure_suite"))
    return subprocess.run(["sh", "-c", run + functions + "\n".join(rows)], capture_output=True, text=True,
                          check=True).stdout.splitlines()


def test_each_block_of_the_page_is_compared_by_a_suite():
    module = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(module)
    shown = module.blocks(module.PAGE.read_text())
    assert len(shown) > 5
    assert sorted(set(shown) - set(suite_commands())) == []
    assert [command for command, printed in shown.items() if not printed] == []
