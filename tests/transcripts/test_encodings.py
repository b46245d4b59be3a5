"""Transcripts in any encoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import InputError
from tests.transcripts.making import read

SPEECH = {
    "german": ("cp1252", "Also, ich würde es gern übernehmen. Könnte jemand prüfen, ob die Zahlen schön sind?"),
    "german-mac": ("mac_roman", "Also, ich würde es gern übernehmen. Könnte jemand prüfen, ob die Zahlen schön sind?"),
    "french": ("latin-1", "Ça dépend. À mon avis, c'est déjà prêt, mais la date n'a pas été fixée."),
    "spanish": ("cp1252", "¿Cuándo será la próxima reunión? El señor Ibáñez dijo que mañana."),
    "portuguese": ("cp1252", "Não sei; a situação é difícil, então amanhã falamos."),
    "swedish": ("cp1252", "Vi måste göra det på lördag, annars blir det försent."),
    "danish": ("cp1252", "Vi mødes på søndag, når vi har læst det hele."),
    "turkish": ("cp1254", "Bütçeyi gözden geçirdik, ama ışık görünmüyor. Yarın konuşalım."),
    "polish": ("cp1250", "Możemy to zrobić później, jeśli wszyscy się zgadzają."),
    "polish-iso": ("iso8859-2", "Możemy to zrobić później, jeśli wszyscy się zgadzają."),
    "czech": ("cp1250", "Můžeme začít? Ještě někdo chybí, ale přijde později."),
    "hungarian": ("cp1250", "Kérdés van még? Később is küldhetek összefoglalót, ha szükséges."),
    "russian": ("cp1251", "Есть вопросы? Тогда перейдём к следующему пункту."),
    "russian-koi": ("koi8-r", "Есть вопросы? Тогда перейдём к следующему пункту."),
    "ukrainian": ("cp1251", "Чи є питання? Тоді перейдімо до наступного пункту."),
    "greek": ("cp1253", "Υπάρχουν ερωτήσεις; Τότε περνάμε στο επόμενο θέμα."),
    "greek-iso": ("iso8859-7", "Άρα, υπάρχουν ερωτήσεις; Τότε περνάμε στο επόμενο θέμα."),
    "hebrew": ("cp1255", "יש שאלות? אז נעבור לנושא הבא."),
    "arabic": ("cp1256", "هل هناك أسئلة؟ إذن ننتقل إلى الموضوع التالي."),
    "arabic-iso": ("iso8859-6", "هل هناك أسئلة؟ إذن ننتقل إلى الموضوع التالي."),
    "japanese": ("shift_jis", "質問はありますか。では次の議題に移ります。"),
    "japanese-euc": ("euc_jp", "質問はありますか。では次の議題に移ります。"),
    "korean": ("euc_kr", "질문 있으십니까? 그럼 다음 안건으로 넘어가겠습니다."),
    "chinese": ("gb18030", "大家有什么问题吗？那我们来看下一个议题。"),
    "taiwanese": ("big5", "大家有什麼問題嗎？那我們來看下一個議題。"),
    "english": ("cp1252", "It’s fine – we don’t need the “old” café table."),
}


def srt(text: str) -> str:
    return f"1\n00:00:01,000 --> 00:00:02,000\nAnn: {text}\n"


@pytest.mark.parametrize("name", SPEECH)
def test_one_sentence_tells_the_encoding(tmp_path: Path, name: str) -> None:
    encoding, text = SPEECH[name]
    path = tmp_path / "t.srt"
    path.write_bytes(srt(text).encode(encoding))
    (turn,), _, transcript = read(path)
    assert turn.text == text
    assert transcript.source.guessed


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_needs_no_guess(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.srt"
    path.write_bytes(srt("Grüße, 田中 😀").encode(encoding))
    (turn,), _, transcript = read(path)
    assert turn.text == "Grüße, 田中 😀"
    assert not transcript.source.guessed


def test_a_damaged_utf8_file_is_not_read_as_something_else(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes("Ann: Grüße an alle.\nBo: Schöne Grüße zurück.\nAnn: Für ".encode() + b"\xfc\n")
    with pytest.raises(InputError, match=r"t\.txt:3: not utf-8"):
        read(path)


def test_the_line_of_a_wrong_byte_is_named_far_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes("Ann: Schöne Grüße.\n".encode() * 30_000 + b"Bo: \xfc\n")
    with pytest.raises(InputError, match=r"t\.txt:30001: not utf-8"):
        read(path)


def test_what_no_language_comes_of_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"Ann: \x81\x8d\x8f \x90\x9d\xfe\xb0\xa4\n")
    with pytest.raises(InputError, match="its encoding cannot be told"):
        read(path)


def test_a_named_encoding_is_used(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes("Ann: ñ\n".encode("cp437"))
    (turn,), _, transcript = read(path, encoding="IBM437")
    assert (turn.text, transcript.source.encoding) == ("ñ", "cp437")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text",
    ["Анна: Есть вопросы?\nБорис: Нет, спасибо.\n", "田中: はい\n鈴木: いいえ 1 2\n", "李开: 好\n张伟: 开始\n"],
)
def test_utf_16_without_a_mark_in_any_script(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes((text * 2).encode(encoding))
    turns, _, transcript = read(path)
    assert (len(turns), transcript.source.encoding, transcript.source.guessed) == (4, encoding, False)


def test_a_stray_nul_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"Ann: Hel\0lo\nBo: Hi\n")
    with pytest.raises(InputError, match="1 NUL bytes, which no text has"):
        read(path)
