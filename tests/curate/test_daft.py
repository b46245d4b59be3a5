"""Duplicates in partitions are the duplicates found in one process, and nothing leaves the machine."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.curate import daft
from bridge.curate import duplicates as here
from bridge.errors import UsageError
from bridge.records import Record
from tests.cli.running import run

ROOT = Path(__file__).resolve().parent.parent.parent
METHODS: dict[str, dict[str, Any]] = {
    "exact": {"method": "exact"},
    "near": {},
    "components": {"cluster": "components"},
}
words = st.sampled_from(["one", "two", "three", "four", "fünf", "六", "\ud800", "!"])
texts = st.lists(words, max_size=9).map(" ".join)
some_records = st.lists(st.tuples(texts, texts, st.integers(0, 2)), max_size=14).map(
    lambda rows: [
        Record(f"r{n}", {"prompt": prompt, "response": response}, metadata={"score": score})
        for n, (prompt, response, score) in enumerate(rows)
    ]
)


def shaped(count: int) -> list[dict[str, Any]]:
    """Rows as instruction data has them: a template, frequent and rare words, edits of earlier rows, ties in scores."""
    rng = random.Random(7)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        said = [f"w{int(rng.paretovariate(0.6)) % 5000}" for _ in range(rng.randint(1, 60))]
        if rows and rng.random() < 0.4:
            said = rng.choice(rows)["output"].split()
            for _ in range(rng.randint(0, 3)):
                said[rng.randrange(len(said))] = f"w{rng.randrange(5000)}"
        output = " ".join(said).upper() if rng.random() < 0.1 else " ".join(said)
        rows.append(
            {"instruction": f"Write about topic {number % 7}.", "output": output, "score": rng.choice([1, 2, 3])}
        )
    return rows


@given(
    records=some_records,
    options=st.sampled_from(list(METHODS.values())),
    on=st.sampled_from(["both", "prompt", "response"]),
    threshold=st.sampled_from([0.3, 0.5, 0.7, 1.0]),
    n=st.integers(1, 3),
)
@settings(max_examples=8, deadline=None)
def test_any_records_are_dropped_for_the_same_reasons(
    records: list[Record], options: dict[str, Any], on: str, threshold: float, n: int
) -> None:
    options = {**options, "on": on, "threshold": threshold, "n": n}
    assert daft.duplicates(iter(records), **options) == here.duplicates(records, **options).dropped


@pytest.mark.parametrize("name", METHODS)
def test_files_are_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three thousand rows in a dozen files, and more shingles than have a place in the order."""
    monkeypatch.setattr(daft, "FILE", 50_000)
    monkeypatch.setattr(daft, "FREQUENT", 500)
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in shaped(3000)) + "no row\n")
    flags = [f"--{flag}={value}" for flag, value in METHODS[name].items()]
    results = [
        run("dedup", "in.jsonl", *flags, "--engine", engine, "--out", f"{engine}.jsonl", "--json")
        for engine in ("auto", "daft")
    ]
    assert [result.code for result in results] == [3, 3]
    ours, theirs = ({**result.json, "file": None, "dropped_file": None} for result in results)
    assert ours == theirs
    assert ours["dropped"] > 50
    for suffix in (".jsonl", ".dropped.jsonl"):
        assert Path(f"auto{suffix}").read_bytes() == Path(f"daft{suffix}").read_bytes()


@pytest.mark.parametrize("name", METHODS)
def test_whom_the_caller_prefers_stays(name: str) -> None:
    records = [Record(key, {"prompt": "one and the same text"}) for key in "abc"]
    found = daft.duplicates(records, **METHODS[name], prefer=lambda record: record.key == "b")
    assert [(dropped.key, dropped.kept) for dropped in found] == [("a", "b"), ("c", "b")]


class TestBadInput:
    @pytest.mark.parametrize("name", METHODS)
    @pytest.mark.parametrize("said", [[], ["one"], ["", " ", ""], ["same"] * 40, ["{", "}"], ["ab", "cd ef", "gh i j"]])
    def test_little_is_no_problem(self, said: list[str], name: str) -> None:
        records = [Record(f"r{number}", {"prompt": text}) for number, text in enumerate(said)]
        assert daft.duplicates(records, **METHODS[name]) == here.duplicates(records, **METHODS[name]).dropped

    @pytest.mark.parametrize("method", ["minhash", "semantic"])
    def test_other_methods_are_refused(self, method: Any) -> None:
        with pytest.raises(UsageError, match="use exact or near"):
            daft.duplicates([], method=method)

    def test_a_threshold_that_is_none(self) -> None:
        with pytest.raises(UsageError, match=r"threshold 1\.5"):
            daft.duplicates([], threshold=1.5)

    def test_an_index_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "in.jsonl").write_text("")
        done = run("dedup", str(tmp_path / "in.jsonl"), "--engine", "daft", "--index", str(tmp_path / "seen.idx"))
        assert done.code != 0
        assert "leave --index or --engine out" in done.err

    def test_without_daft(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "daft", None)
        monkeypatch.delitem(sys.modules, "bridge.curate.daft")
        (tmp_path / "in.jsonl").write_text("")
        done = run("dedup", str(tmp_path / "in.jsonl"), "--engine", "daft")
        assert done.code != 0
        assert "pip install 'annobridge[scale]'" in done.err

    def test_ray_without_ray(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DAFT_RUNNER", "ray")
        monkeypatch.setattr(daft, "find_spec", lambda name: None)
        with pytest.raises(UsageError, match=r"daft\[ray\]"):
            daft.duplicates([])


def test_the_folder_is_left_as_it_was(tmp_path: Path) -> None:
    daft.duplicates([Record("a", {"prompt": "one"})], folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


# Stands before the C library, so that it sees what compiled code connects to as well. Nothing gets through.
WATCH = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static void note(const char *host) {
    FILE *seen = fopen(getenv("SEEN"), "a");
    fprintf(seen, "%s\n", host);
    fclose(seen);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    note(host ? host : "*");
    return EAI_FAIL;
}

int connect(int fd, const struct sockaddr *address, socklen_t size) {
    char host[INET6_ADDRSTRLEN] = "local";
    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, host, sizeof host);
    if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, host, sizeof host);
    note(host);
    errno = ECONNREFUSED;
    return -1;
}
"""
OURS = """
from bridge.curate.daft import duplicates
from bridge.records import Record
assert len(duplicates([Record(key, {"prompt": "one and the same"}) for key in "ab"])) == 1
"""
THEIRS = "import daft, threading; [t.join(5) for t in threading.enumerate() if t is not threading.current_thread()]"


@pytest.mark.parametrize(
    ("code", "tells"),
    [pytest.param(OURS, False, id="from annobridge"), pytest.param(THEIRS, True, id="and this test would see it")],
)
def test_daft_tells_nobody(code: str, tells: bool, tmp_path: Path) -> None:
    (tmp_path / "watch.c").write_text(WATCH)
    library, seen = tmp_path / "watch.so", tmp_path / "seen"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "watch.c"], check=True)
    quiet = {"DO_NOT_TRACK", "SCARF_NO_ANALYTICS", "DAFT_ANALYTICS_ENABLED"}
    environment = {name: value for name, value in os.environ.items() if name not in quiet}
    environment |= {"LD_PRELOAD": str(library), "SEEN": str(seen), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert seen.exists() is tells
