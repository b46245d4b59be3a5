"""Who speaks: one name for one person, or a pseudonym wherever the name is said."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import StoreError
from bridge.transcripts.pseudonyms import NameFinder, Pseudonyms
from bridge.transcripts.speakers import Speakers
from bridge.transcripts.turns import Turn, merged

KEY = b"k" * 32
ANN, BO, TOM = (Pseudonyms(KEY).of(name) for name in ("Ann Lee", "Bo Chan", "Tom"))


class TestNames:
    @pytest.mark.parametrize(
        "spelling",
        ["Ann Lee", "ann lee", "ANN LEE", " Ann  Lee:", "Dr. Ann Lee", "Prof. Dr. Ann Lee", "Lee, Ann",
         "Ann Lee (Host)", "Ann Lee (she/her)", "Ann Lee, PhD", "Ann Lee (Guest) [External]"],
    )  # fmt: skip
    def test_spellings_of_one_person(self, spelling: str) -> None:
        assert Speakers().name(spelling) == "Ann Lee"

    @pytest.mark.parametrize("spelling", ["Speaker 1", "SPEAKER_01", "speaker1", "spk 1", "Participant #1"])
    def test_numbers(self, spelling: str) -> None:
        assert Speakers().name(spelling) == "Speaker 1"

    @pytest.mark.parametrize("spelling", ["", "Unknown Speaker", "unknown", "Speaker"])
    def test_nobody_in_particular(self, spelling: str) -> None:
        assert Speakers().name(spelling) == "Unknown speaker"

    def test_names_are_called_as_at_first(self) -> None:
        speakers = Speakers()
        assert [speakers.name(name) for name in ("McDonald", "MCDONALD", "o'neil jean-luc")] == [
            "McDonald",
            "McDonald",
            "O'Neil Jean-Luc",
        ]
        assert speakers.names == ["McDonald", "O'Neil Jean-Luc"]

    def test_different_people_stay_different(self) -> None:
        speakers = Speakers()
        names = ["Ann Lee", "Ann Leed", "Ann", "Speaker 1", "Speaker 11", "Mr. Lee"]
        assert len({speakers.name(name) for name in names}) == len(names)


class TestMerging:
    def test_consecutive_turns_of_one_person_become_one(self) -> None:
        turns = [Turn("Ann", "a", (1, 2), 0.0, 1.0), Turn("Ann", "b", (4, 5), 1.0, 2.0), Turn("Bo", "c", (7, 7))]
        assert list(merged(turns)) == [Turn("Ann", "a\nb", (1, 5), 0.0, 2.0), Turn("Bo", "c", (7, 7))]

    def test_turns_of_nobody_stay_apart(self) -> None:
        turns = [Turn("", "a", (1, 1)), Turn("", "b", (2, 2))]
        assert list(merged(turns)) == turns

    @given(st.lists(st.tuples(st.sampled_from(["Ann", "Bo", ""]), st.text("ab\n", min_size=1, max_size=5)), max_size=9))
    def test_nothing_is_lost_and_nothing_grows_too_long(self, said: list[tuple[str, str]]) -> None:
        turns = [Turn(who, text, (at, at)) for at, (who, text) in enumerate(said, 1)]
        made = list(merged(turns, limit=8))
        assert "\n".join(turn.text for turn in made) == "\n".join(turn.text for turn in turns)
        assert all(len(turn.text) <= 12 for turn in made)
        assert [turn.lines[0] for turn in made] == sorted({turn.lines[0] for turn in made})


class TestPseudonyms:
    def test_are_the_same_for_the_same_key_and_others_for_another(self) -> None:
        assert Pseudonyms(KEY).of("ann lee") == ANN
        assert Pseudonyms(b"x" * 32).of("Ann Lee") != ANN

    def test_stay_the_same_in_a_file_that_only_its_owner_reads(self, tmp_path: Path) -> None:
        path = tmp_path / "people.json"
        first = Pseudonyms.load(path)
        name = first.of("Ann Lee")
        first.save(path)
        assert path.stat().st_mode & 0o077 == 0
        assert Pseudonyms.load(path).of("Ann Lee") == name
        assert json.loads(path.read_text())["names"] == {name: "Ann Lee"}

    @pytest.mark.parametrize("text", ["{}", "[]", '{"key": "00", "names": {}}', "no json", '{"key": 5, "names": []}'])
    def test_another_file_is_refused(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "people.json"
        path.write_text(text)
        with pytest.raises(StoreError, match="no file of pseudonyms"):
            Pseudonyms.load(path)

    def test_numbers_are_nobodys_names(self) -> None:
        assert Pseudonyms(KEY).of("Speaker 1") == "Speaker 1"


class TestNamesInTexts:
    finder = NameFinder(Pseudonyms(KEY), {"Ann Lee": ["Lee, Ann"], "Bo Chan": [], "Tom": [], "Speaker 2": []})

    @pytest.mark.parametrize(
        ("said", "shown"),
        [
            ("Thanks, Ann.", f"Thanks, {ANN}."),
            ("ann lee's list, ANN!", f"{ANN}'s list, {ANN}!"),
            ("Ask Lee, Ann or Bo\nChan", f"Ask {ANN} or {BO}"),
            ("Annual, Tomorrow, Chancellor", "Annual, Tomorrow, Chancellor"),
            ("Tom and tom: speaker 2", f"{TOM} and {TOM}: speaker 2"),
        ],
    )
    def test_are_replaced_as_whole_words(self, said: str, shown: str) -> None:
        assert self.finder.replaced(said) == shown

    def test_names_that_are_words_are_replaced_where_they_are_meant(self) -> None:
        pseudonyms = Pseudonyms(KEY)
        finder = NameFinder(pseudonyms, {"Will Moe": [], "Mark": []})
        will, mark = pseudonyms.of("Will Moe"), pseudonyms.of("Mark")
        assert finder.replaced("Will you mark it? I will, Will. Mark, please.") == (
            f"Will you mark it? I will, {will}. {mark}, please."
        )

    def test_a_first_name_of_two_people_is_neithers(self) -> None:
        pseudonyms = Pseudonyms(KEY)
        finder = NameFinder(pseudonyms, {"Ann Lee": [], "Ann Kim": []})
        shown = finder.replaced("Ann?").removesuffix("?")
        assert shown == pseudonyms.of("Ann")
        assert shown not in (ANN, pseudonyms.of("Ann Kim"))

    def test_names_in_scripts_without_spaces(self) -> None:
        pseudonyms = Pseudonyms(KEY)
        finder = NameFinder(pseudonyms, {"田中": []})
        assert finder.replaced("はい、田中さん。") == f"はい、{pseudonyms.of('田中')}さん。"

    @pytest.mark.parametrize(
        ("name", "said", "left"),
        [
            ("Weiß", "Herr Weiß und WEISS", "Herr # und #"),
            ("İpek Irmak", "İpek, ipek, IPEK, Irmak ırmak", "#, #, #, # #"),
            ("Zoë Kravitz", "Zoë Zoe\u0308 Zoe", "# # Zoe"),
            ("O'Neil", "O\u2019Neil, o'neil", "#, #"),
            ("Ann\u200f", "Ann", "#"),
            ("王", "国王です", "国王です"),
            ("Ann Judge", "Judge not. Ask Judge, the judge.", "Judge not. Ask #, the judge."),
        ],
    )
    def test_spellings_of_a_name(self, name: str, said: str, left: str) -> None:
        speakers, people = Speakers(), Pseudonyms(KEY)
        pseudonym = people.of(speakers.name(name))
        finder = NameFinder(people, {one: speakers.spellings(one) for one in speakers.names})
        assert finder.replaced(said).replace(pseudonym, "#") == left

    @pytest.mark.parametrize("name", ["Project Manager", "The Court", "Interviewer", "Q", "A", "Host"])
    def test_what_somebody_is_there_for_is_nobodys_name(self, name: str) -> None:
        people = Pseudonyms(KEY)
        assert people.of(name) == name
        said = "A project manager asks the court, I host. Q and A."
        assert NameFinder(people, {name: []}).replaced(said) == said


@given(
    st.text(st.characters(categories=["Lu", "Ll", "Lo"]), min_size=2, max_size=8),
    st.sampled_from([str, str.lower, str.upper, str.casefold, str.title]),
    st.sampled_from(["NFC", "NFD"]),
)
def test_a_name_is_found_however_it_is_written(name: str, cased: Callable[[str], str], composed: str) -> None:
    name += "qx"  # is no word
    said = f"1 {unicodedata.normalize(composed, cased(name))} 2"
    replaced = NameFinder(Pseudonyms(KEY), {name: []}).replaced(said)
    assert replaced == f"1 {Pseudonyms(KEY).of(name)} 2"
