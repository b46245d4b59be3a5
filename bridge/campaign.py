"""A campaign: one folder, one ``campaign.yaml``, and the whole loop. The only place that knows all stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from bridge.adjudication import FOLDER, AdjudicationResult, Answers, decided_records, prepare, title
from bridge.annotations import newest
from bridge.campaign_releases import CampaignReleases
from bridge.config import FILE_NAME, ServerConfig
from bridge.errors import InputError, LedgerError, NotFound, OtherProject, UsageError
from bridge.exporting.affected import affected
from bridge.files import write_lines, write_text
from bridge.last_push import LastPush, forget
from bridge.migration import MigrationResult, Side, migrate, moved
from bridge.problems import PROBLEMS, check_changed
from bridge.results import StatusResult, per_person
from bridge.servers.protocol import Project, Server
from bridge.sync.doctor import Diagnosis, examine, other_server
from bridge.sync.doctor import repair as carry_out
from bridge.sync.ledger import Ledger, set_aside
from bridge.sync.pace import pace
from bridge.sync.plan import OnChange, PlanResult, plan
from bridge.sync.pull import PullResult, pull, usable
from bridge.sync.push import Settled, push
from bridge.sync.push_result import PushResult
from bridge.sync.reconcile import reconcile, survey, take_over
from bridge.sync.target import Target

KEEP = 10_000
"""A file of no more records than this is read once for a push; a longer one twice, so that memory stays bounded."""


class Campaign(CampaignReleases):
    """The loop in Python, by the same names as on the command line.

    Args:
        folder: the campaign's folder, with its ``campaign.yaml``.
        flags: values that win over the file, nested as in it.
        server: a server to use instead of the one that the file names (for tests).

    Raises:
        ConfigError, TemplateError: the file or the template is wrong.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "records.jsonl").write_text('{"prompt": "2 + 2?", "response": "4"}')
    >>> _ = (folder / "campaign.yaml").write_text(
    ...     "{project: Sums, server: {kind: memory}, records: records.jsonl, template: rating}")
    >>> Campaign(folder).push().sent
    1
    """

    def plan(self, *, on_change: OnChange | None = None, recreate: bool = False) -> PlanResult:
        """What a push would do with each record, and what it would cost; nothing is written to the server.

        Args:
            on_change: what a push would do with records whose text changed after people answered it.
            recreate: whether it would send again what somebody deleted there.

        Raises:
            InputError: the file cannot be read.
            ServerError: the server cannot be asked.
        """
        project = self._project()
        reader = self._rows(raw=True)
        with self.state.alone("plan") as ledger, self._connected(project) as server:
            remote, target = self._compared(ledger, server, project)
            curated = self._curated(reader, ledger)
            mixed, records = self._among(curated)
            counted = self._counted(records)
            result = plan(server, target, counted, on_change=on_change, recreate=recreate)
            result.project = remote
        result.curate = curated.counts()
        result.rejected, result.left_out = reader.rejects, reader.left_out
        result.controls, result.controls_missing = mixed.controls, mixed.missing
        result.conflicts, result.gone, result.unknown = map(
            self._named, (result.conflicts, result.gone, result.unknown)
        )
        return result

    def _compared(self, ledger: Ledger, server: Server, project: Project) -> tuple[str, Target | None]:
        """The project's id, and what the ledger knows of it once it holds what the server holds; nothing where there is
        no project yet."""
        try:
            remote = server.ensure(project, create=False)
        except NotFound:
            return "", None
        target = ledger.target(*self._place, remote)
        self._note_presentation(ledger)
        reconcile(server, target, remote)
        return remote.id, target

    def push(self, *, on_change: OnChange | None = None, recreate: bool = False) -> PushResult:
        """Send the records that the server does not have yet.

        The whole file is read and checked first, so that a broken file sends nothing at all.

        Args:
            on_change: what becomes of records whose text changed after people answered it: ``new`` sends them as
                other records, ``stale`` shows the new text and no longer counts those answers, ``keep`` leaves them.
                By default nothing is done with them, and they are named.
            recreate: send again what somebody deleted on the server.

        Raises:
            InputError: the file cannot be read.
            Held: somebody else is at work in this folder.
            ServerError: the server cannot be used; run it again, nothing is sent twice.
        """
        inputs = self._fingerprint()
        last = self._last_push(inputs)
        checked = self._check(keep=KEEP) if last is None else last.checked()
        self._write_rejects(checked.rejects)
        project = self._project(checked.repeats)
        with self.state.alone("push") as ledger, self._connected(project) as server:
            if last is None:
                forget(ledger)
            if self.curation.chooses:
                # What people have already must be known, or a later record could take its place.
                self._compared(ledger, server, project)
            curated = self._curated(self._rows(raw=True) if checked.kept is None else checked.kept, ledger)
            mixed, records = self._among(curated)
            with curated.remembered():
                result = push(
                    server,
                    project,
                    records,
                    ledger=ledger,
                    place=self._place,
                    on_change=on_change,
                    recreate=recreate,
                    settled=Settled(last.rows, last.records) if last else None,
                    tick=lambda done: self._progress("pushing", done, max(done, checked.records + mixed.controls)),
                )
            self._note_presentation(ledger)
            result.curate = curated.counts()
            if last and not curated.begun:
                result.controls, result.controls_missing = last.controls, last.controls_missing
            else:
                result.controls, result.controls_missing = mixed.controls, mixed.missing
                if inputs and result.settled and self._fingerprint() == inputs:
                    LastPush.of(result, checked, inputs).remember(ledger)
        result.changed, result.gone, result.doubled, result.unknown = map(
            self._named, (result.changed, result.gone, result.doubled, result.unknown)
        )
        names = self._named(reject.key for reject in result.rejected)
        refused = [replace(reject, key=name) for reject, name in zip(result.rejected, names, strict=True)]
        result.rejected = [*checked.rejects, *refused]
        result.left_out, result.reordered = checked.left_out, checked.reordered
        if refused:
            self._write_rejects(result.rejected)
        return result

    def pull(self, *, full: bool = False) -> PullResult:
        """Bring every annotator's answers into the campaign's store, and check those that are new.

        The linked campaign's too, where there is one, into its own.

        Answers that cannot count, or that lack something they need, are listed in ``out/problems.jsonl``.

        Args:
            full: sweep everything instead of what changed since the last pull.

        Raises:
            NotFound: nothing was pushed yet.
            Held: somebody else is at work in this folder.
            ServerError: the sweep broke off; run it again.
        """
        project = replace(self._project(), other_labels=True)
        with self.state.alone("pull") as ledger, self._connected(project) as server:
            remote = server.ensure(project, create=False)
            target = ledger.target(*self._place, remote, use=True)
            self._note_presentation(ledger)
            gone: list[str] = []
            if remote.records is not None and remote.records < target.count("sent") + target.extra:
                # Records were deleted there, which no list of changes tells.
                gone, full = take_over(target, survey(server, target)).gone, True
            feedback = self._feedback((self.config.server.kind, remote.id), ledger)
            result = pull(
                server,
                remote.id,
                feedback,
                self._side(project).people,
                cursor="" if full else usable(target.cursor, self.state.clock.time()),
                tick=lambda done: self._progress("pulling", done, 0),
                ledger=ledger,
            )
            target.pulled(result.cursor)
            result.gone = self._named(gone)
            if result.records:
                answers, lost = self._undone(newest(feedback.of(result.records)))
                result.records = [*dict.fromkeys(answer.record for answer in answers)]
                result.problems = check_changed(
                    answers,
                    self.template,
                    lambda keys: chain(self.records(keys), self._controls_there().records),
                    self.out / PROBLEMS,
                    self.config.merge.labels,
                    lost,
                )
                result.exported = affected(self._exported_to(ledger), result.records)
        linked = self.adjudication
        if linked is not None and linked.state.last():
            self._lend_pseudonyms(linked)
            result.adjudication = linked.pull(full=full)
            changed = {*result.records, *decided_records(linked, result.adjudication.records)}
            with self.state.reading() as ledger:
                result.exported = affected(self._exported_to(ledger), changed)
        return result

    def status(self) -> StatusResult:
        """Counts from the server, and what is known from the last pull."""
        project = replace(self._project(), other_labels=True)
        with self._connected(project) as server:
            remote = server.ensure(project, create=False)
            progress = server.progress()
        with self.state.reading() as ledger:
            target = ledger.target(*self._place, remote) if ledger.path else None
            if target:
                self._note_presentation(ledger)
            unsettled = target.count("sending", "unknown") if target else 0
            last_pull, pulled_at = (target.cursor, target.pulled_at) if target else (None, None)
            busy, since = ledger.holder() or ("", 0)
        annotations = self._stored()
        given = [a.updated_at for a in annotations if a.status == "submitted" and not a.deleted]
        left = progress.records * self.config.annotators_per_record - len(given)
        result = StatusResult(
            remote,
            progress,
            per_person(annotations),
            last_pull.split(" ")[0] if last_pull else last_pull,
            pulled_at,
            self._unresolved(),
            pace(given, left, datetime.fromtimestamp(self.state.clock.time(), UTC)),
            unsettled,
            f"{busy}, since {since:.0f} s" if busy else "",
        )
        linked = self.adjudication
        if linked is not None:
            with suppress(NotFound):  # it is still to be pushed
                result.adjudication = linked.status()
        return result

    def _unresolved(self) -> int:
        with suppress(InputError):  # the file may be elsewhere today
            return len({case.record for case in self._merged(self.records()).unresolved})
        return 0

    def doctor(self, *, repair: bool = False, rebuild: bool = False) -> Diagnosis:
        """Compare the ledger with the server and its search index.

        Args:
            repair: carry out the repairs that the findings name.
            rebuild: make the ledger anew from the server first; one that cannot be used stays as
                ``ledger.before-rebuild.db``.

        Raises:
            NotFound: nothing was pushed yet.
            LedgerError: the ledger cannot be used, and ``rebuild`` was not asked for.
            ServerError: the server cannot be listed.
        """
        project = self._project()
        if rebuild:
            self._set_aside_if_unusable()
        suggested: dict[str, str] = {}
        with suppress(InputError):  # the file may be elsewhere today
            for record in self.shown():
                if record.suggestions or self.template.prefilled(record):
                    suggested[record.key] = record.content
        with self.state.alone("doctor") as ledger, self._connected(project) as server:
            remote = server.ensure(project, create=False)
            if rebuild:
                found = survey(server)
                target = ledger.rebuilt(*self._place, remote)
                self._feedback(ledger=ledger)
                take_over(target, found)
            try:
                target = ledger.target(*self._place, remote)
            except OtherProject as error:
                return other_server(error)
            self._note_presentation(ledger)
            diagnosis, found = examine(server, target, suggested)
            if repair and any(finding.mendable for finding in diagnosis.findings):
                # Bringing the project up to date mends its search index too.
                server.ensure(self._project(self.check().repeats), create=True)
                carry_out(server, target, diagnosis, found, self.shown())
                diagnosis = replace(examine(server, target, suggested)[0], repaired=diagnosis.repaired)
            if rebuild:
                diagnosis.repaired.insert(0, "made the ledger anew from the server")
        diagnosis.findings = [replace(found, keys=tuple(self._named(found.keys))) for found in diagnosis.findings]
        return diagnosis

    def _set_aside_if_unusable(self) -> None:
        try:
            with self.state.reading() as ledger:
                ledger.verify()
        except LedgerError:
            set_aside(self.state.path)

    def adjudicate(
        self,
        *,
        answers: Answers | None = None,
        questions: Sequence[str] = (),
        annotators_per_record: int | None = None,
        no_quorum: bool = False,
    ) -> AdjudicationResult:
        """Push the records that people do not agree on as a linked campaign, for others to decide.

        It lies in ``adjudication/`` and is a campaign of its own; ``pull`` brings its answers too, and ``merge`` and
        ``export`` use them. Running it again adds what became unresolved since, and changes nothing that is there.

        Args:
            answers: ``hidden``, or ``shown`` without names; fixed by the first run, and hidden if nothing is said.
            questions: names of those to decide; all by default, and likewise fixed.
            annotators_per_record: how many people decide on each record; 1 by default.
            no_quorum: also what too few people answered.

        Raises:
            UsageError: a question that the template does not have, or another choice than that of the first run.
            Held: somebody else is at work in this folder.
            ServerError: the server cannot be used; run it again, nothing is sent twice.
        """
        if self.folder.resolve().name == FOLDER and (self.folder.resolve().parent / FILE_NAME).exists():
            raise UsageError(
                f"{self.folder}: this is an adjudication already",
                remedy="let more people decide: annobridge adjudicate -C .. --annotators-per-record 3",
            )
        records = list(self._counted(self.records()))
        merged = self._merge(records)

        def title_there() -> str:
            with self._connected(self._project()) as server:
                return title(self.config.project, server.capabilities.title_length[1])

        with self.state.alone("adjudicate"):
            result = prepare(
                self,
                self.adjudication,
                records,
                merged,
                title=title_there,
                answers=answers,
                questions=questions,
                annotators_per_record=annotators_per_record,
                no_quorum=no_quorum,
            )
        linked = self.adjudication
        if linked is not None:
            self._lend_pseudonyms(linked)
            # Not every server can show longer records later than those that its project began with.
            repeats = max((self.template.repeats(record.fields) for record in records), default=0)
            if repeats:
                with linked._connected(linked._project(repeats)) as server:
                    server.ensure(linked._project(repeats), create=True)
            result.pushed = linked.push()
        return result

    def _lend_pseudonyms(self, linked: Campaign) -> None:
        self._side(self._project()).people.lend(linked._side(linked._project()).people)

    def migrate(
        self,
        to: ServerConfig | Mapping[str, Any],
        *,
        project: str = "",
        annotators: Mapping[str, str] | None = None,
        create_annotators: bool = False,
        server: Server | None = None,
    ) -> MigrationResult:
        """Move to another server with records, suggestions and answers; ``campaign.yaml`` then names that one.

        What is not there as it was is in ``out/migration.jsonl``. Nothing is deleted on the old server, and the old
        file stays as ``campaign.before-migration.yaml``. A run that broke off is simply run again.

        Args:
            to: the new server, as in ``campaign.yaml``.
            project: what the project is called there; by default as now.
            annotators: names on the old server to names on the new one; other people keep their names.
            create_annotators: make accounts for people whom the new server does not know.
            server: a server to use instead of the one that ``to`` names (for tests).

        Raises:
            UsageError: it cannot carry the template, or does not know these people; nothing was written.
            ServerError: one of the servers cannot be used; run it again.

        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "records.jsonl").write_text('{"prompt": "2 + 2?", "response": "4"}')
        >>> _ = (folder / "campaign.yaml").write_text(
        ...     "{project: Sums, server: {kind: memory}, records: records.jsonl, template: rating}")
        >>> campaign = Campaign(folder)
        >>> campaign.push().sent, campaign.migrate({"kind": "memory"}, project="Sums again").pushed.sent
        (1, 1)
        >>> Campaign(folder).config.project
        'Sums again'
        """
        path = self.folder / FILE_NAME
        before = path.read_text(encoding="utf-8")
        after, config = moved(before, str(path), to, project or self.config.project)
        self._check_presentation()
        old, checked = self._side(self._project()), self.check()
        title = replace(self._project(checked.repeats), title=config.project)
        new = Side(config.server, title, self.state.folder, server)
        if (new.config, title.title) == (old.config, old.project.title) and not old.adopted:
            with old.opened() as there:
                remote = there.ensure(old.project, create=False)
            return MigrationResult(remote, PushResult(remote), nothing_to_do=True)
        with self.state.alone("migrate") as ledger:
            left_out = self._left_out(ledger)
            result = migrate(
                old,
                new,
                list(self.shown(left_out)),
                self.state.folder / "feedback.jsonl",
                ledger=ledger,
                quorum=self.config.merge.quorum,
                annotators=annotators,
                create_annotators=create_annotators,
                tell=self._progress,
            )
            write_lines(self.out / "migration.jsonl", [finding.to_dict() for finding in result.findings])
            # The next pull sweeps everything: what is written for others does not move every server's clock.
            moved_to = {"server": new.config.kind, "origin": new.origin, "project": result.project.id}
            self.state.remember(ledger, moved_to, "")
            write_text(self.folder / "campaign.before-migration.yaml", before)
            write_text(path, after)
            self.state.settle()
        self.config, self._server = config, server
        return result
