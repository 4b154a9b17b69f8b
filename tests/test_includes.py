"""Goal: an include against the map of the folders is found, with its file, its line and the arrow.

Method: a small tree that is right; then one planted include after the other, each of which must be the only finding.
"""
import pytest

import includes

RIGHT = {
    "core/include/updraft/err.h": "",
    "core/src/err.c": "#include <updraft/err.h>\n#include <stdint.h>\n",
    "core/test/check.h": "#include <stdio.h>\n",
    "core/test/err_test.c": '#include "check.h"\n',
    "device/include/updraft/flash.h": "#include <updraft/err.h>\n",
    "device/src/writer.h": "",
    "device/src/writer.c": '#include "writer.h"\n#include <updraft/flash.h>\n',
    "device/ports/idf/port.c": "#include <updraft/flash.h>\n#include <sys/socket.h>\n",
    "boot/main.c": "#include <updraft/err.h>\n",
    "firmware/clock.c": "#include <updraft/flash.h>\n#include <updraft/err.h>\n",
    "firmware/test/clock_test.c": '#include "check.h"\n#include <string.h>\n',
    "sim/include/updraft/sim.h": "#include <updraft/flash.h>\n#include <updraft/err.h>\n",
    "tools/main.c": "#include <updraft/err.h>\n#include <curl/curl.h>\n",
    "server/fleet/decide.h": "",
    "server/main.c": '#include "fleet/decide.h"\n#include <updraft/err.h>\n',
}


def tree(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_tree_after_the_map_passes(tmp_path):
    seen, problems = includes.check(tree(tmp_path, RIGHT))
    assert problems == []
    assert seen == sum(text.count("#include") for text in RIGHT.values())


@pytest.mark.parametrize("file, include, arrow", [
    ("core/src/planted.c", "<updraft/flash.h>", "core --> device"),
    ("core/src/planted.c", "<stdio.h>", "core --> <stdio.h>"),
    ("core/src/planted.c", "<string.h>", "core --> <string.h>"),
    ("core/test/planted_test.c", "<updraft/sim.h>", "core --> sim"),
    ("device/src/planted.c", '"fleet/decide.h"', "device --> server"),
    ("device/src/planted.c", "<updraft/sim.h>", "device --> sim"),
    ("boot/planted.c", "<updraft/flash.h>", "boot --> device"),
    ("boot/planted.S", "<updraft/flash.h>", "boot --> device"),
    ("firmware/planted.c", "<updraft/sim.h>", "firmware --> sim"),
    ("tools/planted.c", "<updraft/flash.h>", "tools --> device"),
    ("tools/planted.c", '"../server/fleet/decide.h"', "tools --> server"),
    ("server/api/planted.c", "<updraft/flash.h>", "server --> device"),
    ("server/api/planted.h", '# include "../../device/src/writer.h"', "server --> device"),
])
def test_an_include_against_the_map_is_named(tmp_path, file, include, arrow):
    line = include if include.startswith("#") else f"#include {include}"
    tree(tmp_path, RIGHT | {file: f"/* first line */\n\n  {line}\n"})
    _, problems = includes.check(tmp_path)
    assert len(problems) == 1
    assert problems[0].startswith(f"{file}:3: {arrow}")
