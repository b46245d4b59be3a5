"""Marked passages: a model has marked what it thinks is wrong, a person mends the marks, and they come back as spans.

Offsets are Unicode code points, so that `text[start:end]` is the passage, also behind an emoji. The person is
SIMULATED: it answers by the script below, over the server's API.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from example_server import answer, campaign, label_studio

from bridge.records import Value

TEXT = "🌍🌍 The Earth has two moons and orbits the Sun in 365 days."
GUESS = "365 days"


def mark(passage: str, label: str) -> dict[str, int | str]:
    """A passage of the text as a span."""
    start = TEXT.index(passage)
    return {"start": start, "end": start + len(passage), "label": label}


def main() -> int:
    """Run the example; returns the exit code."""
    suggested = [mark(GUESS, "factual_error")]
    mended: Value = [mark("two moons", "factual_error")]
    with label_studio() as url, tempfile.TemporaryDirectory() as folder:
        record = {
            "key": "earth",
            "fields": {"prompt": "Tell me about the Earth.", "response": TEXT},
            "suggestions": [{"question": "errors", "value": suggested, "score": 0.4, "agent": "example-checker"}],
        }
        made = campaign(Path(folder), "Example spans", url, [record], template="span_errors")
        print(f"{made.push().sent} record sent, with {GUESS!r} suggested")
        answer(made, {"earth": {"errors": mended}})
        made.pull()
        (merged,) = made.merge().kept
    spans = merged.answers["errors"].value
    assert isinstance(spans, list)
    for span in spans:
        assert isinstance(span, dict)
        print(f"marked as {span['label']}: {TEXT[span['start'] : span['end']]!r}")
    return 0 if spans == mended else 1


if __name__ == "__main__":
    sys.exit(main())
