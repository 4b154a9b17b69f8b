#!/usr/bin/env python3
"""The counts in docs/powercut.md: written there, and compared, by running what prints them.

The page holds what a command prints in a block of its own, below a marker that names the command:

    <!-- printed by: powercut flips -->
    ```text
    bit flips: ...
    ```

page.py write [BEGINNING]     run the command of each marker, or of those that begin so, and write what it prints into
                              the page
page.py run PROGRAM WORDS...  run one command; it fails also when the page has a block of it that says something else

Programs are taken from build/release/tests/powercut. All of them print the same on every machine.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "powercut.md"
PROGRAMS = ROOT / "build" / "release" / "tests" / "powercut"
BLOCK = re.compile(r"(?P<head><!-- printed by: (?P<command>[^\n]*?) -->\n```text\n)(?P<printed>.*?)(?P<end>^```$)",
                   re.DOTALL | re.MULTILINE)


def blocks(text):
    """What the page says that each command prints."""
    return {match["command"]: match["printed"] for match in BLOCK.finditer(text)}


def fill_in(text, printed):
    """The page with what was printed in its blocks, by command; one that is not in `printed` stays."""
    return BLOCK.sub(lambda match: match["head"] + printed.get(match["command"], match["printed"]) + match["end"], text)


def run(command):
    """(True when the command succeeded, what it printed), which is shown at once."""
    words = command.split()
    lines = []
    with subprocess.Popen([PROGRAMS / words[0], *words[1:]], stdout=subprocess.PIPE, text=True) as program:
        for line in program.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    return program.returncode == 0, "".join(lines)


def write(beginning):
    good = True
    for command in blocks(PAGE.read_text()):
        if command.startswith(beginning):
            print(f"--- {command}", flush=True)
            succeeded, printed = run(command)
            PAGE.write_text(fill_in(PAGE.read_text(), {command: printed}))
            good &= succeeded
    return good


def compare(command, printed, text):
    """What is wrong with the page's block of a command; None when it has none, or one that says the same."""
    shown = blocks(text).get(command, printed)
    if shown == printed:
        return None
    pairs = zip(shown.splitlines() + ["(nothing)"], printed.splitlines() + ["(nothing)"])
    says, prints = next(pair for pair in pairs if pair[0] != pair[1])
    return (f"docs/powercut.md shows what `{command}` printed once: \"{says}\"; now it is \"{prints}\". "
            f"./dev powercut-page writes the page anew.")


def main(words):
    if words[:1] == ["write"]:
        return 0 if write(" ".join(words[1:])) else 1
    if len(words) > 1 and words[0] == "run":
        command = " ".join(words[1:])
        succeeded, printed = run(command)
        wrong = compare(command, printed, PAGE.read_text())
        if wrong:
            print(wrong)
        return 0 if succeeded and not wrong else 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
