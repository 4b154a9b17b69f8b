"""Goal: every command line that README and the guides show works, and prints what they show.

Method: the blocks marked `console` of a document run in its order, in one fresh workbench. In a block, a line that
starts with "$ " is a command, which goes on in lines that start with "> "; what follows up to the next command is its
output, standard error included. A line "..." stands for any lines, and a
line that ends in "..." for any that begins so. A block without a shown output runs all the same. A
command that shows "exit status N" as its last line must end with it, all others with 0.
"""
import os
import re
import signal
import socket
import subprocess

import conftest
import pytest

DOCUMENTS = [path for path in [conftest.ROOT / "README.md", *sorted((conftest.ROOT / "docs" / "guides").glob("*.md"))]
             if "```console\n" in path.read_text()]


def steps(text):
    """(line number, command, shown lines) of each command in the console blocks of a document."""
    found, inside = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append((number, line[2:], []))
        elif inside and line.startswith("> "):
            found[-1] = (found[-1][0], found[-1][1] + "\n" + line[2:], found[-1][2])
        elif inside:
            found[-1][2].append(line)
    return found


def as_pattern(shown):
    def one(line):
        if line.strip() == "...":
            return r"(?:.*\n)*?"
        return re.escape(line.removesuffix("...").rstrip()) + (r".*\n" if line.endswith("...") else r"[ ]*\n")
    return "".join(map(one, shown))


def free_ports():
    """Two that are not the same."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1]), str(other.getsockname()[1])


@pytest.fixture()
def servers(workbench):
    """A document that starts a server writes its process id to server.pid, and ends it; a test that fails does, too."""
    yield
    if (workbench / "server.pid").exists():
        try:
            os.kill(int((workbench / "server.pid").read_text()), signal.SIGKILL)
        except ProcessLookupError:
            pass


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_do_what_the_document_shows(document, workbench, shell_path, servers):
    environment = {"PATH": shell_path, "HOME": str(workbench), "TERM": "dumb"}
    ran = 0
    port, link = free_ports()            # 8070 and 8000 stand for them
    text = document.read_text().replace(":8070", f":{port}").replace(" 8070 ", f" {port} ")
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{link}").replace("127.0.0.1/8000", f"127.0.0.1/{link}")
    for number, command, shown in steps(text):
        status = 0
        if shown and (match := re.fullmatch(r"exit status (\d+)", shown[-1])):
            status = int(match[1])
            shown = shown[:-1]
        run = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=workbench, env=environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=120)
        where = f"{document.name}:{number}: $ {command}\n{run.stdout}"
        assert run.returncode == status, f"exit status {run.returncode}\n{where}"
        if shown:
            assert re.fullmatch(as_pattern(shown), run.stdout), f"it does not print what is shown\n{where}"
        ran += 1
    assert ran > 0


def test_the_reader_of_documents_sees_what_is_wrong():
    text = "```console\n$ a\n> b\nout\n...\nend\n$ c\n```\nx\n```sh\n$ not run\n```\n"
    assert steps(text) == [(2, "a\nb", ["out", "...", "end"]), (7, "c", [])]
    pattern = as_pattern(["out", "...", "end"])
    assert re.fullmatch(pattern, "out\n1\n2\nend\n") and re.fullmatch(pattern, "out\nend\n")
    assert not re.fullmatch(pattern, "out\n1\n") and not re.fullmatch(pattern, "end\n")
