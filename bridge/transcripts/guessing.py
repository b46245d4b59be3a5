"""The encoding of a text that is not Unicode, by the letters that come out.

A wrong encoding makes letters of other languages, or signs in the midst of words. So each encoding is tried with the
letters of the languages that are written in it, and the one wins in which the largest share of what is not ASCII is
usual for one language. Of equals, the earlier in the list. This is quick, needs no package, and does better on a few
lines of speech than charset-normalizer, which takes French for Latvian there (docs/dependencies.md).
"""

from __future__ import annotations

from collections.abc import Iterator

ENOUGH = 0.85
"""Least share of letters that must be usual."""

_SIGNS = "“”„‘’‚«»‹›–—…•·€£§°©®™²³½¿¡\xa0"
_QUOTES = "’“”–…"
_WEST = (
    ("äöü", "ßÄÖÜé"),  # German
    ("éèàê", "ëâçùûîïôÉÈÊÀÂÇÔ"),  # French
    ("áéíóñ", "úüÁÉÍÓÚÑºª"),  # Spanish
    ("ãçáé", "õíóúâêôàÃÕÁÉÍÓÚÂÊÔÇºª"),  # Portuguese
    ("àèùò", "éìíóÀÈÉÌÒÙ"),  # Italian
    ("åäö", "éÅÄÖ"),  # Swedish, Finnish
    ("åøæ", "éÅÆØ"),  # Danish, Norwegian
    ("ëïé", "èöüóáÉ"),  # Dutch
)
_MIDDLE = (
    ("ąęłóśż", "ćńźĄĆĘŁŃÓŚŹŻ"),  # Polish
    ("áíěčřž", "ďéňóšťúůýÁČĎÉĚÍŇÓŘŠŤÚŮÝŽ"),  # Czech
    ("áéőöü", "íóúűÁÉÍÓÖŐÚÜŰ"),  # Hungarian
    ("áíčšžý", "äďéĺľňóôŕťúÁÄČĎÉÍĽŇÓÔŠŤÚÝŽ"),  # Slovak
    ("čšž", "ćđČĆĐŠŽ"),  # Croatian, Slovene
    ("ăâîşţ", "ĂÂÎŞŢ"),  # Romanian
)
_RUSSIAN = ("оеаинт", "бвгджзйклмпрсуфхцчшщъыьэюяё")
_CYRILLIC = (
    _RUSSIAN,
    ("оаиінт", "бвгґдеєжзїйклмпрсуфхцчшщьюя"),  # Ukrainian
    ("аоиентс", "бвгдђжзјклљмњпрћуфхцчџш"),  # Serbian
)
_GREEK = (("αοιετσν", "βγδζηθκλμξπρςυφχψωάέήίόύώϊϋΐΰΆΈΉΊΌΎΏ"),)
_ARABIC = (("الينمره", "ءآأؤإئبةتثجحخدذزسشصضطظعغفقكوىپچژگـ،؛؟ًٌٍَُِّْ"),)
# Encoding, and of each language its frequent letters and the others.
_ALPHABETS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("cp1252", _WEST),
    ("cp1254", (("ıüşğç", "öâîûÇĞİÖŞÜ"),)),
    ("cp1250", _MIDDLE),
    ("iso8859-2", _MIDDLE),
    ("cp1252", (("áíóéðö", "úýþæÁÉÍÓÚÝÞÆÖÐ"),)),  # Icelandic, which Turkish resembles
    ("cp1257", (("ėšųį", "ąčęūžĄČĘĖĮŠŲŪŽ"), ("āīēšņ", "čģķļūžĀČĒĢĪĶĻŅŠŪŽ"), ("äõöü", "šžÄÕÖÜŠŽ"))),
    ("mac_roman", _WEST),
    ("cp850", _WEST),
    ("cp1251", _CYRILLIC),
    ("koi8-r", (_RUSSIAN,)),
    ("cp866", (_RUSSIAN,)),
    ("iso8859-5", _CYRILLIC),
    ("cp1253", _GREEK),
    ("iso8859-7", _GREEK),
    ("cp1255", (("יוהלארמת", "בגדזחטךכםןנסעףפץצקש₪"),)),
    ("cp1256", _ARABIC),
    ("iso8859-6", _ARABIC),
)
_EAST = ("cp932", "euc_jp", "euc_kr", "gb18030", "big5")
_EAST_SIGNS = "、。，！？：；「」『』（）《》〈〉・ー～…—　"


def guess(sample: bytes) -> str | None:
    """The encoding of a sample that is no Unicode; None if no language comes out.

    >>> guess("Là, nous avons décidé.".encode("cp1252")), guess("Günaydın arkadaşlar".encode("cp1254"))
    ('cp1252', 'cp1254')
    >>> guess("Доброе утро, начнём".encode("koi8-r")), guess("会議を始めましょう".encode("shift_jis"))
    ('koi8-r', 'cp932')
    """
    best, found = 0.0, None
    for encoding, share in _shares(sample):
        if share > best:
            best, found = share, encoding
    return found if best >= ENOUGH else None


def _shares(sample: bytes) -> Iterator[tuple[str, float]]:
    """Of each encoding that the sample can be in, how usual its letters are: their share, and a little for those that
    are frequent."""
    for encoding, languages in _ALPHABETS:
        text = _decoded(sample, encoding)
        if text is not None:
            letters = [character for character in text if not character.isascii()]
            most = max(_usual(letters, frequent, others) for frequent, others in languages)
            is_latin = languages in (_WEST, _MIDDLE) or encoding in ("cp1252", "cp1254", "cp1257")
            yield encoding, (most - _misplaced(text, is_latin)) / max(1, len(letters))
    for encoding in _EAST:
        text = _decoded(sample, encoding)
        if text is not None:
            letters = [character for character in text if not character.isascii()]
            usual = sum(character in _EAST_SIGNS or _is_eastern(character, encoding) for character in letters)
            kana = sum("\u3041" <= character <= "\u30fa" for character in letters)
            is_whole = encoding not in ("cp932", "euc_jp") or 10 * kana > len(letters)
            yield encoding, usual / max(1, len(letters)) * (1 if is_whole else 0.5)


def _usual(letters: list[str], frequent: str, others: str) -> float:
    known = {*frequent, *others, *frequent.upper(), *others.upper(), *_SIGNS}
    return sum(map(known.__contains__, letters)) + sum(map((frequent + _QUOTES).__contains__, letters)) / 20


def _decoded(sample: bytes, encoding: str) -> str | None:
    try:
        return sample.decode(encoding)
    except UnicodeDecodeError as error:
        # The sample may end in the midst of a character.
        return sample[: error.start].decode(encoding) if error.start >= max(4, len(sample) - 3) else None


def _misplaced(text: str, is_latin: bool) -> int:
    """Capitals behind small letters, as Cyrillic has them in the wrong encoding, signs between letters, and letters of
    another script in the midst of Latin ones."""
    found = 0
    for before, here, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if not here.isascii() and here != "’":
            beside = before + after
            found += (
                (before.islower() and here.isupper())
                or (here in _SIGNS and before.isalpha() and after.isalpha())
                or (not is_latin and here.isalpha() and any(one.isascii() and one.isalpha() for one in beside))
            )
    return found


def _is_eastern(character: str, encoding: str) -> bool:
    if encoding in ("cp932", "euc_jp"):
        # Kanji come with kana; half-width kana are what other encodings look like in this one.
        return "\u3041" <= character <= "\u30fa" or "\u4e00" <= character <= "\u9fff"
    if encoding == "euc_kr":
        return "\uac00" <= character <= "\ud7a3"
    lead = character.encode(encoding)[0]
    if encoding == "gb18030":  # the first half of GB 2312
        return "\u4e00" <= character <= "\u9fff" and 0xB0 <= lead <= 0xD7 and len(character.encode(encoding)) == 2
    return "\u4e00" <= character <= "\u9fff" and 0xA4 <= lead <= 0xC6
