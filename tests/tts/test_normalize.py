# ruff: noqa: E501 - a table is read line by line
"""Text is said as a person would read it, and every word knows what it was written with."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.text import numbers
from tts.text.addresses import say_address
from tts.text.normalize import normalize


@pytest.mark.parametrize(
    ("written", "said"),
    [
        # numbers
        ("I have 3 of 12.", "I have three of twelve."),
        ("1,234 and 1,234,567", "one thousand two hundred and thirty four and one million two hundred and "
         "thirty four thousand five hundred and sixty seven"),
        ("3.14, 0.05, .5, -5, −7.2", "three point one four, zero point zero five, zero point five, minus five, "
         "minus seven point two"),
        ("code 00721", "code zero zero seven two one"),
        ("12345678901234567890", " ".join(numbers.digits("12345678901234567890").split())),
        ("the 1st, 22nd and 103rd", "the first, twenty second and one hundred and third"),
        ("1/2, 3/4 and 2 1/3 of ½", "one half, three quarters and two and one third of one half"),
        ("24/7", "twenty four seven"),
        ("10-20 or 5–6", "ten to twenty or five to six"),
        ("5 - 3 = 2", "five minus three equals two"),
        ("2*3, x^2", "two times three, x squared"),
        ("v1.2.3 of version 2.0.1", "version one point two point three of version two point zero point one"),
        ("No. 5, #7", "number five, number seven"),
        ("B2B, H2O, 4K, A320, iPhone15", "bee two bee, aitch two oh, four kay, ay three two zero, iPhone fifteen"),
        ("1920x1080", "one thousand nine hundred and twenty by one thousand and eighty"),
        ("Henry VIII, John Paul II, World War II, Part IV, an IV drip", "Henry the eighth, John Paul the second, "
         "World War two, Part four, an eye vee drip"),
        ("In Part I agree; see Section I.", "In Part I agree; see Section one."),
        ("Chapters II and III, pp. 12-15", "Chapters two and three, pages twelve to fifteen"),
        ("2.3k users, 10M, 1e-5, 802.11ac", "two point three thousand users, ten million, one times ten to the "
         "power of minus five, eight hundred and two point one one ay see"),
        ("16:9, 50/50, 3x, 10/2=5, 10^-3", "sixteen to nine, fifty fifty, three times, ten divided by two equals "
         "five, ten to the power of minus three"),
        ("E=mc², 5 m², 3 sq. ft. wide", "E equals mc squared, five square meters, three square feet wide"),
        ("the server 192.168.0.1", "the server one nine two dot one six eight dot zero dot one"),
        # codes
        ("code XK7-29Q, order #A-1234", "code ex kay seven, two nine cue, order number A twelve thirty four"),
        ("the code is 482913, ending in 4242", "the code is four eight two nine one three, ending in four two four two"),
        ("Springfield, IL 62704-1234", "Springfield, Illinois six two seven zero four, one two three four"),
        ("call 112, 0800 123 456", "call one one two, zero eight zero zero, one two three, four five six"),
        # dates and times
        ("Mon-Fri 9am-5pm, on Wed, 9/11", "Monday to Friday nine ay em to five pee em, on Wednesday, nine eleven"),
        ("11.9.2001, 17:00 hrs, 45:30 min, 1h 30m", "September eleventh, two thousand and one, seventeen hundred "
         "hours, forty five minutes and thirty seconds, one hour thirty minutes"),
        ("in 1984, 2005, 2024", "in nineteen eighty four, two thousand and five, twenty twenty four"),
        ("2024-05-01", "May first, twenty twenty four"),
        ("5/1/2024, 13/2/99", "May first, twenty twenty four, February thirteenth, nineteen ninety nine"),
        ("May 1st, 2024; Dec. 25", "May first, twenty twenty four; December twenty fifth"),
        ("1 May 2024", "first of May twenty twenty four"),
        ("the 1990s and the '80s", "the nineteen nineties and the eighties"),
        ("5:30pm, 14:05, 9:00, 17:00", "five thirty pee em, fourteen oh five, nine o'clock, seventeen hundred"),
        ("at 5 p.m. now", "at five pee em now"),
        ("at 5 p.m.", "at five pee em."),
        ("10:15:30", "ten fifteen and thirty seconds"),
        # money, percent, units
        ("$5, $1, $5.20, $0.05, $1.01", "five dollars, one dollar, five dollars and twenty cents, five cents, "
         "one dollar and one cent"),
        ("$1.5 million, €2bn, £3k", "one point five million dollars, two billion euros, three thousand pounds"),
        ("20 USD, 20€, -$4", "twenty dollars, twenty euros, minus four dollars"),
        ("5%, 3.5 %", "five percent, three point five percent"),
        ("3 km, 1 kg, 100 km/h, 20°C, a 5-km run", "three kilometers, one kilogram, one hundred kilometers per "
         "hour, twenty degrees Celsius, a five kilometer run"),
        ("5'11\" tall", "five foot eleven tall"),
        ("$5-10, $1.5-2 million, EUR 30, 5¢, $1 USD", "five to ten dollars, one point five to two million dollars, "
         "thirty euros, five cents, one dollar"),
        ("£12.50/month, 30 miles/hour, $60k/yr", "twelve pounds and fifty pence per month, thirty miles per hour, "
         "sixty thousand dollars per year"),
        ("6 ft. tall, 5 ft 7 in, 3.5\" wide, 2 tsp", "six feet tall, five foot seven, three point five inches wide, "
         "two teaspoons"),
        ("40.7° N", "forty point seven degrees north"),
        # telephone
        ("(555) 123-4567", "five five five, one two three, four five six seven"),
        ("+44 20 7946 0958", "plus four four, two zero, seven nine four six, zero nine five eight"),
        ("555-1234", "five five five, one two three four"),
        # addresses
        ("see https://www.example.com/docs/v2.", "see example dot com slash docs slash vee two."),
        ("bbc.co.uk", "bee bee see dot co dot you kay"),
        ("john.doe@example.org", "john dot doe at example dot org"),
        ("report_v2.pdf in C:\\Users", "report underscore vee two dot pee dee eff in see colon backslash Users"),
        # abbreviations, acronyms
        ("Mr. and Mrs. Smith at 1st St. and Main St. NW", "mister and missus Smith at first street and Main street "
         "northwest"),
        ("AT&T, Q&A, Wi-Fi, w/o or w/ sugar", "ay tee and tee, cue and ay, why fie, without or with sugar"),
        ("Dr. Smith on Main St. in St. Louis", "doctor Smith on Main street in saint Louis"),
        ("pens, e.g. red ones, etc.", "pens, for example red ones, et cetera."),
        ("The U.S. and NASA", "The you ess and nasa"),
        ("two APIs, the FBI's PDF", "two ay pee eyes, the eff bee eye's pee dee eff"),
        ("JSON, JPEGs or SQL", "jason, jay pegs or sequel"),
        ("J. R. R. Tolkien", "jay are are Tolkien"),
        ("I said NO", "I said no"),
        ("STOP SHOUTING AT ME", "stop shouting at me"),
        ("Jan. is cold, Mon. too", "January is cold, Monday too"),
        # markup
        ("**Bold** _it_ ~~x~~ `code`", "Bold it x code"),
        ("# Title\n- one\n- two", "Title, one, two"),
        ("[a link](http://x.com/y) and ![alt](z.png)", "a link and alt"),
        ("<speak>Hi <break time='1s'/> you</speak>", "Hi you"),
        ("fish &amp; chips &lt;3", "fish and chips three"),
        ("a snake_case name", "a snake case name"),
        # signs
        ("you & me @ 5", "you and me at five"),
        ("Well — yes (maybe)…", "Well, yes, maybe."),
        ("Wait... what?! No!!!", "Wait, what? No!"),
        ("and/or", "and or"),
        ("Great job 👍!", "Great job!"),
        ("👍🎉", "thumbs up sign party popper"),
        ("a\x00\x1bb\u200d", "a b"),
        # other scripts
        ("Ça va, naïve café", "Ca va, naive cafe"),
        ("Привет, мир", "Privet, mir"),
        ("你好！", "Ni Hao!"),
        ("٣ and ３", "three and three"),
        # nothing
        ("", ""),
        ("...", "."),
        ("** --", ""),
    ],
)  # fmt: skip
def test_said_in_english(written: str, said: str) -> None:
    spoken = normalize(written)
    if said in ("", "."):
        assert not spoken.audible
    else:
        assert spoken.text == said


def test_engines_of_other_languages_read_for_themselves() -> None:
    spoken = normalize("**Это** стоит $5.20, café №5 👍 <b>da</b>!", languages=("ru", "en"))
    assert spoken.text == "Это стоит $5.20, café №5 da!"
    assert normalize("你好，世界。", languages=("*",)).text == "你好，世界。"
    assert normalize("snake_case", languages=("*",)).text == "snake case"


def test_words_keep_the_span_they_were_written_with() -> None:
    written = "Pay $5.20 to **Dr.** Smith."
    spoken = normalize(written)
    spans = {
        word[0]: written[slice(*spoken.source(*word.span()))] for word in re.finditer(r"[\w']+", spoken.text)
    }
    assert spans["Pay"] == "Pay"
    assert spans["dollars"] == spans["twenty"] == "$5.20"
    assert spans["Smith"] == "Smith"
    assert spoken.source(0, len(spoken.text)) == (0, len(written))


def test_addresses() -> None:
    assert say_address("https://www.a-b.io/x_y?q=1&z=%20#top") == (
        "ay dash bee dot eye oh slash ex underscore why question mark cue equals one and zee equals percent "
        "two zero hash top"
    )


anything = st.one_of(
    st.text(max_size=120),
    st.text(alphabet="aZ09.,-/:$€%°#*_`[]()<>&;'\"@ \n", max_size=120),
    st.lists(
        st.sampled_from(
            ["$5.20", "3.14", "Dr.", "5 p.m.", "NASA", "**x**", "http://a.b/c", "a@b.co", "1/2", "2024-05-01", "👍", "é",
             "5km", "–", "(", "&amp;", "10:15", "+1 555 123 4567", "№", "½", "x^2", "[a](b)"]
        ),
        max_size=12,
    ).map(" ".join),
)  # fmt: skip


@given(anything)
def test_anything_is_said_in_plain_ascii(text: str) -> None:
    spoken = normalize(text)
    assert re.fullmatch(r"[A-Za-z0-9' .,;:!?-]*", spoken.text), spoken.text
    assert not re.search(r"\s\s|\s[.,;:!?]|[.,;:!?]{2}", spoken.text), spoken.text


@given(anything, st.sampled_from([("en",), ("*",)]))
def test_spans_are_in_order_and_inside(text: str, languages: tuple[str, ...]) -> None:
    spoken = normalize(text, languages=languages)
    before = 0
    for word in re.finditer(r"\S+", spoken.text):
        begin, end = spoken.source(*word.span())
        assert before <= begin <= end <= len(text)
        before = begin


@given(st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), min_size=1, max_size=20))
def test_plain_words_are_left_alone(words: list[str]) -> None:
    text = " ".join(word for word in words if word != "etc")
    assert normalize(text).text == text


@given(st.integers(0, 10**15 - 1))
def test_quantities_have_no_digits_left(value: int) -> None:
    assert re.fullmatch(r"[a-z ]+", numbers.cardinal(f"{value:,}"))
    assert re.fullmatch(r"[A-Za-z ]+", normalize(str(value)).text)
