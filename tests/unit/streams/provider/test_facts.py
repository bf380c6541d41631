"""Finding facts in conversations."""

from streams.embedded.provider.chance import Chance
from streams.embedded.provider.facts import Fact, by_identity, invent, read_facts, slugify
from streams.embedded.provider.wire import Message, Role

BLOCK = """Write.
- not: a fact
FACTS
- city: Vienna
- opening_hours: "9:00 to 18:00"
- empty:
END FACTS
- nor: this"""


def user(text: str) -> Message:
    return Message(role=Role.USER, text=text)


def as_pairs(facts: tuple[Fact, ...]) -> list[tuple[str, str]]:
    return [(fact.name, fact.value) for fact in facts]


def test_the_block_alone_counts() -> None:
    facts = read_facts([user(BLOCK)])

    assert as_pairs(facts) == [("city", "Vienna"), ("opening_hours", "9:00 to 18:00")]
    assert facts[1].label == "opening hours"


def test_a_repair_request_does_not_hide_the_facts() -> None:
    talk = [
        user(BLOCK),
        Message(role=Role.ASSISTANT, text="{}"),
        user("Repair:\n- title: is a required property"),
    ]

    assert as_pairs(read_facts(talk))[0] == ("city", "Vienna")


def test_lines_count_where_there_is_no_block() -> None:
    talk = [
        user("About this:\n- name: Astoria\n"),
        Message(role=Role.ASSISTANT, text="- a: b"),
        user("- title: too short"),
    ]

    assert as_pairs(read_facts(talk)) == [("name", "Astoria")]


def test_no_facts_are_no_error() -> None:
    assert read_facts([user("Hello")]) == ()


def test_names_come_first_then_identifiers() -> None:
    facts = [Fact(name=name, value="x") for name in ("price", "sku", "productName", "colour")]

    assert [fact.name for fact in by_identity(facts)] == ["productName", "sku", "price", "colour"]


def test_invented_values_share_nothing_with_the_real_ones() -> None:
    real = (Fact(name="city", value="Vienna"), Fact(name="rooms", value="45"))

    invented = invent(real, Chance(b"x"))

    assert [fact.name for fact in invented] == ["city", "rooms"]
    assert not {fact.value for fact in invented} & {fact.value for fact in real}


def test_slugs_hold_plain_letters_digits_and_single_hyphens() -> None:
    assert slugify("  Café  Zürich & Söhne, 2. Stock! ") == "cafe-zurich-sohne-2-stock"


def test_numbers_are_read_with_separators() -> None:
    assert Fact(name="price", value="€ 1,240.50").number == 1240.5
    assert Fact(name="city", value="Vienna").number is None
