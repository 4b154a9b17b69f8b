"""Goal: colours and progress are for a terminal, and only for one that wants them.

Method: the same command on a pipe and on a pseudo-terminal, with and without NO_COLOR.
"""
import os
import pty
import subprocess
import time

import images
import pytest

ESCAPE = b"\x1b["


def on_a_terminal(updraft, *words, **environment):
    """Everything that a command writes to a terminal, standard output and standard error alike."""
    own, other = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    process = subprocess.Popen([updraft.path, *map(str, words)], stdin=subprocess.DEVNULL, stdout=other, stderr=other,
                               env={**env, "TERM": "xterm", **environment})
    os.close(other)
    output = b""
    while True:
        try:
            piece = os.read(own, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        output += piece
    os.close(own)
    process.wait(timeout=60)
    return process.returncode, output


@pytest.fixture()
def image(tmp_path):
    path = tmp_path / "user1.bin"
    path.write_bytes(images.user_image(1, 0x40201010))
    return path


def test_a_terminal_gets_colours_and_a_pipe_does_not(updraft, image):
    assert ESCAPE in on_a_terminal(updraft, "image", "info", image)[1]
    assert ESCAPE not in updraft("image", "info", image).bytes


@pytest.mark.parametrize("environment, coloured", [({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True),
                                                   ({"TERM": "dumb"}, False), ({}, True)])
def test_who_does_not_want_colours_gets_none(updraft, image, environment, coloured):
    assert (ESCAPE in on_a_terminal(updraft, "image", "info", image, **environment)[1]) == coloured


def test_json_is_never_coloured(updraft, image):
    assert ESCAPE not in on_a_terminal(updraft, "image", "info", "--json", image)[1]


def test_bytes_are_not_written_to_a_terminal(updraft, tmp_path):
    (tmp_path / "t.csv").write_text("nvs,data,nvs,,0x4000\n")
    code, output = on_a_terminal(updraft, "partition", "build", tmp_path / "t.csv")
    assert code == 2 and b"terminal" in output


def test_progress_is_shown_on_a_terminal_and_leaves_no_trace(updraft, image):
    """Long enough for a line to appear, which is after two tenths of a second: the command is fed many files."""
    many = [image] * 20
    for _ in range(8):
        started = time.monotonic()
        code, output = on_a_terminal(updraft, "image", "verify", *many)
        assert code == 0
        if b"images: " in output:
            assert b"\r\x1b[K" in output
            quiet = updraft("image", "verify", *many)
            assert "images: " not in quiet.err + quiet.out
            return
        many = many * 4
        if len(many) > 25000:  # a command line has its limit
            break
    pytest.skip(f"{len(many)} files take {time.monotonic() - started:.2f} s here: no progress to show")
