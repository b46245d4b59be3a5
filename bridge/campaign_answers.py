"""What a campaign's answers come to: merged, compared, settled and exported. No server is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bridge.adjudication import FOLDER, decided, settled
from bridge.campaign_folder import CampaignFolder
from bridge.config import FILE_NAME
from bridge.curating import BeforeExport, done_before_push
from bridge.errors import UsageError
from bridge.exporting import KINDS, Container, ExportResult, Kind, Splitter, export_all, splitter, strata
from bridge.exporting.formats.chat_template import load_chat_template
from bridge.exporting.gates import Gates
from bridge.exporting.shaping import shaping
from bridge.merging import MergeResult, merge
from bridge.presenting import Evidence
from bridge.presenting.anchoring import compared
from bridge.presenting.blind import winners
from bridge.presenting.controls import NOT_WEIGHED, judged, weights
from bridge.problems import with_lost, write_merged
from bridge.records import Record

if TYPE_CHECKING:
    from bridge.merging.agreement import Agreement  # it loads numpy, which no other command waits for

SPLITS = "splits.jsonl"
"""Of ``.annobridge/``: which split each record and prompt was put into."""


class CampaignAnswers(CampaignFolder):
    """The second half of the loop; :class:`bridge.campaign.Campaign` has all of it."""

    def merge(self) -> MergeResult:
        """Merge the answers; writes ``out/merged.jsonl`` and, for answers that cannot count, ``out/problems.jsonl``."""
        return self._merge(self._counted(self.records()))

    def _merge(self, records: Iterable[Record]) -> MergeResult:
        result = self._merged(records)
        write_merged(result, self.out / "merged.jsonl")
        return result

    def _merged(self, records: Iterable[Record]) -> MergeResult:
        """Everybody's answers as one, and where people do not agree, what adjudicators decided."""
        everything, lost = self._undone(self._stored())
        annotations, settings = self._without_controls(everything), self._merging()
        if self.config.merge.weights == "controls":
            right = judged(self._controls_there(), everything, self.template)
            settings["weights"] = weights(right, {annotation.annotator for annotation in annotations})
        linked = self.adjudication
        known = list(records) if linked else records
        result = merge(annotations, self.template, known, **settings)
        result = replace(result, problems=with_lost(result.problems, lost)) if lost else result
        if self.config.merge.weights == "controls" and not settings["weights"] and annotations:
            result.warnings.append(NOT_WEIGHED)
        return settled(linked, result, self.template, list(known), settings) if linked else result

    def evidence(self) -> Evidence:
        """What controls, blind order and hidden suggestions tell of those who answered, as single cases.

        Raises:
            ConfigError, InputError: as :meth:`annotations`.
        """
        everything, _ = self._undone(self._stored())
        ours = self._without_controls(everything)
        suggested = (record for record in self.records() if record.suggestions) if self.presentation.hiding else ()
        return Evidence(
            judged(self._controls_there(), everything, self.template),
            list(winners(ours, self.template)),
            list(compared(ours, {record.key: record for record in suggested}, self.template)),
        )

    def agreement(self, *, seed: int = 0) -> Agreement:
        """How far people agree, what each of them is like, and what is doubtful.

        Args:
            seed: of the samples that intervals rest on.

        Raises:
            InputError: the records cannot be read.
        """
        return self._agreement(self.records(), seed)

    def _agreement(self, records: Iterable[Record], seed: int = 0) -> Agreement:
        from bridge.merging.agreement import agreement, anchoring, control_scores, position_bias

        evidence = self.evidence()
        return agreement(
            self.annotations(),
            self.template,
            records,
            labels=self.config.merge.labels,
            seed=seed,
            controls=control_scores(evidence.right),
            positions=position_bias(evidence.won),
            anchorings=anchoring(evidence.compared),
        )

    @property
    def adjudication(self) -> Self | None:
        """The linked campaign, in which others decide what people do not agree on; None where there is none."""
        folder = self.folder / FOLDER
        if not (folder / FILE_NAME).exists():
            return None
        return type(self)(folder, server=self._server, progress=self._progress)

    def export(
        self, kinds: Sequence[str] = (), formats: Sequence[str] = (), out: str | Path | None = None
    ) -> list[ExportResult]:
        """Merge, then write training sets.

        Args:
            kinds: ``sft``, ``dpo``, ``kto`` or ``reward``; by default what ``campaign.yaml`` says.
            formats: names of :data:`bridge.exporting.FORMATS`; likewise.
            out: the folder; by default the campaign's ``out/``.

        Of several kinds, one may stay empty: its result has no files, and its manifest says why.

        Raises:
            ExportError: no row can be made; nothing was written.
        """
        folder = Path(out) if out else self.out
        results, _ = self._export(kinds, formats, folder, self.config.exports.files, review=folder)
        self._remember_export(folder)
        return results

    def _export(
        self,
        kinds: Sequence[str],
        formats: Sequence[str],
        folder: Path,
        files: Sequence[Container],
        *,
        review: Path,
        split: Callable[[Splitter | None], Splitter | None] = lambda usual: usual,
    ) -> tuple[list[ExportResult], Agreement]:
        """Training sets in a folder, and how far people agree.

        Args:
            kinds, formats: as for :meth:`export`.
            folder: the place.
            files: how rows are written.
            review: the folder for what a person should look at in the rows.
            split: what gives the rows their splits, made of what usually does.
        """
        asked = self.config.exports
        records = list(self._counted(self.records()))
        merged = self._merge(records)
        agreement = self._agreement(records)
        doubts = [*merged.warnings, *agreement.warnings]
        with self.state.reading() as ledger:
            before_push = done_before_push(ledger)
        curate = BeforeExport(self._curation(self.config.curate.before_export), records, before_push)
        gates = Gates(asked.gates, records, folder=self.folder)
        results = export_all(
            [export_kind(kind) for kind in kinds or self.config.exports.to],
            records,
            merged.kept,
            self.template,
            folder,
            tuple(formats or self.config.exports.formats),
            self.annotations(),
            merge_rule=merged.rule,
            warnings=[doubt for number, doubt in enumerate(doubts) if doubt not in doubts[:number]],
            adjudications=decided(self.adjudication) if self.adjudication else (),
            sieves=[*shaping(reasoning=asked.reasoning, system=asked.system), curate, gates],
            split=split(self._splitter(records)),
            files=files,
            seed=self.config.exports.seed,
            origin=self._origin(),
            chat_template=load_chat_template(self.folder / asked.chat_template) if asked.chat_template else None,
            choices=self.config.exports.model_dump(mode="json"),
        )
        curate.write(review)
        return results, agreement

    def _splitter(self, records: Iterable[Record]) -> Splitter | None:
        """What gives rows their splits; who was on which side cannot be made again, so it is kept with the answers."""
        config = self.config.exports.splits
        if config is None:
            return None
        training = self.template.training
        return splitter(
            self.state.folder / SPLITS,
            config,
            strata=strata(records, config.stratify) if config.stratify else None,
            instruction=training.instruction.strip() if training else "",
        )

    def _origin(self) -> dict[str, str]:
        """Where the answers come from, for the manifest."""
        last = self.state.last()
        there = {name: last[name] for name in ("server", "origin", "project") if last.get(name)}
        return {"campaign": self.config.project, **there}


def export_kind(kind: str) -> Kind:
    """A name as a kind of training set.

    Raises:
        UsageError: there is no such kind.
    """
    for known in KINDS:
        if kind == known:
            return known
    raise UsageError(f"{kind!r:.60} is no training set", remedy=f"use one or more of {', '.join(KINDS)}")
