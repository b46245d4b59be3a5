"""`annobridge audit`: rows of an export go back to people, and what they find stands on the card of the release."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bridge.auditing import AuditRate, draw
from bridge.auditing.draw import key_of, record_of
from bridge.errors import ExportError, InputError, UsageError
from bridge.exporting import Row
from tests.adjudication.working import ANN, BO, Working
from tests.cli.running import run
from tests.release.working import begun

OK = {"verdict": "ok", "prompt_fits": "yes"}


def audited(path: Path, answered: int = 12, **config: Any) -> Working:
    work = begun(path, answered, **config)
    work.campaign.export()
    work.campaign.audit(0.5)
    linked = work.campaign.audited
    assert linked is not None
    linked.push()
    return work


def lines(work: Working) -> list[dict[str, Any]]:
    return work.lines("audit", "records.jsonl")


def check(work: Working, verdict: Callable[[dict[str, Any]], dict[str, str] | None], person: str = ANN) -> None:
    """Somebody answers in the audit, and the answers are pulled."""
    linked = work.campaign.audited
    assert linked is not None
    for line in lines(work):
        answers = verdict(line)
        if answers is not None:
            work._annotate(linked, line["key"], person, dict(answers))
    linked.pull()


# -- what is drawn


def rows(count: int) -> list[Row]:
    return [Row(f"r{n}", "sft", [{"role": "user", "content": f"{n}?"}], completion=str(n)) for n in range(count)]


def test_a_larger_share_draws_more_beside_the_same_and_order_does_not_matter() -> None:
    few, many = draw(rows(400), 0.05, 7), draw(rows(400)[::-1], 0.1, 7)
    assert (len(few), len(many)) == (20, 40)
    assert many[:20] == few


def test_another_seed_draws_others() -> None:
    assert draw(rows(400), 0.05, 1) != draw(rows(400), 0.05, 2)


@pytest.mark.parametrize(("count", "drawn"), [(0, 0), (4, 4), (100, 10), (201, 11)])
def test_ten_at_the_least_and_never_more_than_there_are(count: int, drawn: int) -> None:
    assert len(draw(rows(count), 0.05, 1)) == drawn


PROMPT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 2?"}]


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (Row("r", "sft", PROMPT, "4"), {"answer": "4"}),
        (
            Row("r", "dpo", PROMPT, chosen="4", rejected="5"),
            {"answer": "4", "worse_answer": "5", "claim": "The answer is better than the other one."},
        ),
        (Row("r", "kto", PROMPT, "5", label=False), {"answer": "5", "claim": "People do not want this answer."}),
        (
            Row("r", "reward", PROMPT, "4", score=4.0),
            {"answer": "4", "claim": "People rate this answer 4 on average."},
        ),
    ],
)
def test_people_see_the_row_and_what_it_claims(row: Row, shown: dict[str, str]) -> None:
    line = record_of(row)
    assert line["fields"] == {"prompt": PROMPT, **shown}
    assert line["metadata"]["audit"]["content"] == row.content


def test_the_same_text_of_two_records_is_two_rows() -> None:
    assert key_of(Row("a", "sft", PROMPT, "4")) != key_of(Row("b", "sft", PROMPT, "4"))


# -- in a campaign


def test_a_sample_of_each_kind_becomes_a_campaign_of_its_own(tmp_path: Path) -> None:
    work = audited(tmp_path)
    linked = work.campaign.audited
    assert linked is not None
    assert linked.config.project.startswith("Sums - audit ")
    assert linked.template.name == "export_check"
    assert sorted({line["metadata"]["audit"]["kind"] for line in lines(work)}) == ["dpo", "sft"]
    assert linked.status().progress.records == 20  # ten at the least
    assert "export_check" not in (work.path / "campaign.yaml").read_text()


def test_the_report_counts_what_people_agree_on(tmp_path: Path) -> None:
    work = audited(tmp_path, exports={"to": ["sft"], "formats": ["plain"]})
    keys = [line["key"] for line in lines(work)]
    said = {
        keys[0]: {"verdict": "wrong_answer", "prompt_fits": "yes"},
        keys[1]: {"verdict": "ok", "prompt_fits": "no"},
        keys[2]: {"verdict": "private_data", "prompt_fits": "no"},
    }
    check(work, lambda line: said.get(line["key"], OK if line["key"] != keys[3] else None))
    (rate,) = work.campaign.audit_report()
    assert (rate.kind, rate.rows, rate.drawn, rate.checked, rate.wrong) == ("sft", 12, 10, 9, 3)
    assert rate.problems == {"does not fit the prompt": 1, "private_data": 1, "wrong_answer": 1}
    assert not rate.complete


def test_a_row_that_people_contradict_each_other_on_is_undecided(tmp_path: Path) -> None:
    work = audited(tmp_path, exports={"to": ["sft"], "formats": ["plain"]})
    first = lines(work)[0]["key"]
    check(work, lambda line: OK)
    check(work, lambda line: {**OK, "verdict": "other", "note": "?"} if line["key"] == first else None, BO)
    (rate,) = work.campaign.audit_report()
    assert (rate.checked, rate.wrong, rate.undecided, rate.complete) == (9, 0, 1, False)


@pytest.mark.parametrize(
    ("wrong", "checked", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),  # 1 - 0.025 ** (1 / 10)
        (10, 10, 0.6915, 1.0),
        (1, 10, 0.0025, 0.4450),  # Clopper and Pearson's charts, as tabulated since
        (2, 50, 0.0049, 0.1371),
        (15, 148, 0.0578, 0.1617),  # Newcombe, Statistics in Medicine 17 (1998), table I
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_the_interval_is_that_of_published_tables(wrong: int, checked: int, low: float, high: float) -> None:
    assert [round(end, 4) for end in AuditRate("sft", 1000, checked, checked, wrong).interval] == [low, high]


def test_an_audit_is_of_what_was_exported(tmp_path: Path) -> None:
    work = begun(tmp_path)
    with pytest.raises(UsageError, match="nothing was exported"):
        work.campaign.audit()
    work.campaign.export()
    work.answer("r00", ANN, rating=2, label="incorrect", improved_response="edited since")
    work.campaign.pull()
    with pytest.raises(UsageError, match="not those that the answers and settings of now would give"):
        work.campaign.audit()
    assert not (tmp_path / "audit").exists()


def test_the_same_audit_again_is_the_same_and_another_one_waits_for_its_place(tmp_path: Path) -> None:
    work = audited(tmp_path)
    before = (tmp_path / "audit" / "records.jsonl").read_bytes()
    assert work.campaign.audit(0.5)["sft"] == {"rows": 12, "drawn": 10}
    with pytest.raises(UsageError, match="audit of other rows") as caught:
        work.campaign.audit(1.0)
    assert "move" in caught.value.remedy
    assert (tmp_path / "audit" / "records.jsonl").read_bytes() == before


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_shares_that_cannot_be(tmp_path: Path, share: float) -> None:
    with pytest.raises(UsageError, match="--share"):
        begun(tmp_path, 1).campaign.audit(share)


def test_files_that_were_tampered_with_are_an_error(tmp_path: Path) -> None:
    work = audited(tmp_path)
    (tmp_path / "audit" / "drawn.json").write_text("{}")
    with pytest.raises(InputError, match=r"drawn\.json"):
        work.campaign.audit_report()


# -- and a release


DEMAND = {"release": {"audit_max_error": 0.35}, "exports": {"to": ["sft"], "formats": ["plain"]}}


def test_a_release_waits_for_an_audit_that_shows_what_is_demanded(tmp_path: Path) -> None:
    work = begun(tmp_path, 12, **DEMAND)
    with pytest.raises(ExportError, match=r"audit_max_error is 35\.0%, but of sft rows nobody has audited them"):
        work.campaign.release("v1")
    work.campaign.export()
    work.campaign.audit()
    linked = work.campaign.audited
    assert linked is not None
    linked.push()
    with pytest.raises(ExportError, match="10 of 10 rows of the audit are not decided on"):
        work.campaign.release("v1")
    first = lines(work)[0]["key"]
    check(work, lambda line: {**OK, "verdict": "wrong_answer"} if line["key"] == first else OK)
    with pytest.raises(ExportError, match=r"1 of 10 checked rows are wrong: 44\.5% of all may be"):
        work.campaign.release("v1")
    assert list((tmp_path / "releases").iterdir()) == []
    check(work, lambda line: OK if line["key"] == first else None)
    result = work.campaign.release("v1")
    assert [rate.wrong for rate in result.audit] == [0]
    text = (result.folder / "README.md").read_text()
    assert "| sft | 12 | 10 | 10 | 0 | 0.0% | 0.0% to 30.8% |" in text
    assert "10 of the 10 sft rows are in this release unchanged" in text


def test_an_audit_of_other_rows_does_not_count(tmp_path: Path) -> None:
    work = audited(tmp_path, **DEMAND)
    check(work, lambda line: OK)
    for number in range(12):
        work.answer(f"r{number:02}", ANN, rating=2, label="incorrect", improved_response=f"all new {number}")
    work.campaign.pull()
    with pytest.raises(ExportError, match="most rows of the audit are not in the set any more"):
        work.campaign.release("v1")


# -- the command


def test_the_command_draws_and_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = begun(tmp_path, 12, exports={"to": ["sft"], "formats": ["plain"]})
    work.campaign.export()
    monkeypatch.chdir(tmp_path)
    assert run("audit", "--report").err.startswith("error: audit: there is no audit")
    done = run("audit", "--share", "0.1", "--seed", "3")
    assert done.lines == ["10 of 12 sft rows are in audit", "next: annobridge push -C audit"]
    linked = work.campaign.audited
    assert linked is not None
    linked.push()
    check(work, lambda line: {**OK, "verdict": "wrong_format"} if line == lines(work)[0] else OK)
    assert run("audit", "--report").lines == [
        "kind  rows  drawn  checked  wrong  share  95 %, exact",
        "sft     12     10       10      1  10.0%  0.3% to 44.5%",
        "sft: 1 wrong format",
    ]
    assert json.loads(run("audit", "--report", "--json").out)["audit"][0]["problems"] == {"wrong_format": 1}
