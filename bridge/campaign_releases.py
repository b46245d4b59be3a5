"""What goes out of a campaign: audits of its training sets, and releases of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from bridge.auditing import FOLDER, AuditRate, begin, draw, rates
from bridge.campaign_answers import CampaignAnswers
from bridge.config import FILE_NAME
from bridge.errors import ExportError, UsageError
from bridge.exporting import ExportResult, Kind, Row, Sieved, Splitter, undivided
from bridge.exporting.manifest import revisions_of
from bridge.release import ReleaseResult, release
from bridge.release.parts import manifests
from bridge.release.versions import MANIFEST, check_version
from bridge.routing.rate import JudgeRate, check_rates, judge_rates, of_audit

if TYPE_CHECKING:
    from bridge.merging.agreement import Agreement  # it loads numpy, which no other command waits for


class CampaignReleases(CampaignAnswers):
    """A campaign's training sets, checked and given out; :class:`bridge.campaign.Campaign` has all of it."""

    def release(
        self,
        version: str,
        kinds: Sequence[str] = (),
        formats: Sequence[str] = (),
        out: str | Path | None = None,
        *,
        previous: str | None = None,
    ) -> ReleaseResult:
        """Make a release of the training sets: a folder with rows as JSON Lines and Parquet, card and manifest.

        A set without ``exports.splits`` is all ``train``.

        Args:
            version: its name; a release is never changed, so it must be a new one.
            kinds, formats: as for :meth:`export`.
            out: where releases are; by default what ``campaign.yaml`` says.
            previous: the release to compare with; by default the one before.

        Raises:
            UsageError: the name cannot be, is taken, or there is no such earlier release.
            ExportError: no row can be made, or audits do not show what ``release.audit_max_error`` and
                ``release.judge_max_error`` demand.
            Held: somebody else is at work in this folder.
        """

        def make(folder: Path) -> tuple[list[ExportResult], list[dict[str, Any]]]:
            results, agreement = self._export(
                kinds, formats, folder, ("jsonl", "parquet"), review=self.out, split=lambda usual: usual or undivided
            )
            return results, _figures(agreement)

        linked = self.audited
        judges = self._judges()
        with self.state.alone("release"):
            return release(
                version,
                self._releases(out),
                make,
                project=self.config.project,
                config=self.config.release,
                previous=previous,
                audit=self.audit_report() if linked else (),
                judges=judges,
                revisions=lambda: revisions_of(self.annotations()),
            )

    def released(self, version: str, out: str | Path | None = None) -> Path | None:
        """The folder of a release that was made; None where there is none of that name.

        Raises:
            UsageError: that is no name for a release.
        """
        place = self._releases(out) / check_version(version)
        return place if (place / MANIFEST).is_file() else None

    def _releases(self, out: str | Path | None) -> Path:
        return Path(out) if out else self.folder / self.config.release.out

    @property
    def audited(self) -> Self | None:
        """The linked campaign in which people check rows of the training sets; None where there is none."""
        folder = self.folder / FOLDER
        if not (folder / FILE_NAME).exists():
            return None
        return type(self)(folder, server=self._server, progress=self._progress)

    def audit(self, share: float = 0.05, seed: int = 1, *, annotators_per_record: int = 1) -> dict[str, dict[str, int]]:
        """Draw rows of the training sets in ``out/`` by lot, as a linked campaign in ``audit/`` for people to check.

        Args:
            share: how large a part of each set, above 0, at most 1; ten rows at the least.
            seed: decides which.
            annotators_per_record: how many people check each row.

        Returns:
            Kind to how many ``rows`` there are, and how many were ``drawn``.

        Raises:
            UsageError: nothing was exported; what was is no longer what an export would write; or there is an audit
                of other rows already.
        """
        if not 0 < share <= 1:
            raise UsageError(f"--share {share}: not possible", remedy="give a number above 0, at most 1, such as 0.05")
        rows = self._exported_rows()
        sample = {kind: draw(of_kind, share, seed) for kind, of_kind in rows.items()}
        counts = {kind: len(of_kind) for kind, of_kind in rows.items()}
        return begin(
            self.folder / FOLDER, self.config, sample, counts, share=share, seed=seed, people=annotators_per_record
        )

    def audit_report(self) -> list[AuditRate]:
        """How many rows are wrong, of each kind, by what people answered in the audit.

        Raises:
            UsageError: there is no audit.
            InputError: its files are not as they were written.
        """
        linked = self.audited
        if linked is None:
            raise UsageError(f"{self.folder / FOLDER}: there is no audit", remedy="run `annobridge audit`")
        return rates(linked.folder, linked.merge().kept)

    def judge_rates(self) -> list[JudgeRate]:
        """How often judges err on the records that `annobridge route` left to them, by people's answers to its audit.

        Raises:
            UsageError: none of the campaign's records is of such an audit.
            InputError: metadata of records is not as it was written.
        """
        return judge_rates(self.records(), self.merge().kept)

    def _judges(self) -> list[JudgeRate]:
        """What a release says of judges: nothing where no audit of them was drawn, unless it is demanded."""
        most = self.config.release.judge_max_error
        if most is None:
            return self.judge_rates() if any(of_audit(record) for record in self.records()) else []
        try:
            found = self.judge_rates()
        except UsageError as error:
            reason = f"release.judge_max_error is {most:.1%}, but {error.reason}"
            raise ExportError(reason, remedy=error.remedy) from None
        check_rates(found, most)
        return found

    def _exported_rows(self) -> dict[Kind, Sequence[Row]]:
        """The rows of the training sets in ``out/``, which must be those that an export would write now."""
        there = {kind: {row.get("content") for row in whole["rows"]} for kind, whole in manifests(self.out).items()}
        if not any(there.values()):
            raise UsageError(f"{self.out}: nothing was exported", remedy="run `annobridge export`")
        made: dict[Kind, Sequence[Row]] = {}

        def watching(usual: Splitter | None) -> Splitter:
            def watched(rows: Mapping[Kind, Sequence[Row]]) -> Mapping[Kind, Sieved]:
                done = (usual or undivided)(rows)
                made.update({kind: sieved.kept for kind, sieved in done.items()})
                return done

            return watched

        with TemporaryDirectory() as folder:
            self._export(list(there), (), Path(folder), ("jsonl",), review=Path(folder), split=watching)
        for kind, rows in made.items():
            if {row.content for row in rows} != there[kind]:
                raise UsageError(
                    f"{self.out}: the {kind} rows there are not those that the answers and settings of now would give",
                    remedy="run `annobridge export` first, then audit what it wrote",
                )
        return {kind: rows for kind, rows in made.items() if rows}


def _figures(agreement: Agreement) -> list[dict[str, Any]]:
    """How far people agree, as the card of a release has it."""
    return [
        {"question": found.question, "coefficient": name, "reason": "", **figure.to_dict()}
        for found in agreement.questions
        for name, figure in found.coefficients.items()
    ]
