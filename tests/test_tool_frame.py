"""Goal: help, man pages, completions and the parser agree, because they come from one table.

Method: `updraft help --json` is that table. Every option, word and command in it is looked for in every shape, and
every command line that the table allows to be wrong is tried.
"""
import json
import os
import pty
import re
import shutil
import subprocess

import pytest


@pytest.fixture(scope="module")
def commands(updraft):
    return updraft("help", "--json").json["commands"]


def words(command):
    return [w for w in (command.get("group"), command["name"]) if w]


def test_every_command_has_help_with_examples_first(updraft, commands):
    assert commands
    for command in commands:
        text = updraft(*words(command), "--help").out
        assert text.index("Examples:") < text.index("Usage: updraft") < text.index("Options:")
        assert text == updraft("help", *words(command)).out
        assert all(len(line) <= 80 or line.startswith("  updraft") for line in text.splitlines())
        for option in command["options"]:
            assert f"--{option['name']}" in text
            for choice in option["choices"]:
                assert choice in text
        for operand in command["operands"]:
            assert re.search(rf"^  {operand['name']}\b", text, re.M)


def test_the_program_and_each_group_list_their_commands(updraft, commands):
    top = updraft("--help").out
    assert top.index("Examples:") < top.index("Usage:")
    for command in commands:
        assert " ".join(words(command)) in top
        if "group" in command:
            assert command["name"] in updraft(command["group"], "--help").out
    for group in {c["group"] for c in commands if "group" in c}:
        result = updraft(group, code=2)
        assert result.out == "" and f"updraft {group}" in result.err


def test_without_words_the_help_goes_to_standard_error(updraft):
    result = updraft(code=2)
    assert result.out == "" and "Usage:" in result.err


def test_every_command_has_a_man_page_without_warnings(updraft, commands, tmp_path):
    updraft("help", "--man-dir", tmp_path / "man")
    pages = sorted(p.name for p in (tmp_path / "man").iterdir())
    assert pages == sorted(["updraft.1"] + ["-".join(["updraft", *words(c)]) + ".1" for c in commands])
    for command in commands:
        page = updraft("help", "--man", *words(command)).out
        assert page == (tmp_path / "man" / ("-".join(["updraft", *words(command)]) + ".1")).read_text()
        assert page.index(".SH EXAMPLES") < page.index(".SH SYNOPSIS") < page.index(".SH OPTIONS")
        for option in command["options"]:
            assert "\\-\\-" + option["name"].replace("-", "\\-") in page
    if not shutil.which("groff"):
        pytest.skip("groff is not installed: the pages were not typeset")
    for name in pages:
        run = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", tmp_path / "man" / name], capture_output=True)
        assert run.returncode == 0 and run.stderr == b""


SHELLS = {"bash": "--{0}", "zsh": "--{0}", "fish": "-l {0}"}


@pytest.mark.parametrize("shell", SHELLS)
def test_completions_hold_every_option_and_word(updraft, commands, shell, tmp_path):
    script = updraft("completion", shell).out
    for command in commands:
        assert command["name"] in script
        for option in command["options"]:
            assert SHELLS[shell].format(option["name"]) in script
            for choice in option["choices"]:
                assert choice in script
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed: its completion was not run")
    path = tmp_path / "script"
    path.write_text(script)
    run = subprocess.run([shell, "-n", path], capture_output=True)
    assert run.returncode == 0 and run.stderr == b""


def bash_completes(updraft, tmp_path, *typed):
    """What bash offers for the last word typed."""
    path = tmp_path / "updraft.bash"
    path.write_text(updraft("completion", "bash").out)
    line = " ".join(f"'{w}'" for w in ("updraft", *typed))
    run = subprocess.run(
        ["bash", "--norc", "-c", f'. {path}; COMP_WORDS=({line}); COMP_CWORD={len(typed)}; _updraft; '
         'printf "%s\\n" "${COMPREPLY[@]}"'], capture_output=True, text=True, cwd=tmp_path)
    assert run.returncode == 0 and run.stderr == ""
    return run.stdout.split()


def test_bash_completes_words_options_values_and_files(updraft, commands, tmp_path):
    assert {c.get("group", c["name"]) for c in commands} <= set(bash_completes(updraft, tmp_path, ""))
    (tmp_path / "firmware.bin").touch()
    for command in commands:
        if "group" in command:
            assert command["name"] in bash_completes(updraft, tmp_path, command["group"], "")
        offered = bash_completes(updraft, tmp_path, *words(command), "--")
        assert offered == ["--" + o["name"] for o in command["options"]]
        for option in command["options"]:
            for choice in option["choices"]:
                assert bash_completes(updraft, tmp_path, *words(command), "--" + option["name"], choice) == \
                    [c for c in option["choices"] if c.startswith(choice)]
    assert bash_completes(updraft, tmp_path, "completion", "z") == ["zsh"]


def test_fish_completes_words_and_options(updraft, commands, tmp_path):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    (tmp_path / "updraft.fish").write_text(updraft("completion", "fish").out)

    def completes(line):
        run = subprocess.run(["fish", "-N", "-c", f"source updraft.fish; complete -C '{line}'"], capture_output=True,
                             text=True, cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)})
        assert run.returncode == 0 and run.stderr == ""
        return {row.split("\t")[0] for row in run.stdout.splitlines()}

    assert {c.get("group", c["name"]) for c in commands} <= completes("updraft ")
    for command in commands:
        line = "updraft " + " ".join(words(command))
        assert {"--" + o["name"] for o in command["options"]} <= completes(line + " --")
        if "group" in command:
            assert command["name"] in completes(f"updraft {command['group']} ")


def test_zsh_completes_words_and_options(updraft, commands, tmp_path):
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    (tmp_path / "_updraft").write_text(updraft("completion", "zsh").out)
    # The functions by which a completion speaks to zsh, replaced by ones that print what they were given.
    shim = ('_describe() { print -l -- ${(P)2} }; _arguments() { print -l -- "$@" }; compdef() { : };'
            'words=("$@"); CURRENT=$#; . ./_updraft; _updraft')

    def completes(*typed):
        run = subprocess.run(["zsh", "-f", "-c", shim, "zsh", "updraft", *typed], capture_output=True, text=True,
                             cwd=tmp_path)
        assert run.returncode == 0 and run.stderr == "", run.stderr
        return run.stdout

    for command in commands:
        assert re.search(rf"^{command.get('group', command['name'])}:", completes(""), re.M)
        if "group" in command:
            assert re.search(rf"^{command['name']}:", completes(command["group"], ""), re.M)
        offered = completes(*words(command), "--")
        for option in command["options"]:
            assert f"--{option['name']}[" in offered


def test_wrong_command_lines_say_what_is_wrong_and_where_help_is(updraft, commands):
    for command in commands:
        line = words(command)
        for bad, reason in ((["--no-such-option"], "unknown option --no-such-option"), (["-?"], "unknown option -?")):
            result = updraft(*line, *bad, code=2)
            assert reason in result.err and f"updraft {' '.join(line)} --help" in result.err
            assert result.err.count("\n") == 1 and result.out == ""
        for option in command["options"]:
            name = "--" + option["name"]
            if "value" not in option:
                assert f"{name} takes no value" in updraft(*line, name + "=x", code=2).err
                continue
            assert f"{name} needs a value" in updraft(*line, name, code=2).err
            if option["choices"]:
                assert "none of" in updraft(*line, name, "no-such-word", code=2).err
            elif not option["repeatable"]:
                least = str(option["min"])
                assert "twice" in updraft(*line, name, least, name, least, code=2).err


def test_a_required_word_that_is_missing_is_named(updraft, commands):
    for command in commands:
        needed = [o["name"] for o in command["operands"] if o["required"]]
        needed += ["--" + o["name"] for o in command["options"] if o["required"]]
        if needed:
            assert needed[0] in updraft(*words(command), code=2).err


def test_misspelt_words_are_answered_with_the_right_one(updraft):
    assert "did you mean 'help'" in updraft("hlep", code=2).err
    assert "did you mean --json" in updraft("help", "--jsno", code=2).err
    assert "did you mean" not in updraft("quite-another-thing", code=2).err


def test_a_wrong_command_line_is_answered_in_json_when_json_was_asked_for(updraft):
    result = updraft("help", "--json", "--no-such-option", code=2)
    assert result.json["problem"]["reason"] == "usage"
    assert "--no-such-option" in result.json["problem"]["text"]
    assert result.err.count("\n") == 1


def test_the_version_is_printed(updraft):
    assert re.fullmatch(r"updraft \d+\.\d+\.\d+\n", updraft("--version").out)


def test_standard_output_that_is_full_or_closed_is_a_failure(updraft):
    with open("/dev/full", "wb") as full:
        result = subprocess.run([updraft.path, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1 and "No space left on device" in result.stderr
    result = subprocess.run(f"'{updraft.path}' --help >&-", shell=True, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1 and "standard output" in result.stderr
