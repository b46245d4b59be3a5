"""What annobridge survives: one test for each row of its list of faults, by number.

Most of these have tests of their own elsewhere, with more cases. Here each row is one short sentence that holds.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import httpx2
import pytest

from bridge.adopting.label_config import read_config
from bridge.campaign import Campaign
from bridge.cli import main
from bridge.clock import TestClock
from bridge.errors import (
    BridgeError,
    Busy,
    ConfigError,
    Conflict,
    Held,
    InputError,
    LedgerError,
    OtherProject,
    ServerError,
    StoreError,
    TemplateError,
    UnexpectedReply,
    UnknownOutcome,
    UsageError,
)
from bridge.keys import Secret, check_transport, find_key, save_key
from bridge.records import Record
from bridge.servers import argilla_workspace
from bridge.servers.argilla import Argilla
from bridge.servers.argilla_kinds import fields_of
from bridge.servers.argilla_texts import original_fields
from bridge.servers.http import Client
from bridge.servers.label_studio import LabelStudio
from bridge.servers.label_studio_cursor import Cursor
from bridge.servers.label_studio_page import label_config
from bridge.servers.memory import LIKE_ARGILLA, LIKE_LABEL_STUDIO, MemoryServer, Profile
from bridge.servers.protocol import Outcome, Remote
from bridge.sync.lease import EXPIRES_S
from bridge.sync.ledger import Ledger
from bridge.sync.pull import usable
from bridge.sync.reconcile import survey
from bridge.templates import load_template, template_names
from bridge.testing import Crash, FaultProxy, FaultyServer, Reply, in_turn
from bridge.waits import A_DAY_S, asked_wait
from tests.faults.sites import Site, project_of, rows
from tests.faults.test_disk import full_disk
from tests.meddling import Meddling

ROWS = rows(12)
KEYS = [row["id"] for row in ROWS]
LS = replace(LIKE_LABEL_STUDIO, capabilities=replace(LIKE_LABEL_STUDIO.capabilities, batch=4))
ARGILLA = replace(LIKE_ARGILLA, capabilities=replace(LIKE_ARGILLA.capabilities, batch=4))
ODD = "שלום \u202eevil\u202c naïve e\u0301 👩‍👩‍👧 \U0001f600\ttab  two\n<b>&amp;</b> %25 {{x}}"


class Folder:
    """A campaign, and a server that may fail."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = TestClock(datetime.now(UTC).timestamp())
        self.rows(ROWS)
        self.config()

    def rows(self, records: Iterable[dict[str, Any]]) -> None:
        (self.path / "records.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records))

    def config(self, **more: Any) -> None:
        settings = {
            "project": "Sums",
            "server": {"kind": "memory"},
            "records": {"path": "records.jsonl", "id": "id"},
            "template": "rating",
            **more,
        }
        (self.path / "campaign.yaml").write_text(json.dumps(settings))

    def open(self, server: Any) -> Campaign:
        campaign = Campaign(self.path, server=server)
        campaign.state.clock = self.clock
        return campaign

    @property
    def ledger(self) -> Path:
        return self.path / ".annobridge" / "ledger.db"

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / "out" / name).read_text().splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def answer(server: MemoryServer, keys: Iterable[str], rating: int = 5, who: str = "ann") -> None:
    for key in keys:
        server.annotate(key, who, {"rating": rating})


def copies(server: MemoryServer) -> dict[str, int]:
    return {key: len(found) for key, found in server.find(KEYS).items()}


ONCE = dict.fromkeys(KEYS, 1)


class Calls:
    """What a server is asked, in order."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.made: list[tuple[str, list[str]]] = []

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._server, name)
        if name not in ("find", "write"):
            return verb

        def called(items: Iterable[Any]) -> Any:
            items = list(items)
            self.made.append((name, [item.key if isinstance(item, Record) else item for item in items]))
            return verb(items)

        return called


def test_01_429_and_503_with_retry_after_are_obeyed_in_both_forms_and_the_batch_shrinks(folder: Folder) -> None:
    class Overtaxed(MemoryServer):
        asked = [90.0, 30.0]
        sizes: list[int] = []

        def write(self, records: Sequence[Record]) -> list[Outcome]:
            self.sizes.append(len(records))
            if self.asked:
                raise Busy("429", wait_s=self.asked.pop(0))
            return super().write(records)

    server = Overtaxed(profile=ARGILLA)
    folder.open(server).push()
    assert copies(server) == ONCE
    assert server.sizes[:3] == [4, 2, 1]
    assert sum(folder.clock.slept) >= 120
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    assert asked_wait("120", date, 0.0) == asked_wait("Wed, 21 Oct 2015 07:30:00 GMT", date, 0.0) == 120
    assert asked_wait("9" * 15, date, 0.0) == asked_wait("Wed, 21 Oct 2115 07:28:00 GMT", date, 0.0) == A_DAY_S


@pytest.mark.parametrize("profile", [LS, ARGILLA])
@pytest.mark.parametrize("fault", ["committed", "lost", "late", "part", "lag"])
def test_02_a_5xx_or_timeout_maybe_after_the_commit_is_unknown_and_looked_up_before_any_resend(
    folder: Folder, fault: Any, profile: Profile
) -> None:
    server = MemoryServer(profile=profile)
    faulty = FaultyServer(server, at={("write", 2): fault}, clock=folder.clock, late_s=30)
    calls = Calls(faulty)
    folder.open(calls).push()
    assert copies(server) == ONCE
    second = [name for name, keys in calls.made if set(keys) & set(KEYS[4:8])]
    assert second[:2] == ["write", "find"]


def test_03_a_reset_in_mid_body_or_a_short_or_non_json_200_discards_the_page_and_leaves_the_cursor(
    folder: Folder,
) -> None:
    server = MemoryServer(profile=LS)
    folder.open(server).push()
    answer(server, KEYS)
    cut = FaultyServer(server, at={("changes", 2): "cut"}, page_size=4)
    with pytest.raises(UnexpectedReply):
        folder.open(cut).pull()
    # The first page is on the disk; of the second, which was cut, nothing that was not whole.
    assert KEYS[:4] == [a.record for a in folder.open(server).annotations()][:4]
    result = folder.open(server).pull()
    assert (result.full, {a.record for a in folder.open(server).annotations()}) == (True, set(KEYS))
    assert len(folder.open(server).annotations(history=True)) == 12

    for body in (b'{"tasks": [', b"<html>", b"\xff"):
        client = Client(
            "http://127.0.0.1:1", transport=httpx2.MockTransport(lambda _, b=body: httpx2.Response(200, content=b))
        )
        with pytest.raises(UnexpectedReply):
            client.request("GET", "/")
        with pytest.raises(UnknownOutcome):
            client.request("POST", "/")
        client.close()


@pytest.mark.parametrize("profile", [LS, ARGILLA])
def test_04_after_a_kill_at_any_point_a_re_run_converges_and_re_checks_at_most_one_batch(
    tmp_path: Path, profile: Profile
) -> None:
    def new(name: str) -> Folder:
        (tmp_path / name).mkdir()
        return Folder(tmp_path / name)

    plain = FaultyServer(MemoryServer(profile=profile))
    new("plain").open(plain).push()
    assert plain.calls > 5
    for number in range(1, plain.calls + 1):
        for fault in ("crash before", "crash after"):
            folder = new(f"{fault} {number}")
            server = MemoryServer(profile=profile)
            with pytest.raises(Crash):
                folder.open(FaultyServer(server, at={number: fault})).push()  # type: ignore[dict-item]
            with closing(sqlite3.connect(folder.ledger)) as ledger:
                (open_,) = ledger.execute(
                    "SELECT count(*) FROM records WHERE state IN ('sending', 'unknown')"
                ).fetchone()
            assert open_ <= 4
            folder.open(server).push()
            assert copies(server) == ONCE


def test_05_a_full_disk_or_a_locked_ledger_stops_before_the_next_request_and_names_the_path(
    folder: Folder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = MemoryServer(profile=LS)
    calls = Calls(server)
    with full_disk(61_440), pytest.raises(StoreError) as full:
        folder.open(calls).push()
    sent = [keys for name, keys in calls.made if name == "write"]
    assert 0 < len(sent) < 3
    assert str(folder.ledger) in full.value.reason
    assert calls.made[-1] == ("write", sent[-1])
    folder.open(server).push()
    assert copies(server) == ONCE

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, **{**options, "timeout": 0.1}))
    with closing(connect(folder.ledger, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=re.escape(f"{folder.ledger}: database is locked")):
            folder.open(server).push()
        with pytest.raises(SystemExit) as end:
            main(["push", "-C", str(folder.path)], prog_name="annobridge")
    assert end.value.code == 1
    assert f"error: {folder.ledger}: database is locked" in capsys.readouterr().err


def test_06_of_two_pushers_with_one_ledger_the_second_exits_with_holder_and_age_and_a_stale_lease_expires(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    Ledger(folder.ledger).close()
    pushing = (
        "import sys; from pathlib import Path; from bridge.sync.ledger import Ledger\n"
        "with Ledger(Path(sys.argv[1])).alone('push'): print('held', flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", pushing, str(folder.ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout
    first.stdout.readline()
    with pytest.raises(SystemExit) as end:
        main(["push", "-C", str(folder.path)], prog_name="annobridge")
    assert end.value.code == 1
    assert re.search(rf"push, by process {first.pid} on \S+, since \d+ s", capsys.readouterr().err)
    first.kill()
    first.communicate()
    server = MemoryServer()
    assert folder.open(server).push().sent == 12, "the holder is gone"

    ledger = Ledger(folder.ledger)
    with ledger.transaction() as database:
        now = folder.clock.now
        lease = (1, "token", "another machine", 7, "", "push", now, now)
        database.execute("REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?, ?)", lease)
    ledger.close()
    with pytest.raises(Held, match="process 7 on another machine"):
        folder.open(server).push()
    folder.clock.now += EXPIRES_S + 1
    assert folder.open(server).push().present == 12


class Together:
    """A server that begins its first write when another one does."""

    def __init__(self, server: Any, barrier: Barrier) -> None:
        self._server, self._barrier, self._first = server, barrier, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def write(self, records: Sequence[Record]) -> list[Outcome]:
        if self._first:
            self._first = False
            self._barrier.wait(60)
        outcomes: list[Outcome] = self._server.write(records)
        return outcomes


@pytest.mark.live
@pytest.mark.usefixtures("small_batches")
def test_07_two_pushers_on_different_machines_make_no_doubles_on_argilla_and_on_label_studio_ones_that_are_found(
    site: Site, tmp_path: Path
) -> None:
    title = f"Two pushers {os.getpid()}"
    folders = [site.folder(tmp_path / name, ROWS, title=title) for name in ("one", "two")]
    direct = site.connect()
    direct.ensure(project_of(Campaign(folders[0])), create=True)
    barrier = Barrier(2)

    def push(folder: Path) -> None:
        with suppress(ServerError):  # it counts more than it has sent, or others keep it from mending suggestions
            Campaign(folder, server=Together(site.connect(), barrier)).push()  # type: ignore[arg-type]

    pushers = [Thread(target=push, args=(folder,)) for folder in folders]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    found = survey(direct)
    assert set(found.there) == set(KEYS)
    ann = site.person("ann")
    ann.ensure(project_of(Campaign(folders[0])), create=False)
    given = ann.annotate(KEYS[0], {"rating": 5})

    if site.kind == "argilla":
        assert found.doubled == {}
    else:
        twins = sorted(found.doubled)
        assert twins, "both had begun before either was done"
        campaign = Campaign(folders[0])
        assert campaign.push().doubled == twins
        assert [f.keys for f in campaign.doctor().findings if f.kind == "doubled"] == [tuple(twins)]
        campaign.doctor(repair=True)
    for folder in folders:
        campaign = Campaign(folder)
        assert campaign.doctor(repair=True).healthy
        assert campaign.push().complete
        campaign.pull()
        assert [a.source["id"] for a in campaign.annotations()] == [given], "the copy that was answered has stayed"
    assert {key: len(there) for key, there in survey(direct).there.items()} == ONCE


def test_07_doubles_that_somebody_else_has_mended_are_no_longer_reported(tmp_path: Path) -> None:
    server = MemoryServer(profile=LS)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one, two = Folder(tmp_path / "one"), Folder(tmp_path / "two")

    class Meanwhile(Calls):
        def write(self, records: Sequence[Record]) -> list[Outcome]:
            if not server.progress().records:
                two.open(server).push()
            return server.write(records)

    assert one.open(Meanwhile(server)).push().doubled == KEYS
    assert two.open(server).doctor(repair=True).healthy
    assert copies(server) == ONCE
    result = one.open(server).push()
    assert (result.doubled, result.complete) == ([], True)


def test_08_clocks_that_differ_cost_no_answer_and_a_future_cursor_is_refused(folder: Folder) -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    server = MemoryServer(profile=LS, clock=lambda: noon)
    folder.open(server).push()
    answer(server, KEYS[:6])
    folder.open(server).pull()
    answer(server, KEYS[6:])  # at the same time, by the server's clock; ours is elsewhere
    folder.clock.now -= 20 * 365 * 86_400
    assert folder.open(server).pull().changes.new == 6
    assert len(folder.open(server).annotations(history=True)) == 12

    assert Cursor("2026-01-02T03:04:05.000000Z").since == "2026-01-02T03:03:05.000000Z", "it is read again"
    assert usable("2999-01-01T00:00:00.000000Z", noon.timestamp()) == ""


@pytest.mark.live
def test_09_a_list_that_shifts_while_it_is_read_is_read_again_and_a_short_pull_is_never_complete(
    argilla_site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(argilla_workspace, "PAGE_SIZE", 4)
    site = argilla_site
    folder = site.folder(tmp_path / "campaign", ROWS)
    Campaign(folder).push()
    project = project_of(Campaign(folder))
    direct, ann = site.connect(), site.person("ann")
    direct.ensure(project, create=False)
    ann.ensure(project, create=False)
    given = {ann.annotate(key, {"rating": 5}) for key in KEYS[4:]}
    unanswered = [direct.find([key])[key][0].id for key in KEYS[:4]]
    left_to_delete = 1

    def delete_behind_the_first_page(request: httpx2.Request, real: httpx2.BaseTransport) -> None:
        nonlocal left_to_delete
        if left_to_delete and request.url.params.get("offset", "0") != "0":
            left_to_delete -= 1
            direct.remove(unanswered)

    def leave_one_out(request: httpx2.Request, real: httpx2.BaseTransport) -> httpx2.Response | None:
        if not request.url.path.endswith("/records"):
            return None
        body = json.loads(real.handle_request(request).read())
        return httpx2.Response(200, json={**body, "items": body["items"][:-1]})

    def pull(meddle: Any) -> None:
        with closing(Argilla(site.url, site.key, site.server.workspace, transport=Meddling(meddle))) as meddled:
            Campaign(folder, server=meddled).pull(full=True)

    pull(delete_behind_the_first_page)
    assert left_to_delete == 0
    assert {a.source["id"] for a in Campaign(folder).annotations()} == given
    before = Campaign(folder).annotations(history=True)
    with pytest.raises(UnexpectedReply):
        pull(leave_one_out)
    assert Campaign(folder).annotations(history=True) == before, "nothing counts as withdrawn"


@pytest.mark.live
@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("status", [404, 500])
def test_10_a_404_or_5xx_in_the_middle_of_a_pull_is_an_error_and_never_an_early_end(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(argilla_workspace, "PAGE_SIZE", 8)
    with FaultProxy(site.url) as proxy:
        folder = site.folder(tmp_path / "campaign", ROWS, url=proxy.url)
        Campaign(folder).push()
        ann = site.person("ann")
        ann.ensure(project_of(Campaign(folder)), create=False)
        given = {ann.annotate(key, {"rating": 5}) for key in KEYS}
        proxy.rule = in_turn(None, *[Reply(status)] * 20, path=r"/api/tasks/$|/records$")
        with pytest.raises(ServerError):
            Campaign(folder).pull()
        assert 0 < len(Campaign(folder).annotations()) < 12
        proxy.rule = in_turn()
        Campaign(folder).pull()
        assert {a.source["id"] for a in Campaign(folder).annotations()} == given


@pytest.mark.live
def test_11_another_project_under_a_reused_id_is_not_written_to_and_the_doctor_is_named(
    label_studio_site: Site, tmp_path: Path
) -> None:
    site = label_studio_site
    folder = site.folder(tmp_path / "campaign", ROWS)
    first = Campaign(folder).push().project
    server: Any = site.connect()
    server._http.request("DELETE", f"/api/projects/{first.id}/", what="delete the project")
    # As after a backup from before the project was put back: the next project gets its id.
    (database,) = (site.server.home / "data").glob("*.sqlite3")
    with closing(sqlite3.connect(database)) as restored, restored:
        restored.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'project'", (int(first.id) - 1,))
    elsewhere = site.folder(tmp_path / "elsewhere", ROWS[:2], title=Campaign(folder).config.project)
    second = Campaign(elsewhere).push().project
    assert second.id == first.id
    for command in (Campaign(folder).push, Campaign(folder).pull):
        with pytest.raises(OtherProject) as caught:
            command()
        assert "annobridge doctor" in caught.value.remedy
    assert [finding.kind for finding in Campaign(folder).doctor().findings] == ["other server"]
    server.ensure(project_of(Campaign(folder)), create=False)
    assert server.progress().records == 2
    assert Campaign(folder).doctor(rebuild=True).healthy
    assert (Campaign(folder).push().sent, server.progress().records) == (10, 12)


def test_11_a_backup_that_was_put_back_is_noticed_by_a_sample(folder: Folder) -> None:
    class Restored(MemoryServer):
        def find(self, keys: Iterable[str]) -> dict[str, list[Remote]]:
            return {
                key: [replace(remote, id=f"other {remote.id}") for remote in found]
                for key, found in super().find(keys).items()
            }

    server = Restored()
    folder.open(server).push()
    folder.clock.now += 86_400
    calls: list[str] = []
    listing = server.listing
    server.listing = lambda: calls.append("listing") or listing()  # type: ignore[method-assign, func-returns-value]
    folder.open(server).push()
    assert calls == ["listing"], "the same number of records, and yet the whole project was compared"


def test_12_a_record_that_was_deleted_leaves_a_tombstone_and_is_not_recreated_unless_asked_for(folder: Folder) -> None:
    server = MemoryServer(profile=LS)
    folder.open(server).push()
    answer(server, KEYS[:2])
    folder.open(server).pull()
    server.delete(server.find(KEYS[:1])[KEYS[0]][0].id)
    result = folder.open(server).pull()
    assert (result.gone, result.changes.withdrawn) == (KEYS[:1], 1)
    history = [(a.record, a.deleted) for a in folder.open(server).annotations(history=True)]
    assert history == [(KEYS[0], False), (KEYS[1], False), (KEYS[0], True)]
    again = folder.open(server).push()
    assert (again.sent, again.gone) == (0, KEYS[:1])
    assert KEYS[0] not in copies(server)
    assert folder.open(server).push(recreate=True).sent == 1
    assert copies(server) == ONCE


def test_13_a_changed_label_set_stops_what_sends_and_answers_are_kept_raw(folder: Folder) -> None:
    server = MemoryServer()
    text = (Path(__file__).parents[2] / "task_templates" / "label.yaml").read_text()
    (folder.path / "mine.yaml").write_text(text)
    folder.config(template="./mine.yaml")
    folder.rows({**row, "rating": None} for row in ROWS)
    folder.open(server).push()
    server.annotate(KEYS[0], "ann", {"label": "harmful"})
    server.annotate(KEYS[1], "ann", {"label": "label of another day"})
    result = folder.open(server).pull()
    assert [(problem["record"], problem["kind"]) for problem in result.problems] == [(KEYS[1], "invalid")]
    assert [dict(a.answers) for a in folder.open(server).annotations()] == [
        {"label": "harmful"},
        {"label": "label of another day"},
    ]
    (folder.path / "mine.yaml").write_text(text.replace(", harmful]", "]"))
    for command in ("push", "plan", "doctor"):
        with pytest.raises(Conflict, match="with other labels than the template"):
            getattr(folder.open(server), command)()
    again = folder.open(server).pull(full=True)
    assert again.changes.unchanged == 2
    assert folder.open(server).status().progress.answered == 2
    problems = folder.open(server).merge().problems
    assert {problem.reason for problem in problems} == {
        "label: 'harmful' is not one of its labels",
        "label: 'label of another day' is not one of its labels",
    }

    folder.config(template="rating")
    for command in ("push", "pull", "plan", "status"):
        with pytest.raises(Conflict, match="another template or another version"):
            getattr(folder.open(server), command)()


def test_14_what_was_edited_withdrawn_or_discarded_after_the_pull_is_a_new_revision_and_names_exported_rows(
    folder: Folder,
) -> None:
    server = MemoryServer()
    folder.open(server).push()
    answer(server, KEYS[:4])
    folder.open(server).pull()
    folder.open(server).export()
    answer(server, KEYS[:1], rating=1)
    server.withdraw(KEYS[1], "ann")
    server.annotate(KEYS[2], "ann", {}, status="discarded")
    result = folder.open(server).pull()
    assert (result.changes.edited, result.changes.withdrawn) == (2, 1)
    assert {Path(part["file"]).name: part["lines"] for part in result.exported} == {
        "sft.conversational.jsonl": [1, 2, 3],
        "sft.plain.jsonl": [1, 2, 3],
    }
    revisions = {a.record: a.revision for a in folder.open(server).annotations(history=True)}
    assert revisions == {KEYS[0]: 2, KEYS[1]: 2, KEYS[2]: 2, KEYS[3]: 1}


def test_15_a_text_that_changed_after_answers_is_refused_or_its_answers_are_stale(folder: Folder) -> None:
    server = MemoryServer(profile=ARGILLA)
    folder.open(server).push()
    answer(server, KEYS[:2])
    folder.rows([{**ROWS[0], "response": "another"}, *ROWS[1:]])
    refused = folder.open(server).push()
    assert (refused.changed, refused.complete) == (KEYS[:1], False)
    assert folder.open(server).push(on_change="stale").updated == 1
    folder.open(server).pull()
    counted = {m.record: m.answers["rating"].n for m in folder.open(server).merge().kept if m.answers}
    assert (counted.get(KEYS[0], 0), counted[KEYS[1]]) == (0, 1)


def test_16_people_keep_their_pseudonyms_only_submitted_answers_count_and_a_skip_abstains(folder: Folder) -> None:
    server = MemoryServer()
    folder.open(server).push()
    answer(server, KEYS[:1], who="ann")
    server.annotate(KEYS[0], "bob", {"rating": 1}, status="draft")
    server.annotate(KEYS[0], "cem", {"rating": 1}, status="discarded")
    folder.open(server).pull()
    answer(server, KEYS[1:2], who="ann")
    server.withdraw(KEYS[0], "bob")  # whoever deletes an account deletes what it has begun
    folder.open(server).pull()
    assert sorted(folder.open(server).people().values()) == ["ann", "bob", "cem"]
    newest = folder.open(server).annotations()
    assert len({a.annotator for a in newest if a.record in KEYS[:2] and a.answers.get("rating") == 5}) == 1
    merged = {m.record: m for m in folder.open(server).merge().kept}
    assert (merged[KEYS[0]].answers["rating"].value, merged[KEYS[0]].answers["rating"].n) == (5, 1)


def test_17_nothing_rests_on_webhooks_so_a_lost_one_loses_nothing_and_a_forged_one_does_nothing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen(*args: object) -> None:
        raise AssertionError("nobody can tell us anything")

    monkeypatch.setattr(socket.socket, "bind", listen)
    monkeypatch.setattr(socket.socket, "listen", listen)
    server = MemoryServer()
    folder.open(server).push()
    for rating in (1, 2, 3):  # nobody was told of the first two
        answer(server, KEYS, rating=rating)
    folder.open(server).pull()
    assert {a.record: a.answers["rating"] for a in folder.open(server).annotations()} == dict.fromkeys(KEYS, 3)


@pytest.mark.parametrize("profile", [LS, ARGILLA])
def test_18_a_poison_record_is_found_by_halving_its_siblings_land_and_it_is_in_the_reject_file(
    folder: Folder, profile: Profile
) -> None:
    server = MemoryServer(profile=profile)
    result = folder.open(FaultyServer(server, poison=lambda key: key == KEYS[5])).push()
    assert copies(server) == {key: 1 for key in KEYS if key != KEYS[5]}
    assert [reject.key for reject in result.rejected] == [KEYS[5]]
    assert [(line["key"], bool(line["reason"])) for line in folder.lines("rejects.jsonl")] == [(KEYS[5], True)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('"' + "x" * 1_000_001 + '"', "1,000,001 characters"),
        (r'"a\u0000b"', "NUL"),
        (r'"\ud83d"', "half of a surrogate pair"),
        ("NaN", "NaN is not a JSON value"),
        ("1e999", "number"),
        ('{"$binary": "AAAA"}', ""),
    ],
)
def test_19_huge_nul_surrogate_nan_and_binary_values_are_rejected_before_anything_is_sent(
    folder: Folder, text: str, why: str
) -> None:
    server = MemoryServer()
    with (folder.path / "records.jsonl").open("a") as file:
        file.write(f'{{"id": "bad", "prompt": "p", "response": {text}}}\n')
    calls = Calls(server)
    result = folder.open(calls).push()
    assert [reject.line for reject in result.rejected] == [13]
    assert why in result.rejected[0].reason
    assert "bad" not in [key for _, keys in calls.made for key in keys]
    assert copies(server) == ONCE


@pytest.mark.live
@pytest.mark.parametrize("field", ["prompt", "response"])
def test_20_invisible_characters_that_change_the_order_of_others_are_flagged(folder: Folder, field: str) -> None:
    plain = {"prompt": "שלום 😀", "response": "x"}
    folder.rows([{"id": "plain", **plain}, {"id": "odd", **plain, field: "a \u202eb\u202c c"}])
    campaign = folder.open(MemoryServer())
    for result in (campaign.check(), campaign.push()):
        assert (result.reordered, result.to_dict()["reordered"]) == (["odd"], ["odd"])


def test_20_rtl_bidi_emoji_and_combining_text_round_trip_to_the_byte(site: Site, tmp_path: Path) -> None:
    folder = site.folder(tmp_path / "campaign", [{"id": "odd", "prompt": ODD, "response": ODD}], template="rewrite")
    Campaign(folder).push()
    server: Any = site.connect()
    server.ensure(project_of(Campaign(folder)), create=False)
    if site.kind == "label-studio":
        (task,) = server._tasks([], "id,data")
        shown = {name: task["data"][name] for name in ("prompt", "response")}
    else:
        ((_, record),) = server._look_up(["odd"])
        shown = {name: original_fields(record["fields"])[name] for name in ("prompt", "response")}
    assert shown == {"prompt": ODD, "response": ODD}
    ann = site.person("ann")
    ann.ensure(project_of(Campaign(folder)), create=False)
    ann.annotate("odd", {"improved_response": ODD[::-1]})
    Campaign(folder).pull()
    assert [dict(a.answers) for a in Campaign(folder).annotations()] == [{"improved_response": ODD[::-1]}]


HOSTILE = """
version: 1
name: hostile
title: '</Header><Choices name="x" toName="prompt"/>'
description: d
guidelines: '<script>alert(1)</script>'
fields:
  - {name: prompt, title: '"/><HyperText name="h" value="$prompt"/>'}
  - {name: response, title: '$response <img src=x onerror=alert(1)>'}
questions:
  - name: label
    type: label
    title: '&lt;!DOCTYPE x&gt; ]]>'
    options: ['good"/><Choice value="bad', '<b>', '&amp;']
"""


def test_21_labels_and_titles_are_never_xml_and_no_document_type_is_read(tmp_path: Path) -> None:
    (tmp_path / "hostile.yaml").write_text(HOSTILE)
    template = load_template(tmp_path / "hostile.yaml")
    layout = read_config(label_config(template))
    assert [part["name"] for part in layout.shape.fields] == ["prompt", "response"]
    assert {name for name, control in layout.controls.items()} == {"label"}
    (options,) = (control.body["options"] for control in layout.controls.values())
    assert len(options) == 3
    with pytest.raises(InputError, match="document type"):
        read_config('<!DOCTYPE v [<!ENTITY a "aa">]><View><Text name="t" value="$a"/></View>')


def test_22_fields_are_plain_text_on_both_servers_whatever_they_hold(tmp_path: Path) -> None:
    for name in template_names():
        template = load_template(name)
        config = label_config(template, repeats=3)
        assert not re.search(r"<(HyperText|Image|Video|Audio|Markdown)\b", config), name
        for field in fields_of(template, repeats=3):
            assert field["settings"]["type"] in ("text", "chat"), "and never a custom field, which is HTML"
            assert field["settings"]["use_markdown"] is False
    assert original_fields({"a": "&lt;img src=x onerror=alert(1)&gt;"}) == {"a": "<img src=x onerror=alert(1)>"}


@pytest.mark.live
def test_23_the_key_is_in_no_log_error_ledger_or_manifest(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    with FaultProxy(site.url) as proxy:
        folder = site.folder(tmp_path / "campaign", ROWS[:2], url=proxy.url)
        ann = site.person("ann")
        for step, *command in (
            ("", "push"),
            ("answer", "pull"),
            ("", "export"),
            ("", "status", "--json"),
            ("", "doctor"),
            ("break", "push"),
            ("break", "pull", "--json"),
        ):
            if step == "answer":
                ann.ensure(project_of(Campaign(folder)), create=False)
                ann.annotate(KEYS[0], {"rating": 5})
            if step == "break":
                proxy.rule = lambda request: Reply(403)
            with suppress(SystemExit):
                main([*command, "-C", str(folder)], prog_name="annobridge")
    said = capsys.readouterr()
    assert "403" in said.err
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"manifest" in written
    for text in (said.out, said.err, caplog.text, written.decode(errors="replace"), f"{site.key} {site.key!r}"):
        assert site.key.reveal() not in text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_24_no_redirect_is_followed_and_the_key_goes_to_no_look_alike_host(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def elsewhere(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(status, headers={"Location": "http://127.0.0.1:2/"})

    with (
        closing(
            LabelStudio("http://127.0.0.1:1", Secret("k" * 40), transport=httpx2.MockTransport(elsewhere))
        ) as server,
        pytest.raises(UnexpectedReply, match="a key is never sent after a redirect"),
    ):
        server.people()
    assert len(asked) == 1

    monkeypatch.setenv("ANNOBRIDGE_CONFIG_DIR", str(tmp_path / "config"))
    save_key("https://labels.example.org", Secret("secret"))
    assert find_key("https://LABELS.example.org:443/path").reveal() == "secret"
    for look_alike in (
        "http://labels.example.org",
        "https://labels.example.org:8443",
        "https://labels.example.org.evil.example",
        "https://labels-example.org",
    ):
        with pytest.raises(ConfigError):
            find_key(look_alike)
    with pytest.raises(BridgeError):
        check_transport("http://labels.example.org")
    check_transport("http://127.0.0.1:8080")


def test_25_no_address_in_a_record_is_ever_fetched(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    url = "http://127.0.0.1:9/x.png"
    folder.rows({**row, "prompt": url, "response": f"![]({url}) s3://bucket/x {n}"} for n, row in enumerate(ROWS))
    server = MemoryServer()
    folder.open(server).push()
    answer(server, KEYS)
    folder.open(server).pull()
    (result,) = folder.open(server).export()
    assert result.kept == 12


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch hacked']",
        "{version: 1, name: x, questions: [!include /etc/passwd]}",
        "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]",
        "[" * 50 + "]" * 50,
        "x" * 300_000,
        "{version: 1, name: x, run: 'rm -rf /'}",
        "guidelines: {file: /etc/passwd}",
        "",
    ],
    ids=["code", "include", "aliases", "depth", "size", "extra key", "file", "nothing"],
)
def test_26_a_malicious_template_is_an_error_and_does_nothing(folder: Folder, text: str) -> None:
    (folder.path / "evil.yaml").write_text(text)
    before = sorted(path.name for path in folder.path.iterdir())
    with pytest.raises(TemplateError, match=r"evil\.yaml"):
        load_template(folder.path / "evil.yaml")
    assert sorted(path.name for path in folder.path.iterdir()) == before


def test_27_no_name_leads_out_of_the_folder_and_no_link_is_followed(folder: Folder) -> None:
    server = MemoryServer()
    names = ["../../outside", "/etc/passwd", "CON", "nul.txt", "a/../../b", "~root"]
    folder.rows({**row, "id": name} for row, name in zip(ROWS, names, strict=False))
    folder.config(project="../../outside")
    folder.open(server).push()
    for name in names:
        server.annotate(name, "../ann", {"rating": 5})
    folder.open(server).pull()
    outside = folder.path.parent / f"outside {folder.path.name}"
    outside.write_text("somebody else's")
    (folder.path / "out").mkdir(exist_ok=True)
    (folder.path / "out" / "sft.plain.jsonl").symlink_to(outside)
    folder.open(server).export()
    assert outside.read_text() == "somebody else's"
    assert not (folder.path / "out" / "sft.plain.jsonl").is_symlink()
    assert sorted(path.name for path in (folder.path / "out").iterdir()) == [
        "dataset_info.json",
        "merged.jsonl",
        "sft.conversational.jsonl",
        "sft.conversational.trl.yaml",
        "sft.dropped.jsonl",
        "sft.manifest.json",
        "sft.plain.axolotl.yaml",
        "sft.plain.jsonl",
        "sft.plain.trl.yaml",
    ]
    for bad in ("../x", "/etc/passwd", "sft/../../x", ""):
        with pytest.raises(UsageError):
            folder.open(server).export(kinds=[bad])
        with pytest.raises(UsageError):
            folder.open(server).export(formats=[bad])


def test_28_cells_that_are_formulas_stay_as_they_are_in_jsonl_and_no_csv_is_written(folder: Folder) -> None:
    formula = '=HYPERLINK("http://127.0.0.1/?"&A1)'
    folder.rows({**row, "response": formula + str(n)} for n, row in enumerate(ROWS))
    server = MemoryServer()
    folder.open(server).push()
    answer(server, KEYS)
    folder.open(server).pull()
    folder.open(server).export()
    assert [line["completion"] for line in folder.lines("sft.plain.jsonl")] == [f"{formula}{n}" for n in range(12)]
    assert [path for path in folder.path.rglob("*") if path.suffix in (".csv", ".tsv", ".xlsx")] == []


@pytest.mark.parametrize("damage", ["corrupt", "newer"])
def test_29_a_corrupt_or_newer_ledger_is_refused_and_made_anew_from_the_server(folder: Folder, damage: str) -> None:
    server = MemoryServer(profile=LS)
    folder.open(server).push()
    answer(server, KEYS)
    folder.open(server).pull()
    if damage == "corrupt":
        folder.ledger.write_bytes(folder.ledger.read_bytes()[:5000])
    else:
        with closing(sqlite3.connect(folder.ledger)) as ledger:
            ledger.execute("PRAGMA user_version = 99")
    for command in ("push", "pull", "plan"):
        with pytest.raises(LedgerError) as caught:
            getattr(folder.open(server), command)()
        assert "annobridge doctor --rebuild" in caught.value.remedy
    assert folder.open(server).doctor(rebuild=True).healthy
    assert folder.open(server).push().sent == 0
    assert folder.open(server).pull().changes.new == 0
    assert len(folder.open(server).annotations(history=True)) == 12
