"""Goal: README.md shows what docs/bench.md says, and the table says what the benchmarks measured.

Method: the tables are made of results written down here; then the real pages are held against each other.
"""
import subprocess
import sys

import conftest
import pytest

sys.path.insert(0, str(conftest.ROOT / "bench"))
import table  # noqa: E402

RESULTS = {
    "server": {"rows": [{"figure": "update checks, TLS", "updraft": 4321, "nginx": 10000, "ratio": 0.43, "unit": "per second",
                         "updraft_us": 30.0, "nginx_us": 20.0},
                        {"figure": "processor time of a check", "updraft_us": 30.0, "gnutls_us": 10.0, "ratio": 0.33, "unit": "microseconds"},
                        {"figure": "update checks, connections kept, 7 devices", "updraft": 9, "unit": "per second"},
                        {"figure": "start to the first check, 7 devices", "updraft": 0.04, "unit": "s"}]},
    "pages": {"devices": 1000000, "peer_devices": 1000, "limit_ms": 200, "asked": 1234, "over": 1, "rows": [{"query": "quick", "large_ms": 2.0, "small_ms": 1.0, "ratio": 2.0},
                                                                {"query": "slow", "large_ms": 250.0, "small_ms": 1.0, "ratio": 250.0}]},
    "boot": {"image_bytes": 1024, "loaders": {"updraft": {"instructions": 300}, "boot v1.7": {"instructions": 100}}},
}


@pytest.fixture(name="page")
def written():
    return table.page({name: list(getattr(table, name)(result)) for name, result in RESULTS.items()}, "a machine", "2030-01-02")


@pytest.mark.parametrize("expected", [
    "| **update checks, TLS** | 4,321 per second | nginx: 10,000 per second; aim 0.5 | 0.43 |",
    "| processor time, each of update checks, TLS | 30 µs | nginx: 20 µs | 1.50 |",
    "| processor time of a check | 30 µs | GnuTLS alone: 10 µs | 3.00 |",
    "| **update checks, connections kept, 7 devices** | 9 per second |  |  |",
    "| **start to the first check, 7 devices** | 0.04 s | aim 3 s |  |",
    "| **page queries over 200 ms among 1,000,000 devices** | 1 of 1,234 asked | aim 0 |  |",
    "| page query, 1,000,000 devices: quick | 2 ms | 1,000 devices: 1 ms; aim 200 ms | 2.00 |",
    "| **page query, 1,000,000 devices: slow** | 250 ms | 1,000 devices: 1 ms; aim 200 ms | 250.00 |",
    "| **reset to application, 1,024 bytes, updraft** | 300 instructions | boot v1.7: 100 instructions | 3.00 |",
    "| reset to application, 1,024 bytes, boot v1.7 | 100 instructions |  |  |",
    "Machine: a machine. Date: 2030-01-02.",
])
def test_a_row_has_figure_peer_and_ratio(page, expected):
    assert expected in page.splitlines()


def test_the_readme_shows_the_bold_rows_and_keeps_its_own_text(page):
    readme = table.readme(f"before\n{table.BEGIN}old\n{table.END}after\n", page)
    assert readme.startswith(f"before\n{table.BEGIN}") and readme.endswith(f"{table.END}after\n") and "old" not in readme
    assert "| page query, 1,000,000 devices: slow | 250 ms |" in readme and "quick" not in readme and "a machine" in readme
    assert table.readme(readme, page) == readme


def test_each_benchmark_has_its_rows():
    assert {path.stem for path in (conftest.ROOT / "bench").glob("*.py")} == {*table.BENCHMARKS, "table"}


def test_the_pages_in_the_repository_agree():
    subprocess.run([sys.executable, conftest.ROOT / "bench" / "table.py", "--check"], check=True)
