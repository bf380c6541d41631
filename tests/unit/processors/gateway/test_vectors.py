import math
import random
from itertools import starmap
from operator import mul

import pytest

from processors.gateway.vectors import DIMENSIONS_MAX, Vector, packed, unpacked
from processors.gateway.wire import NotAnAnswerError

TEXTS = 32


def a_unit_vector(chance: random.Random, dimensions: int) -> Vector:
    drawn = [chance.gauss(0, 1) for _ in range(dimensions)]
    length = math.hypot(*drawn)
    return tuple(value / length for value in drawn)


def dot(one: Vector, other: Vector) -> float:
    return math.fsum(starmap(mul, zip(one, other, strict=True)))


@pytest.mark.parametrize("dimensions", [1, 256, 3_072])
def test_cosines_stay_and_the_text_is_small(dimensions: int) -> None:
    chance = random.Random(dimensions)
    vectors = tuple(a_unit_vector(chance, dimensions) for _ in range(TEXTS))

    text = packed(vectors)
    kept = unpacked(text)

    changes = [
        abs(dot(vectors[0], each) - dot(kept[0], other)) for each, other in zip(vectors, kept, strict=True)
    ]
    assert max(changes) < 0.001
    assert len(text) < 300_000
    assert packed(kept) == text


@pytest.mark.parametrize(
    "vectors",
    [
        (),
        ((),),
        ((1.0,), (1.0, 2.0)),
        ((math.inf,),),
        ((math.nan,),),
        ((70_000.0,),),
        ((0.0,) * (DIMENSIONS_MAX + 1),),
    ],
    ids=["none", "empty", "two lengths", "infinite", "nan", "too large", "too long"],
)
def test_what_is_no_vector_is_refused(vectors: tuple[Vector, ...]) -> None:
    with pytest.raises(NotAnAnswerError):
        packed(vectors)
