"""A distilabel pipeline whose last step pushes to people: three tasks for each transcript, and a judge of all three.

It runs where distilabel is: make an environment of examples/distilabel-requirements.txt and install annobridge there.

    python examples/distilabel_pipeline.py --url http://127.0.0.1:8000/v1 --model small --campaign meetings

The folder is made with a campaign in it, whose people work on the server "memory" until you name another in its
campaign.yaml. Run it again as often as you like: nothing is pushed twice.
"""

# Without `from __future__ import annotations`: distilabel looks at the annotations of steps.

import argparse
import os
import sys
from pathlib import Path
from typing import Any

# Told before distilabel is imported: nothing here asks a hub for anything.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import CombineOutputs, LoadDataFromDicts, StepInput, step
from distilabel.steps.tasks import TextGeneration, UltraFeedback

from bridge.interop.distilabel_step import PushToAnnotators

HERE = Path(__file__).resolve().parent
CAMPAIGN = "project: Meetings\nserver: {kind: memory}\nrecords: records.jsonl\ntemplate: meeting.yaml\n"

MEETINGS = [
    {
        "id": "bakery",
        "transcript": "Ann: The oven in Leeds broke again.\nBo: I will call the fitter by Friday.\nAnn: Then only rye.",
    },
    {
        "id": "choir",
        "transcript": "Cleo: The hall is taken in June.\nDan: Then July. Who asks the organist?\nCleo: I do.",
    },
    {
        "id": "ferry",
        "transcript": "Eve: Tickets go up to 12 euros.\nFinn: Not for children.\nEve: Agreed, they pay 5 as before.",
    },
]

TASKS = {
    "summary": "Summarise this meeting in two sentences.",
    "action_items": "List who will do what until when in this meeting, one line each.",
    "follow_up": "Write one question about this meeting, and its answer.",
}


@step(inputs=[*TASKS, "transcript"], outputs=["instruction", "generations"])  # type: ignore[untyped-decorator]
def to_be_judged(inputs: StepInput) -> Any:
    """Put what the tasks made side by side, for the judge. Where one of them failed there is nothing to judge."""
    asked = "From the transcript: " + " ".join(f"({number}) {text}" for number, text in enumerate(TASKS.values(), 1))
    yield [
        {**row, "instruction": f"{asked}\n\n{row['transcript']}", "generations": [row[name] for name in TASKS]}
        for row in inputs
    ]


def pipeline(url: str, model: str, campaign: Path, meetings: list[dict[str, str]]) -> Pipeline:
    """The pipeline: one branch for each task, joined, judged, pushed."""

    def llm() -> OpenAILLM:
        return OpenAILLM(model=model, base_url=url, api_key=os.environ.get("ANNOBRIDGE_MODEL_KEY", "none"))

    with Pipeline(name="meetings") as made:
        load = LoadDataFromDicts(data=meetings)
        tasks = [
            TextGeneration(
                name=name,
                llm=llm(),
                template=f"{text}\n\n{{{{ transcript }}}}",
                columns=["transcript"],
                output_mappings={"generation": name, "model_name": f"{name}_model"},
            )
            for name, text in TASKS.items()
        ]
        judge = UltraFeedback(name="judge", llm=llm(), aspect="overall-rating")
        push = PushToAnnotators(
            name="push", campaign=str(campaign), id_column="id", ratings=[f"{name}_rating" for name in TASKS]
        )
        load >> tasks >> CombineOutputs(name="join") >> to_be_judged() >> judge >> push
    return made


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description="Three tasks for each transcript, a judge, and people.")
    parser.add_argument("--url", default="http://127.0.0.1:8000/v1", help="address of an OpenAI-compatible endpoint")
    parser.add_argument("--model", default="small")
    parser.add_argument("--campaign", type=Path, default=Path("meetings"), help="folder of the campaign")
    parser.add_argument("--save", type=Path, help="folder for the Distiset")
    given = parser.parse_args()
    folder = given.campaign.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "campaign.yaml").exists():
        (folder / "meeting.yaml").write_bytes((HERE / "distilabel_meeting.yaml").read_bytes())
        (folder / "campaign.yaml").write_text(CAMPAIGN, encoding="utf-8")
    distiset = pipeline(given.url, given.model, folder, MEETINGS).run()
    if not distiset:
        print("the push failed; distilabel's log above says why. Run it again: what models said is in its cache.")
        return 1
    if given.save:
        distiset.save_to_disk(given.save)
    for row in distiset["default"]["train"]:
        print(f"{row['id']}: {', '.join(row['bridge_keys']) or row['bridge_reason']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
