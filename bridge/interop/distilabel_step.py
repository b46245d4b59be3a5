"""A last step for distilabel's pipelines. This module can be imported only where distilabel is installed."""

# Without `from __future__ import annotations`: distilabel looks at the annotations of `process`.

from typing import Any, Literal

from bridge.errors import UsageError
from bridge.interop.distilabel_push import DEAD, push_rows

try:
    from distilabel.steps import GlobalStep, StepInput
except ImportError:
    raise UsageError(
        "a step for distilabel's pipelines: distilabel is not installed, or not all that it needs",
        remedy="pip install distilabel requests; to read what it wrote nothing is needed: annobridge distilabel --help",
    ) from None


class PushToAnnotators(GlobalStep):  # type: ignore[misc]  # distilabel may not be there
    """Push what the pipeline made to a campaign, as :func:`bridge.interop.distilabel_push.push_rows` does.

    It waits for all rows: what is on the wrong row can be told only beside its neighbours. It runs whenever the
    pipeline does, also where all else comes from distilabel's cache, and doubles nothing. Where the server cannot be
    used the pipeline ends with an error; run it again.

    Attributes:
        campaign: the folder with ``campaign.yaml``; its records are in a JSON Lines file of its own.
        id_column: the column that is a record's key. Without it the key is a hash of the record's fields, so that new
            texts are new records.
        ratings: names of rating questions, one for each generation, where one record asks several.
        trust: take rows as they stand, even where answers seem to be other rows'.
        on_change: what becomes of records whose text changed after people answered it.

    Output columns:
        - bridge_keys (`list[str]`): the keys of the row's records.
        - bridge_reason (`str`): why it, or one of its generations, became none; empty where it did.

    Categories:
        - helper
    """

    campaign: str
    id_column: str | None = None
    ratings: list[str] = []
    trust: bool = False
    on_change: Literal["new", "stale", "keep"] | None = None
    use_cache: bool = False

    @property
    def outputs(self) -> list[str]:
        """The columns that it adds."""
        return ["bridge_keys", "bridge_reason"]

    def process(self, inputs: StepInput) -> Any:
        """Push all rows, and hand them on."""
        pushed = push_rows(
            inputs,
            self.campaign,
            id_column=self.id_column,
            ratings=self.ratings,
            trust=self.trust,
            on_change=self.on_change,
        )
        for finding in pushed.findings:
            self._logger.warning("annobridge: %s", finding)
        refused = sum(map(bool, pushed.reasons))
        if refused:
            self._logger.warning("annobridge: %d rows became no record, or not all; see out/%s", refused, DEAD)
        if pushed.result is not None:
            self._logger.info("annobridge: %d records sent, %d were there", pushed.result.sent, pushed.result.present)
        yield [
            {**row, "bridge_keys": keys, "bridge_reason": reason}
            for row, keys, reason in zip(inputs, pushed.keys, pushed.reasons, strict=True)
        ]
