"""A task of one's own: tick what is wrong with a support reply, and rewrite it where something serious is.

The template has a multi_label question and a condition. An answer that breaks the condition is reported by name.
The person is SIMULATED: it answers by the script below, over the server's API.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from example_server import answer, campaign, label_studio

TEMPLATE = """\
version: 1
name: support_reply
title: Check a support reply
guidelines: |
  Read the ticket, then the reply. Tick everything that is wrong with the reply.
  If it is rude or says something false, write a better one.
fields:
  - {name: ticket, title: Ticket, half: true}
  - {name: reply, title: Reply, half: true}
questions:
  - name: problems
    type: multi_label
    title: What is wrong with the reply?
    options:
      - {value: nothing, title: Nothing}
      - {value: rude, title: It is rude}
      - {value: false_claim, title: It says something false}
      - {value: too_long, title: It is too long}
  - name: better_reply
    type: text
    title: A better reply
    prefill: reply
    required: false
    required_when: {problems: [rude, false_claim]}
training:
  prompt: ticket
  instruction: Answer the support ticket.
  sft:
    - use: better_reply
    - use: reply
      when: {problems: [nothing]}
  dpo:
    - {chosen: better_reply, rejected: reply}
"""

TICKETS = [
    {"id": "t1", "ticket": "How do I export my data?", "reply": "Open Settings, then Export."},
    {"id": "t2", "ticket": "The app is slow.", "reply": "Buy a better phone."},
    {"id": "t3", "ticket": "Is there a dark mode?", "reply": "No, and there never will be."},
]


def main() -> int:
    """Run the example; returns the exit code."""
    with label_studio() as url, tempfile.TemporaryDirectory() as folder:
        Path(folder, "support_reply.yaml").write_text(TEMPLATE, encoding="utf-8")
        made = campaign(
            Path(folder),
            "Example template",
            url,
            TICKETS,
            records={"path": "rows.jsonl", "id": "id"},
            template="./support_reply.yaml",
        )
        print(f"{made.push().sent} records sent")
        answer(
            made,
            {
                "t1": {"problems": ["nothing"], "better_reply": "Open Settings, then Export."},
                "t2": {"problems": ["rude"], "better_reply": "Sorry to hear that. Which version do you use?"},
                "t3": {"problems": ["rude", "false_claim"], "better_reply": "No, and there never will be."},
            },
        )
        made.pull()
        merged = made.merge()
        for problem in merged.problems:
            print(f"  {problem.record}: {problem.reason}")
        sft, dpo = made.export(["sft", "dpo"], ["conversational"])
        print(f"SFT: {sft.kept} rows, without a row {sft.counts}")
        print(f"DPO: {dpo.kept} rows, without a row {dpo.counts}")
    # The third reply had to be rewritten and was not: no row, and a problem that names the condition.
    broken = [(problem.record, problem.question) for problem in merged.problems]
    return 0 if (sft.kept, dpo.kept, broken) == (2, 1, [("t3", "better_reply")]) else 1


if __name__ == "__main__":
    sys.exit(main())
