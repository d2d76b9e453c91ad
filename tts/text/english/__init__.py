"""
English, in the order in which its rules are tried.

``web``          addresses of mail, web and files
``calendar``     days, years, times of day
``digits``       telephone numbers, cards, codes
``quantities``   money, measures, sizes
``figures``      fractions, ordinals, versions, Roman numerals, plain numbers
``short_forms``  titles, abbreviations, acronyms
``words``        everything else, and punctuation
"""

from tts.text.english import calendar, digits, figures, quantities, short_forms, web, words
from tts.text.rules import Rules

RULES = Rules.joined(
    web.RULES,
    calendar.RULES,
    digits.RULES,
    quantities.RULES,
    figures.RULES,
    short_forms.RULES,
    words.RULES,
)
