"""The words that texts are made of. None is a number or a name: what a text claims comes from facts alone.

A sentence is an opener, a core and a tail; drawn freely they give some two thousand ways to state one fact.
`{label}` is a fact's name in words, `{value}` its value, `{subject}` the value that names the row. Every
phrase of a sentence starts with a word of its own, so that capitalising it never changes a value.
"""

from itertools import product

LABEL = (
    "*Simulated text: written by Pressline's simulated provider from the facts of the row, not by a model.*"
)

OPENERS = (
    "",
    "",
    "according to the record, ",
    "in short, ",
    "for reference, ",
    "as the record shows, ",
    "for anyone comparing options, ",
    "when planning ahead, ",
    "on this point, ",
    "in practice, ",
    "to be precise, ",
    "taken from the source, ",
    "for those who decide soon, ",
    "before anything else, ",
)

SUBJECT_OPENERS = (
    "for {subject}, ",
    "in the case of {subject}, ",
    "with {subject}, ",
    "looking at {subject}, ",
    "as far as {subject} goes, ",
)

CORES = (
    "the record puts the {label} at {value}",
    "the source puts {value} under {label}",
    "the record lists {value} as the {label}",
    "the entry under {label} reads {value}",
    "readers will find {value} under {label}",
    "those who look for the {label} will find {value}",
    "the source gives {value} for the {label}",
    "what is recorded as the {label} is {value}",
    "the answer for the {label} is {value}",
    "it is {value} that the source names as the {label}",
    "under {label}, the source states {value}",
    "the line for the {label} says {value}",
)

TAILS = (
    "",
    "",
    ", which makes it easy to compare with similar entries",
    ", so plans can be built around it",
    ", and that is worth knowing in advance",
    ", a detail that often settles a choice",
    ", plainly put",
    ", without any guesswork",
    ", which keeps expectations clear",
    ", and nothing here goes beyond that",
    ", which is what most readers look for",
    ", a point that saves a question later",
    ", and it can be checked against the source",
)

PLAIN_SUBJECTS = (
    "the page",
    "this overview",
    "the text",
    "this summary",
    "the entry",
    "the description",
    "this section",
    "what is written here",
)

PLAIN_VERBS = (
    "keeps to what the record says",
    "stays close to the source",
    "sets out the details in plain words",
    "gives readers a clear picture",
    "puts the useful details in order",
    "avoids claims that cannot be checked",
    "leaves out what the source does not state",
    "brings the known details together",
)

PLAIN_TAILS = (
    "",
    " and leaves the rest to the reader",
    " so that a choice is easier to make",
    " without adding anything of its own",
    " in a form that is quick to read",
    " and can be read in a moment",
    " for readers who are short of time",
    " so that nothing has to be guessed",
)

HEADINGS = (
    "about the {label}",
    "the {label} in detail",
    "what to know about the {label}",
    "notes on the {label}",
    "details of the {label}",
    "a closer look at the {label}",
)

PLAIN_HEADINGS = ("overview", "in brief", "what to know", "details", "further notes", "summary")

HEADLINES = (
    "{subject}: what the record says about the {label}",
    "{subject} and the {label} in plain words",
    "{subject}: the {label} at a glance",
    "{subject} in brief, with the {label}",
)

PLAIN_HEADLINES = ("an overview in plain words", "what the record says", "the details at a glance")

QUESTIONS = (
    "what is given for the {label}?",
    "what does the record say about the {label}?",
    "what is on record for the {label}?",
    "what should readers know about the {label}?",
)

TITLE_SHAPES = ("{first}: {rest}", "{first} | {rest}", "{first} \u2013 {rest}", "{first}, {rest}")

FILLER = " and more for readers who want the details in plain words"

REFUSAL = "I'm sorry, but I can't help with that request."

INVENTED_NAMES = (
    "Marlowe",
    "Zendaria",
    "Quistberg",
    "Ostrava Heights",
    "Belcanto",
    "Dunmorrow",
    "Vexley",
    "Kartholm",
    "Pellingrave",
    "Ashcombe Reach",
)


def sentence_case(text: str) -> str:
    """Return `text` with its first letter raised."""
    return text[:1].upper() + text[1:]


def _combined(*parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sentence_case("".join(chosen)) + "." for chosen in product(*parts))


# Combined once: drawing and joining the parts for each sentence costs most of the time of a text.
SENTENCES = _combined(OPENERS, CORES, TAILS)
SUBJECT_SENTENCES = _combined(SUBJECT_OPENERS, CORES, TAILS)
PLAIN_SENTENCES = _combined(PLAIN_SUBJECTS, (" ",), PLAIN_VERBS, PLAIN_TAILS)
