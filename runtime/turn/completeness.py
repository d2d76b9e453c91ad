"""Whether the words so far sound like a finished thought: evidence for endpointing."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

Completeness: TypeAlias = Literal["finished", "unfinished", "unclear"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _phrases(text: str) -> frozenset[str]:
    return frozenset(" ".join(phrase.split()) for phrase in text.split("|"))


_HESITATIONS: Final = _words("uh um er erm ah hm hmm mm well so like")

# Words with which English hardly ends a turn: they announce something that is still to come. Prepositions
# that end questions ("for", "with", "to") are left out, as are words that answer ("what", "that").
_ANNOUNCING: Final = _words(
    """
    a an the my your his its our their every each
    and or but nor because cause although though unless until while whereas if whether than as
    of into onto from at by between among during per via
    am is are was were be been being i'm you're we're they're he's she's it's i'd i'll you'll we'll i've
    has had will would shall should could may might must
    i we they he she
    very really quite rather too double triple
    want wanna need gonna
    """
)
_ANNOUNCING_PAIRS: Final = _phrases(
    """
    want to|going to|need to|have to|like to|trying to|able to|used to|supposed to|the first|the next|
    in the|on the|to the|for the|with the|is to|one of|some of|kind of|sort of|such as|for example|
    my name's|name is|number is|address is|email is|birth is|i think|i mean|i guess|you know|let me|
    would like|looking for|calling about|talk to|speak to|speak with
    """
)
_ANSWERS: Final = _phrases(
    """
    yes|no|nope|yeah|yep|yup|sure|okay|ok|right|correct|exactly|hello|hi|hey|goodbye|bye|thanks|thank you|
    yes please|no thanks|no thank you|that's right|that's it|that's all|that is all|of course|never mind|
    i don't know|i'm not sure|not sure|good morning|good afternoon|good evening|stop|help|nothing|none|
    both|neither|maybe|absolutely|definitely|not really|sounds good|go ahead|repeat|again|agent|operator
    """
)
_CLOSINGS: Final = _phrases(
    """
    please|thanks|thank you|today|tomorrow|yesterday|now|soon|either|anymore|that's all|for me|right now|
    as well|bye
    """
)
_QUESTION: Final = re.compile(
    r"^(?:(?:and|so|but|okay|well) )?(?:what|when|where|who|why|how|which|whose|is|are|was|were|do|does|did|"
    r"can|could|will|would|should|have|has|may|isn't|aren't|don't|doesn't|can't)\b"
)
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def judge_completeness(text: str) -> Completeness:
    """
    Judge a partial transcript, English, with or without punctuation and capitals.

    "finished" for a terminal mark, a plain answer, a courtesy at the end, or a question of some length;
    "unfinished" when it breaks off on a hesitation, a comma, or a word that announces more ("and", "my",
    "want to"); "unclear" otherwise, for no words, and for other scripts.

    The word lists are this project's own reading of spoken English, not trained on anything: they move a
    waiting time, they never decide alone.
    """
    stripped = text.strip().rstrip("\"'”’)")
    words = [word.replace("’", "'") for word in _WORD.findall(stripped.lower())]
    if not words:
        return "unclear"
    if stripped.endswith(("...", "…", ",", "-", "–", "—", ":", ";")):
        return "unfinished"
    last, pair = words[-1], " ".join(words[-2:])
    if last in _HESITATIONS or pair in _ANNOUNCING_PAIRS:
        return "unfinished"
    if stripped.endswith(("?", "!", ".")):
        return "finished"
    sentence = " ".join(words)
    if sentence in _ANSWERS:
        return "finished"
    if last in _ANNOUNCING:
        return "unfinished"
    if any(sentence == closing or sentence.endswith(" " + closing) for closing in _CLOSINGS):
        return "finished"
    if len(words) >= 4 and _QUESTION.match(sentence):
        return "finished"
    return "unclear"


def looks_complete(text: str) -> bool:
    """Whether :func:`judge_completeness` calls it finished."""
    return judge_completeness(text) == "finished"
