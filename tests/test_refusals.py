"""What the server refuses with.

Goal: every refusal of the table is told with all values that stand in its sentence, none is told with a value that
does not, and the table has no row that nobody tells. The compiler sees none of that.
Method: the calls are read from the sources of the server, with their VALUES(), and held against the rows of
server/text/refusal.h.
"""
import re

import pytest

from conftest import ROOT

SERVER = ROOT / "server"
ROW = re.compile(r'\bX\((\w+), "([\w-]+)",\s*"((?:[^"\\]|\\.)*)"\)')
CALL = re.compile(r"\b(?:fleet_fail|http_answer_error)\(")
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def table():
    source = (SERVER / "text/refusal.h").read_text().replace("\\\n", " ")
    source = re.sub(r'"\s+"', "", source[source.index("#define REFUSALS(X)"):])
    return {name: set(re.findall(r"\{(\w+)\}", sentence)) for name, code, sentence in ROW.findall(source)}


def calls():
    """(file, line, names of refusals, names of values) of each call."""
    for path in sorted(SERVER.rglob("*.c")):
        if "test" in path.parts:
            continue
        source = path.read_text()
        for match in CALL.finditer(source):
            depth, end = 1, match.end()
            while depth:
                if text := TEXT.match(source, end):
                    end = text.end()
                    continue
                depth += {"(": 1, ")": -1}.get(source[end], 0)
                end += 1
            call = source[match.end():end]
            if names := re.findall(r"REFUSAL_(\w+)", call):
                values = set(re.findall(r'\{"(\w+)",', call[call.find("VALUES("):])) if "VALUES(" in call else set()
                yield path.name, source.count("\n", 0, match.start()) + 1, names, values


ROWS, CALLS = table(), list(calls())


def test_there_are_calls_and_rows():
    assert len(ROWS) > 100 and len(CALLS) > 100
    assert {name for _, _, names, _ in CALLS for name in names} == set(ROWS)


@pytest.mark.parametrize(("file", "line", "names", "values"), CALLS, ids=[f"{c[0]}:{c[1]}" for c in CALLS])
def test_a_refusal_has_the_values_of_its_sentence(file, line, names, values):
    for name in names:
        assert ROWS[name] == values
