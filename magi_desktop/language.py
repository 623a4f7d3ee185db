"""A guess whether a prompt is English, the one language the model reads.

Meant for a calm hint, so it rather says nothing: names and short phrases count as English.
"""

from __future__ import annotations

import re
import unicodedata

_FOREIGN_SHARE = 0.4
"""Share of letters of another script from which a text is no longer English."""
_LETTERS_OF_AN_IDEOGRAPH = 3
_SOLE_HIT_WORDS = 4
_VIETNAMESE_WORDS = 3

_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»|「[^」]*」")
_VIETNAMESE = re.compile("[\u1ea0-\u1ef9ăđơư]")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = _words(
    """the of and with are at by for from its his their into onto through this that these while
    there as it he she they we you has have towards behind around between across above below
    moves moving slowly"""
)
# English, but short words of other languages too: each counts half.
_PERHAPS_ENGLISH = _words("a an in is on to over under her or not no so be up off down")

# Words that hold a sentence together and are no English words, names or titles: German, French,
# Spanish, Italian, Portuguese, Dutch, Polish and Czech, Nordic, Turkish, Indonesian, Finnish,
# Hungarian, Romanian.
_FOREIGN = _words(
    """eine einen einem einer eines ein und dem nicht sich auf mit nach über aus durch zum zur sind
    wird vor zwischen unter
    une dans avec pour sur qui est sont aux sous vers chez cette ces leur devant
    una los las con por para que hacia sobre entre desde está muy hasta
    uno nel nella sul sulla gli che verso della delle degli dello alla sono
    uma com não das pelo pela ao são até
    een het naar voor zijn niet aan boven naast
    się jest nad przez który która oraz pod přes
    och på som är mot över ett og til ikke
    bir için ile doğru üzerinde
    sebuah yang dengan ke dari pada
    joka kun egy és egyik și este într-un spre"""
)
# The same, but also English words or parts of names: they count only beside one of the others.
_PERHAPS_FOREIGN = _words(
    """die den der das dos las los de la le les du des un el y e o il lo i da di do os as se su me
    van von en na w z em al del um ist met op ve dan on av so je es si az ja"""
)


def looks_foreign(text: str) -> bool:
    """Whether a prompt is very likely not English. What stands in quotes does not count."""
    text = unicodedata.normalize("NFC", _QUOTED.sub(" ", text))
    return _in_another_script(text) or _in_other_words(text)


def _in_another_script(text: str) -> bool:
    latin = foreign = 0
    for sign in text:
        if not sign.isalpha():
            continue
        name = unicodedata.name(sign, "")
        if name.startswith(("LATIN", "FULLWIDTH LATIN")) or sign in "ªº":
            latin += 1
        else:
            foreign += _LETTERS_OF_AN_IDEOGRAPH if "IDEOGRAPH" in name else 1
    return foreign > 1 and foreign >= _FOREIGN_SHARE * (latin + foreign)


def _in_other_words(text: str) -> bool:
    words = [word.lower() for word in _WORD.findall(text)]
    english = sum(word in _ENGLISH for word in words)
    english += sum(word in _PERHAPS_ENGLISH for word in words) / 2
    sure = sum(word in _FOREIGN - _PERHAPS_FOREIGN for word in words)
    unsure = sum(word in _PERHAPS_FOREIGN for word in words)
    vietnamese = sum(bool(_VIETNAMESE.search(word)) for word in words)
    if vietnamese >= _VIETNAMESE_WORDS and 2 * vietnamese > len(words):
        return True
    if sure + unsure <= english:
        return False
    accented = any(not word.isascii() for word in words)
    alone = sure == 1 and english == 0 and len(words) >= _SOLE_HIT_WORDS
    return sure >= 2 or (sure == 1 and (unsure > 0 or accented)) or alone
