"""The whole loop on a real Label Studio: serve, plan, push, label, pull, merge, export.

Two campaigns over the same twelve prompts: `compare` asks which of two responses is better, `review` asks for a rating,
a verdict and a better text. The two annotators are SIMULATED: they answer by the script below, each as a user of their
own, over the server's API. Every number at the end is checked against what the script implies.

    make demo           run it and clean up
    make demo KEEP=1    leave the server up until Ctrl-C, to log in and label by hand
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from bridge import Campaign
from bridge.errors import BridgeError
from bridge.keys import forget_key, save_key
from bridge.records import Record, Suggestion, Value
from bridge.servers.local_label_studio import LocalLabelStudio
from bridge.servers.protocol import Project
from bridge.testing import LabelStudioPerson

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "demo-out"
ROWS = [json.loads(line) for line in (ROOT / "examples/data/responses.jsonl").read_text(encoding="utf-8").splitlines()]
PEOPLE = ("simulated-ann@annobridge.example", "simulated-bo@annobridge.example")

Answers = dict[str, Value] | None
"""What a person answers to one record; None is a skip."""

# Which response is better: what Ann says, what Bo says.
COMPARE: dict[str, tuple[str | None, str | None]] = {
    "geo-1": ("A", "A"),
    "geo-2": ("B", "B"),
    "py-1": ("A", "A"),
    "py-2": ("A", "A"),
    "mail-1": ("A", "B"),  # they disagree: a tie, so no row
    "mail-2": ("A", "A"),
    "sci-1": ("A", "A"),
    "sci-2": ("tie", "tie"),  # they agree that there is no winner: no row
    "math-1": ("A", "A"),
    "math-2": ("A", None),  # Bo skips: Ann's answer stands alone
    "cook-1": ("A", "A"),
    "safe-1": ("both_bad", "both_bad"),  # no winner: no row
}
PAIRS = 9  # all but mail-1, sci-2 and safe-1


def chose(better: str | None) -> Answers:
    """One person's answer to a comparison."""
    return None if better is None else {"preference": better}


def reviews() -> dict[str, tuple[Answers, Answers]]:
    """What both say about response B: rating, verdict and text."""
    script: dict[str, tuple[Answers, Answers]] = {}
    for row in ROWS:
        key, better, same = row["id"], row["response_a"], row["response_b"]
        answers: Answers = {"rating": 2, "label": "incorrect", "improved_response": better}  # an SFT row and a pair
        if key in ("geo-2", "sci-2"):  # good as it is: approved, so an SFT row and no pair
            answers = {"rating": 5, "label": "correct", "improved_response": same}
        elif key == "safe-1":  # harmful, and nobody has a better text: no row
            answers = {"rating": 1, "label": "harmful", "improved_response": same}
        elif key == "mail-2":  # both skip: no row
            answers = None
        script[key] = (answers, answers)
    return script


REWRITES, APPROVED = 8, 2
COMPLETE = {"compare": 11, "review": 11}  # records with two answers; a skip is none


class Checks:
    """Numbers as they came, beside what the script implies."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def equal(self, what: str, came: object, due: object) -> None:
        """Note a number that is not what it must be."""
        if came != due:
            self.wrong.append(f"{what}: {came} where {due} is due")


def main(keep: bool) -> int:
    """Run the demo; returns the exit code."""
    server = LocalLabelStudio(OUT / "label-studio", say=lambda text: print(f"    {text}"))
    if (server.home / "credentials.json").exists():
        server.wipe()  # refuses while another demo runs; a server that a killed one left is stopped
    shutil.rmtree(OUT, ignore_errors=True)
    print("==> starting Label Studio (the first time it is installed, which takes a few minutes)")
    with server:
        save_key(server.url, server.token)
        try:
            return play(server, keep)
        finally:
            forget_key(server.url, server.token)


def play(server: LocalLabelStudio, keep: bool) -> int:
    """Both campaigns from beginning to end, the table of what came, and a server to look at if it is wanted."""
    checks = Checks()
    compare = campaign(server, "compare", "preference", compare_records(), checks)
    review = campaign(server, "review", "review", review_records(), checks)
    answer(server, compare, {key: (chose(ann), chose(bo)) for key, (ann, bo) in COMPARE.items()})
    answer(server, review, reviews())
    rows = [
        *finish(compare, checks, PAIRS, PAIRS),
        *finish(review, checks, REWRITES + APPROVED, REWRITES),
    ]
    print(f"\n{'campaign':10}{'set':6}{'rows':>5}{'expected':>10}  file")
    for name, kind, count, due, path in rows:
        print(f"{name:10}{kind:6}{count:>5}{due:>10}  {path}")
    if checks.wrong:
        print("\nFAILED: not what the scripted answers imply:", *checks.wrong, sep="\n  ", file=sys.stderr)
        return 1
    if not keep:
        print(f"\nLabel Studio at {server.url} stops now; to log in and label by hand: make demo KEEP=1")
        return 0
    print(f"\nlog in and label by hand: {server.url}")
    print(f"  user {server.email}, password in {server.home / 'credentials.json'}")
    print("the server stays up; stop it with Ctrl-C", flush=True)
    try:
        server.wait()
    except KeyboardInterrupt:
        print("stopping")
    return 0


def compare_records() -> list[Record]:
    """Both responses, with the scores' preference already filled in."""
    return [
        Record(
            row["id"],
            {"prompt": row["instruction"], "response_a": row["response_a"], "response_b": row["response_b"]},
            [
                Suggestion(
                    "preference", "A" if row["score_a"] > row["score_b"] else "B", max(row["score_a"], row["score_b"])
                )
            ],
        )
        for row in ROWS
    ]


def review_records() -> list[Record]:
    """The second response, with its score as a suggested rating."""
    return [
        Record(
            row["id"],
            {"prompt": row["instruction"], "response": row["response_b"]},
            [Suggestion("rating", 1 + round(4 * row["score_b"]), row["score_b"], "example-judge")],
        )
        for row in ROWS
    ]


def campaign(server: LocalLabelStudio, name: str, template: str, records: list[Record], checks: Checks) -> Campaign:
    """Make a campaign folder, plan a push of its records, and push them, twice."""
    folder = OUT / name
    folder.mkdir(parents=True)
    (folder / "records.jsonl").write_text("".join(json.dumps(r.to_dict()) + "\n" for r in records), encoding="utf-8")
    (folder / "campaign.yaml").write_text(
        f"project: Demo {name}\nserver: {{kind: label-studio, url: '{server.url}'}}\nrecords: records.jsonl\n"
        f"template: {template}\nannotators_per_record: 2\nexports: {{to: [sft, dpo]}}\n",
        encoding="utf-8",
    )
    made = Campaign(folder)
    planned = made.plan()
    checks.equal(f"{name}: planned records", (planned.create, planned.unchanged), (12, 0))
    first, again = made.push(), made.push()
    checks.equal(f"{name}: records sent, then present", (first.sent, again.sent, again.present), (12, 0, 12))
    checks.equal(f"{name}: planned after the push", (made.plan().nothing_to_do, made.plan().unchanged), (True, 12))
    print(f"==> {name}: pushed {first.sent} records; pushed again: {again.sent} sent, {again.present} were there")
    return made


def answer(server: LocalLabelStudio, made: Campaign, script: dict[str, tuple[Answers, Answers]]) -> None:
    """Let each simulated annotator answer by the script."""
    for number, email in enumerate(PEOPLE):
        person = LabelStudioPerson(server.url, server.add_user(email).token)
        person.ensure(Project(made.config.project, made.template), create=False)
        for key, answers in script.items():
            mine = answers[number]
            person.annotate(key, mine or {}, status="submitted" if mine else "discarded", lead_time_s=5.0 + number)
        person.close()
    print(f"==> {made.folder.name}: {len(PEOPLE)} SIMULATED annotators answered {len(script)} records each")


def finish(made: Campaign, checks: Checks, sft: int, dpo: int) -> list[tuple[str, str, int, int, str]]:
    """Pull, merge, export; one line of the final table for each file."""
    name = made.folder.name
    pulled = made.pull()
    checks.equal(f"{name}: answers pulled", pulled.changes.new, 2 * len(ROWS))
    print(f"==> {name}: pulled {pulled.changes.new} answers")
    rows = []
    results = made.export()
    checks.equal(f"{name}: training sets", len(results), 2)
    for result, kind, due in zip(results, ("sft", "dpo"), (sft, dpo), strict=True):
        checks.equal(f"{name}: {kind} records with and without rows", result.records + sum(result.counts.values()), 12)
        checks.equal(f"{name}: {kind} files", [file.rows for file in result.files], [due, due])
        rows += [(name, kind, file.rows, due, str(file.path.relative_to(ROOT))) for file in result.files]
        dropped = ", ".join(f"{count} {reason}" for reason, count in result.counts.items())
        print(f"    {kind}: {result.kept} rows; without a row: {dropped or 'none'}")
    checks.equal(f"{name}: what the doctor finds", [finding.text for finding in made.doctor().findings], [])
    status = made.status()
    seen = (status.progress.records, status.progress.completed, len(status.answers))
    checks.equal(f"{name}: records, complete, annotators", seen, (12, COMPLETE[name], 2))
    return rows


if __name__ == "__main__":
    try:
        sys.exit(main("--keep" in sys.argv[1:]))
    except BridgeError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
