"""The way out: a project that somebody made by hand is adopted, and moved to the other server with its answers."""

from __future__ import annotations

from typing import Any

from bridge.campaign import Campaign
from bridge.servers.local_label_studio import LocalLabelStudio
from tests.adopting.conftest import Adopt, ArgillaByHand, LabelStudioByHand

CONFIG = """
<View>
  <Text name="prompt" value="$question"/>
  <Text name="response" value="$answer"/>
  <Choices name="label" toName="response" choice="single" required="true">
    <Choice value="good"/><Choice value="bad"/>
  </Choices>
</View>
"""


def choice(value: str) -> dict[str, Any]:
    return {"from_name": "label", "to_name": "response", "type": "choices", "value": {"choices": [value]}}


def said(campaign: Campaign) -> list[tuple[str, str, str, Any]]:
    return sorted((a.record, a.annotator, a.status, a.answers.get("label")) for a in campaign.annotations())


def test_from_label_studio_to_argilla(
    by_hand: LabelStudioByHand, argilla: Any, argilla_by_hand: ArgillaByHand, adopt_into: Adopt, title: str
) -> None:
    project = by_hand.project(title, CONFIG, [{"id": n, "question": f"{n}?", "answer": "<b>4</b>"} for n in range(3)])
    one, two, three = by_hand.tasks(project)
    by_hand.answer("ann", one, choice("good"))
    by_hand.answer("bo", one, choice("bad"))
    by_hand.answer("ann", two, choice("good"))
    by_hand.answer("bo", three, was_cancelled=True)
    campaign = Campaign(adopt_into(by_hand, project).folder)
    before = said(campaign)
    for name in ("ann@example.org", "bo@example.org"):
        argilla.add_user(name)
    to = {"kind": "argilla", "url": argilla.url, "workspace": argilla.workspace}
    result = campaign.migrate(to)
    assert (result.complete, result.written) == (True, 4)
    assert said(campaign) == before
    assert campaign.pull().changes.new == 0
    assert campaign.push().present == 3
    again = Campaign(campaign.folder).migrate(to)
    assert again.nothing_to_do


def test_to_a_campaign_of_its_own_on_the_same_server(
    by_hand: LabelStudioByHand, label_studio: LocalLabelStudio, adopt_into: Adopt, title: str
) -> None:
    project = by_hand.project(title, CONFIG, [{"id": "a", "question": "2 + 2?", "answer": "4"}])
    by_hand.answer("ann", by_hand.tasks(project)[0], choice("good"))
    campaign = Campaign(adopt_into(by_hand, project).folder)
    result = campaign.migrate({"kind": "label-studio", "url": label_studio.url}, project=f"{title} again")
    assert (result.complete, result.written) == (True, 1)
    assert campaign.status().progress.answered == 1
