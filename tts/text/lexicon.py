"""English written forms that are not said as they are spelled."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "mr": "mister",
        "mrs": "missus",
        "ms": "miz",
        "dr": "doctor",
        "prof": "professor",
        "gen": "general",
        "sen": "senator",
        "rep": "representative",
        "gov": "governor",
        "capt": "captain",
        "lt": "lieutenant",
        "col": "colonel",
        "sgt": "sergeant",
        "rev": "reverend",
        "hon": "honorable",
        "pres": "president",
        "mt": "mount",
        "ft": "fort",
        "st": "saint",
    }
)
"""Before a name; the period never ends a sentence. Keys are without it, as everywhere here."""

ABBREVIATIONS: Mapping[str, str] = MappingProxyType(
    {
        "e.g": "for example",
        "eg": "for example",
        "i.e": "that is",
        "ie": "that is",
        "vs": "versus",
        "viz": "namely",
        "cf": "compare",
        "approx": "approximately",
        "dept": "department",
        "est": "established",
        "fig": "figure",
        "vol": "volume",
        "ext": "extension",
        "dist": "district",
        "misc": "miscellaneous",
        "min": "minutes",
        "max": "maximum",
        "tel": "telephone",
        "govt": "government",
        "appt": "appointment",
    }
)
"""In mid-sentence; the period never ends one."""

CLOSING_ABBREVIATIONS: Mapping[str, str] = MappingProxyType(
    {
        "etc": "et cetera",
        "inc": "incorporated",
        "ltd": "limited",
        "corp": "corporation",
        "co": "company",
        "bros": "brothers",
        "jr": "junior",
        "sr": "senior",
        "ave": "avenue",
        "blvd": "boulevard",
        "rd": "road",
        "hwy": "highway",
        "apt": "apartment",
        "a.m": "ay em",
        "p.m": "pee em",
        "ph.d": "pee aitch dee",
        "b.c": "bee see",
        "a.d": "ay dee",
    }
)
"""The period ends a sentence too when a capital follows."""

MONTHS: Mapping[str, str] = MappingProxyType(
    {
        "jan": "january",
        "feb": "february",
        "mar": "march",
        "apr": "april",
        "jun": "june",
        "jul": "july",
        "aug": "august",
        "sep": "september",
        "sept": "september",
        "oct": "october",
        "nov": "november",
        "dec": "december",
    }
)

MONTH_NAMES = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

WEEKDAYS: Mapping[str, str] = MappingProxyType(
    {
        "mon": "monday",
        "tue": "tuesday",
        "tues": "tuesday",
        "wed": "wednesday",
        "thu": "thursday",
        "thur": "thursday",
        "thurs": "thursday",
        "fri": "friday",
        "sat": "saturday",
        "sun": "sunday",
    }
)

NEVER_FINAL = frozenset(TITLES) | frozenset(ABBREVIATIONS)
"""Before a period that ends no sentence, whatever follows."""

FINAL_BEFORE_CAPITAL = frozenset(CLOSING_ABBREVIATIONS) | frozenset(MONTHS) | frozenset(WEEKDAYS)
"""Before a period that ends a sentence if a capital letter follows."""

LETTERS: Mapping[str, str] = MappingProxyType(
    {
        "A": "ay",
        "B": "bee",
        "C": "see",
        "D": "dee",
        "E": "ee",
        "F": "eff",
        "G": "jee",
        "H": "aitch",
        "I": "eye",
        "J": "jay",
        "K": "kay",
        "L": "ell",
        "M": "em",
        "N": "en",
        "O": "oh",
        "P": "pee",
        "Q": "cue",
        "R": "are",
        "S": "ess",
        "T": "tee",
        "U": "you",
        "V": "vee",
        "W": "double you",
        "X": "ex",
        "Y": "why",
        "Z": "zee",
    }
)
"""Names of the letters, spelled so that any English synthesizer says them (a lone "a" may be an article)."""

PRONOUNCED_ACRONYMS = frozenset(
    (  # noqa: SIM905
        "AIDS BIOS COBOL COVID DOS FEMA FIFA FOMO GIF IKEA IMAX LAN LASER "
        "LIDAR NASA NASDAQ NATO NIMBY NOAA OPEC OSHA PIN POTUS RADAR RAM RAID REST ROM SCUBA SIM "
        "SONAR SOAP SWAT SWIFT TASER TEFL UNESCO UNICEF WAN WASP YOLO ZIP "
    ).split()
)
"""Capitals that are said as a word."""

RESPELLED_ACRONYMS: Mapping[str, str] = MappingProxyType(
    {
        "ASAP": "ay sap",
        "ASCII": "askey",
        "CAPTCHA": "capcha",
        "GUI": "gooey",
        "JPEG": "jay peg",
        "JSON": "jason",
        "MIDI": "middy",
        "MPEG": "em peg",
        "SQL": "sequel",
        "TOEFL": "toe full",
        "WIFI": "why fie",
        "NE": "northeast",
        "NW": "northwest",
        "SE": "southeast",
        "SW": "southwest",
        "YAML": "yamel",
    }
)
"""Capitals that are said as words which nobody writes."""

SHOUTED_WORDS = frozenset(
    (  # noqa: SIM905
        "A ALL AM AN AND ANY ARE AS AT BAD BE BEST BIG BOY BUT BY CALL CAN DAY DID DO DON END FAR FOR "
        "FREE FROM FUN GET GO GOOD GOT HAD HAS HE HELP HER HERE HEY HI HIM HIS HOT HOW I IF IN IS ITS "
        "JUST LET LIKE LOVE MAY ME MORE MUST MY NEED NEVER NEW NO NOT NOW OF OFF OH OLD ON ONE ONLY OR "
        "OUR OUT PLAY PUT REALLY RUN SALE SAY SEE SHE SO SOME STOP SUN THAT THE THEM THEN THEY THIS TO "
        "TOO TOP TRY TWO UP USE VERY WANT WAS WAY WE WELL WHAT WHEN WHO WHY WILL WIN WITH YES YET YOU "
        "YOUR "
    ).split()
)
"""Short words people write in capitals for emphasis; other short capitals are spelled out."""

NUMBERED = frozenset(
    (  # noqa: SIM905
        "act annex appendix article book chapter class division episode figure grade group level mark part "
        "phase scene season section stage step table tier title type unit vol volume war ward"
    ).split()
)
"""Words whose Roman numeral is a plain number: "World War II", "Section V"."""

REGNAL_NAMES = frozenset(
    (  # noqa: SIM905
        "Albert Alexander Alfonso Anne Benedict Boniface Carl Catherine Charles Christian Clement "
        "Constantine Edward Elizabeth Ferdinand Francis Franz Frederick George Gregory Gustav Harald "
        "Henri Henry Innocent Ivan James Jan John Joseph Juan Julius Leo Leopold Louis Ludwig Mary "
        "Maximilian Nicholas Olav Otto Paul Peter Philip Pius Ramesses Ramses Richard Robert Rudolf "
        "Sixtus Stephen Thutmose Umberto Urban Victor Wilhelm William"
    ).split()
)
"""Names that kings and popes have had more than once: "Henry VIII" is the eighth."""
