"""The journal: what a run that was killed leaves, and that the next one asks nothing twice."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clock import TestClock
from bridge.errors import BudgetSpent, Held, StoreError
from bridge.models.budget import Budget, Tokens
from bridge.models.journal import Journal
from bridge.models.outcomes import Answered
from bridge.models.prices import Price, Prices
from bridge.models.replies import Choice, Reply, TokenChoice
from bridge.testing import ModelServer
from tests.models.asking import ask, ask_until_error, request, requests

ROOT = Path(__file__).resolve().parents[2]
HERE = "http://127.0.0.1:1/v1"
WANTED = [*requests(4), request("Three of these", parameters={"n": 3}), request("Too long " * 20), request("Last")]


def served() -> ModelServer:
    """A server that ignores n, so that there are single requests too, and whose context is short."""
    return ModelServer(can=["schema"], context=100)


def answers_in(path: Path) -> list[str]:
    """The keys whose answers, or refusals, stand in a journal whole."""
    keys = []
    for raw in path.read_bytes().splitlines(keepends=True):
        if raw.endswith(b"\n"):
            line = json.loads(raw)
            keys += [line[kind] for kind in ("answer", "refused") if kind in line]
    return keys


def in_another_process(program: str, url: str) -> subprocess.CompletedProcess[str]:
    """What a program in Python did, which gets the address of a server."""
    command = [sys.executable, "-c", program, url]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The journal of a run that nobody disturbed, one request at a time."""
    path = tmp_path_factory.mktemp("whole") / "journal.jsonl"
    with served() as server, Journal(path, clock=TestClock()) as journal:
        ask(server, WANTED, journal=journal, concurrency=1)
        return path.read_bytes().replace(server.url.encode(), HERE.encode())


class TestCrashMatrix:
    def test_a_journal_cut_at_any_byte_knows_what_stands_there_whole(self, whole: bytes, tmp_path: Path) -> None:
        path = tmp_path / "journal.jsonl"
        for cut in [*range(700), *range(700, len(whole), 97), len(whole)]:
            path.write_bytes(whole[:cut])
            expected = answers_in(path)
            with Journal(path) as journal:
                assert all(journal.entry(HERE, key) is not None for key in expected), cut
                sent = whole[: whole.rfind(b"\n", 0, cut) + 1].count(b'{"sent"')
                assert journal.account.spent.requests == sent, cut
                assert journal.account.spent.unclear == sent - len(expected), cut
            assert path.read_bytes() in (whole[: whole.rfind(b"\n", 0, cut) + 1], b'{"journal":1}\n')

    def test_a_run_killed_at_any_line_asks_for_nothing_that_was_answered(self, tmp_path: Path) -> None:
        """Before each line, in the middle of each, and one byte before its end."""
        path = tmp_path / "journal.jsonl"
        with served() as server:
            with Journal(path) as journal:
                undisturbed = told(ask(server, WANTED, journal=journal, concurrency=1))
            whole, calls = path.read_bytes(), len(server.asked)
            ends = [0, *(place + 1 for place, byte in enumerate(whole) if byte == 10)]
            for cut in sorted({*ends, *((a + b) // 2 for a, b in pairwise(ends)), *(b - 1 for b in ends[1:])}):
                path.write_bytes(whole[:cut])
                kept = answers_in(path)
                before = len(server.asked)
                with Journal(path) as journal:
                    assert told(ask(server, WANTED, journal=journal, concurrency=1)) == undisturbed, cut
                assert len(server.asked) - before == calls - len(kept), cut

    def test_a_process_that_is_killed_loses_no_answer(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.jsonl"
        program = f"""if True:
            import os, signal, sys
            from bridge.models.journal import Journal
            from tests.models.asking import requests, run
            async def work(client):
                count = 0
                async for reply in client.ask_all(requests(40)):
                    count += 1
                    if count == 15:
                        os.kill(os.getpid(), signal.SIGKILL)
            with Journal({str(path)!r}) as journal:
                run(sys.argv[1], work, journal=journal)
            """
        with ModelServer() as server:
            done = in_another_process(program, server.url)
            assert done.returncode == -signal.SIGKILL
            kept = answers_in(path)
            assert 15 <= len(kept) < 40
            with Journal(path) as journal:
                assert journal.account.spent.requests >= len(kept)
                replies = ask(server, requests(40), journal=journal)
            assert [reply.problem for reply in replies] == [None] * 40
            times = Counter(asked.text for asked in server.asked)
        assert {times[f"Question {n}?"] for n, one in enumerate(requests(40)) if one.key in kept} == {1}


def told(replies: list[Reply]) -> list[Any]:
    """What replies say, whatever it took."""
    return [(reply.key, reply.choices, reply.problem) for reply in replies]


class TestResuming:
    def test_a_second_run_asks_nothing(self, tmp_path: Path) -> None:
        with served() as server:
            with Journal(tmp_path / "journal.jsonl") as journal:
                first = ask(server, WANTED, journal=journal)
            asked = len(server.asked)
            with Journal(tmp_path / "journal.jsonl") as journal:
                assert ask(server, WANTED, journal=journal) == first
            assert len(server.asked) == asked

    def test_what_failed_for_a_reason_that_may_pass_is_asked_again(self, tmp_path: Path) -> None:
        with ModelServer(at=dict.fromkeys(range(1, 6), "broken")) as server:
            with Journal(tmp_path / "journal.jsonl") as journal:
                assert ask(server, [request()], journal=journal)[0].problem is not None
            with Journal(tmp_path / "journal.jsonl") as journal:
                (reply,) = ask(server, [request()], journal=journal)
        assert reply.problem is None
        assert reply.usage.attempts == 6

    def test_another_endpoint_is_asked_anew(self, tmp_path: Path) -> None:
        with Journal(tmp_path / "journal.jsonl") as journal, ModelServer() as one, ModelServer() as other:
            ask(one, [request()], journal=journal)
            ask(other, [request()], journal=journal)
            assert len(other.asked) == 1

    def test_models_share_a_journal_and_its_account(self, tmp_path: Path) -> None:
        with Journal(tmp_path / "journal.jsonl") as journal, ModelServer() as server:
            ask(server, [request(model="small")], model="small", journal=journal)
            ask(server, [request(model="large")], model="large", journal=journal)
            assert journal.account.spent.requests == 2


class TestTheFile:
    def test_two_processes_cannot_have_it(self, tmp_path: Path) -> None:
        with Journal(tmp_path / "journal.jsonl"), pytest.raises(Held, match="another process is at work"):
            Journal(tmp_path / "journal.jsonl")
        with Journal(tmp_path / "journal.jsonl"):
            pass

    @pytest.mark.parametrize("text", ["hello\n", "hello", '{"id": 1}\n', '{"journal": 2}\n{}\n'])
    def test_a_file_that_is_no_journal_stays_as_it_is(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "notes.txt"
        path.write_text(text)
        with pytest.raises(StoreError, match=r"notes\.txt: no journal of this version"):
            Journal(path)
        assert path.read_text() == text

    def test_a_line_that_is_broken_in_the_middle_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.jsonl"
        path.write_text('{"journal":1}\n{"sent\n{"note":"x"}\n')
        with pytest.raises(StoreError, match=r"journal\.jsonl:2: this is no line of a journal"):
            Journal(path)

    def test_an_answer_that_was_changed_by_hand_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.jsonl"
        path.write_text('{"journal":1}\n{"answer":"ab12","endpoint":"e","model":"m","tokens":[1,2],"attempts":1}\n')
        with Journal(path) as journal, pytest.raises(StoreError, match="answer to ab12 is not as it was written"):
            journal.entry("e", "ab12")

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StoreError, match="file"):
            Journal(tmp_path / "file" / "journal.jsonl")

    def test_a_device_is_no_journal(self) -> None:
        with pytest.raises(StoreError, match="/dev/zero: no file"):
            Journal("/dev/zero")

    def test_a_disk_that_is_full_ends_the_run_and_spoils_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "journal.jsonl"
        program = f"""if True:
            import resource, sys
            from bridge.models.journal import Journal
            from tests.models.asking import ask_until_error, requests
            with Journal({str(path)!r}) as journal:
                resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
                replies, error = ask_until_error(sys.argv[1], requests(40), journal=journal, concurrency=2)
                print(type(error).__name__, error)
            """
        with ModelServer() as server:
            done = in_another_process(program, server.url)
            assert done.stdout.startswith(f"StoreError {path}: "), done.stderr
            kept = len(answers_in(path))
            assert 5 < kept < 40
            before = len(server.asked)
            with Journal(path) as journal:
                assert len(ask(server, requests(40), journal=journal)) == 40
            assert len(server.asked) - before == 40 - kept

    def test_no_line_waits_for_a_disk_that_is_busy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clock, free, synced = TestClock(), threading.Event(), []
        with Journal(tmp_path / "journal.jsonl", clock=clock) as journal:
            monkeypatch.setattr(os, "fsync", lambda file: synced.append(free.wait(60)))
            for number in range(3):
                clock.sleep(2)
                journal.sent(HERE, "m", f"k{number}", Tokens(1, 1))  # would stand still here
            free.set()
        assert len(synced) == 2  # what the first line began, and what the end does
        assert len((tmp_path / "journal.jsonl").read_bytes().splitlines()) == 4

    def test_a_disk_that_fails_ends_the_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def failing(file: int) -> None:
            raise OSError(errno.EIO, "Input/output error")

        clock, path = TestClock(), tmp_path / "journal.jsonl"
        journal = Journal(path, clock=clock)
        monkeypatch.setattr(os, "fsync", failing)
        clock.sleep(2)
        journal.sent(HERE, "m", "k1", Tokens(1, 1))
        with pytest.raises(StoreError, match=r"journal\.jsonl: .*Input/output error"):
            journal.close()
        monkeypatch.undo()
        with Journal(path) as again:  # nobody holds it any more
            assert again.attempts(HERE, "k1") == 1

    def test_notes_are_found_by_name_the_newest_one(self, tmp_path: Path) -> None:
        with Journal(tmp_path / "journal.jsonl") as journal:
            journal.noted("batch 1", {"state": "made"})
            journal.noted("batch 1", {"state": "done"})
        with Journal(tmp_path / "journal.jsonl") as journal:
            assert [(name, note["state"]) for name, note in journal.notes("batch ")] == [("batch 1", "done")]

    @given(
        st.lists(
            st.builds(
                Choice,
                st.none() | st.text(st.characters(exclude_categories=["Cs"])),
                st.sampled_from(["stop", "length", "refusal"]),
                st.none()
                | st.lists(
                    st.builds(
                        TokenChoice,
                        st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
                        st.floats(-9999, 0),
                        st.just((("a", -0.5),)),
                    ),
                    min_size=1,
                    max_size=3,
                ).map(tuple),
            ),
            min_size=1,
            max_size=3,
        )
    )
    def test_answers_come_back_as_they_were(self, choices: list[Choice]) -> None:
        answer = Answered("m", tuple(choices), Tokens(1, 2))
        path = _fresh()
        with Journal(path) as journal:
            journal.sent(HERE, "m", "key", Tokens(5, 5))
            journal.finished(HERE, "m", "key", answer, Tokens(1, 2))
        with Journal(path) as journal:
            entry = journal.entry(HERE, "key")
            assert entry is not None
            assert entry.answer == answer


def _fresh() -> Path:
    import tempfile

    return Path(tempfile.mkdtemp()) / "journal.jsonl"


PRICES = Prices({"stub": Price(10.0, 100.0)})


class TestBudget:
    def test_it_ends_the_run_and_keeps_what_was_finished(self, tmp_path: Path) -> None:
        wanted = requests(20, parameters={"max_tokens": 10})
        with ModelServer(lambda asked: "x" * 20) as server:
            with Journal(tmp_path / "journal.jsonl", budget=Budget(requests=7)) as journal:
                replies, error = ask_until_error(server, wanted, journal=journal)
            assert isinstance(error, BudgetSpent)
            assert "7 of 7 requests" in str(error)
            assert len(replies) == len(server.asked) == 7
            with Journal(tmp_path / "journal.jsonl", budget=Budget(requests=20)) as journal:
                assert len(ask(server, wanted, journal=journal)) == 20
            assert len(server.asked) == 20

    @pytest.mark.parametrize("concurrency", [1, 8])
    def test_no_limit_is_passed_however_many_are_out(self, tmp_path: Path, concurrency: int) -> None:
        wanted = requests(50, parameters={"max_tokens": 30})
        with (
            ModelServer(lambda asked: "x" * 100) as server,
            Journal(prices=PRICES, budget=Budget(cost=0.02)) as journal,
        ):
            replies, error = ask_until_error(server, wanted, journal=journal, concurrency=concurrency)
            spent = journal.account.spent
        assert isinstance(error, BudgetSpent)
        assert 0.015 < spent.cost <= 0.02
        assert spent.cost == pytest.approx(sum(reply.usage.cost or 0 for reply in replies))

    def test_tokens_can_be_limited_without_prices(self) -> None:
        with ModelServer() as server, Journal(budget=Budget(tokens=300)) as journal:
            _, error = ask_until_error(server, requests(30, parameters={"max_tokens": 20}), journal=journal)
            assert "of 300 tokens" in str(error)
            assert journal.account.spent.all_tokens <= 300

    def test_money_needs_a_price(self) -> None:
        with ModelServer() as server, Journal(budget=Budget(cost=1)) as journal:
            _, error = ask_until_error(server, [request()], journal=journal)
            assert "the price table has no price for the model 'stub'" in str(error)
            assert server.asked == []

    def test_an_answer_that_was_lost_counts_as_what_it_may_have_taken(self, tmp_path: Path) -> None:
        with ModelServer(at={1: "lost"}) as server:
            with Journal(tmp_path / "journal.jsonl", prices=PRICES) as journal:
                ask(server, [request(parameters={"max_tokens": 40})], journal=journal)
                live = journal.account.spent
            assert (live.requests, live.unclear, live.set_aside.completion) == (2, 1, 40)
            with Journal(tmp_path / "journal.jsonl", prices=PRICES) as journal:
                assert journal.account.spent == live
