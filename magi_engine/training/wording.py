"""The words that captions are made of."""

from __future__ import annotations

import random
from dataclasses import dataclass

from magi_engine.training.scenes import Background, Colour, Motion, Shape

# A word that stands twice is simply twice as likely.
SHAPE_WORDS: dict[Shape, tuple[str, ...]] = {
    Shape.CIRCLE: ("circle", "circle", "ball", "ball", "disc"),
    Shape.SQUARE: ("square", "square", "square", "box", "block"),
    Shape.TRIANGLE: ("triangle",),
    Shape.STAR: ("star", "star", "star", "five-pointed star"),
    Shape.DIAMOND: ("diamond", "diamond", "rhombus"),
    Shape.HEART: ("heart", "heart", "heart shape"),
}
COLOUR_WORDS: dict[Colour, tuple[str, ...]] = {
    Colour.RED: ("red", "red", "red", "bright red"),
    Colour.ORANGE: ("orange", "orange", "orange", "bright orange"),
    Colour.YELLOW: ("yellow", "yellow", "yellow", "bright yellow"),
    Colour.GREEN: ("green", "green", "green", "bright green"),
    Colour.CYAN: ("cyan", "cyan", "cyan", "turquoise", "light blue"),
    Colour.BLUE: ("blue",),
    Colour.PURPLE: ("purple", "purple", "violet"),
    Colour.PINK: ("pink", "pink", "pink", "bright pink"),
}
BACKGROUND_WORDS: dict[Background, tuple[str, ...]] = {
    Background.BLACK: ("black", "black", "pitch black"),
    Background.WHITE: ("white", "white", "plain white"),
    Background.NAVY: ("dark blue", "dark blue", "navy", "navy blue"),
    Background.DARK_GREEN: ("dark green", "dark green", "deep green"),
    Background.BEIGE: ("beige", "beige", "sand-coloured", "cream"),
    Background.GREY: ("grey", "grey", "gray"),
}
SMALL_WORDS = ("small", "small", "little", "tiny")
LARGE_WORDS = ("large", "big", "big")
SLOW_WORDS = ("slowly", "slowly", "gently")
FAST_WORDS = ("quickly", "fast", "rapidly")

_MOVING = (
    ("moves", "moving"),
    ("moves", "moving"),
    ("slides", "sliding"),
    ("glides", "gliding"),
    ("drifts", "drifting"),
    ("travels", "travelling"),
    ("goes", "going"),
)
_DIRECTIONS: dict[Motion, tuple[str, ...]] = {
    Motion.LEFT: ("left", "to the left", "to the left", "leftwards", "from right to left"),
    Motion.RIGHT: ("right", "to the right", "to the right", "rightwards", "from left to right"),
    Motion.UP: ("up", "up", "upwards", "upwards", "to the top"),
    Motion.DOWN: ("down", "down", "downwards", "downwards", "to the bottom"),
    Motion.UP_LEFT: (
        "up and to the left",
        "diagonally up to the left",
        "towards the upper left",
        "to the top left corner",
        "up left",
    ),
    Motion.UP_RIGHT: (
        "up and to the right",
        "diagonally up to the right",
        "towards the upper right",
        "to the top right corner",
        "up right",
    ),
    Motion.DOWN_LEFT: (
        "down and to the left",
        "diagonally down to the left",
        "towards the lower left",
        "to the bottom left corner",
        "down left",
    ),
    Motion.DOWN_RIGHT: (
        "down and to the right",
        "diagonally down to the right",
        "towards the lower right",
        "to the bottom right corner",
        "down right",
    ),
}
_OTHERS: dict[Motion, tuple[tuple[str, str, str], ...]] = {
    Motion.STILL: (
        ("stands", "standing", "still"),
        ("stays", "staying", "still"),
        ("stays", "staying", "in place"),
        ("rests", "resting", "without moving"),
        ("does not move", "not moving", ""),
    ),
    Motion.BOUNCE: (
        ("bounces", "bouncing", "off the walls"),
        ("bounces", "bouncing", "off the walls"),
        ("bounces", "bouncing", "around"),
        ("bounces", "bouncing", "from wall to wall"),
        ("flies around", "flying around", "and bounces off the walls"),
    ),
    Motion.SPIN: (
        ("spins", "spinning", "in place"),
        ("spins", "spinning", ""),
        ("rotates", "rotating", "in place"),
        ("turns", "turning", "around itself"),
        ("rotates", "rotating", "on the spot"),
    ),
    Motion.GROW: (
        ("grows", "growing", ""),
        ("grows", "growing", "larger"),
        ("gets", "getting", "bigger"),
        ("expands", "expanding", ""),
    ),
    Motion.SHRINK: (
        ("shrinks", "shrinking", ""),
        ("shrinks", "shrinking", "in place"),
        ("gets", "getting", "smaller"),
        ("becomes", "becoming", "smaller"),
    ),
}
_ORBITING = (
    ("moves", "moving", "in circles {}"),
    ("moves", "moving", "{} in circles"),
    ("circles", "circling", "{}"),
    ("moves", "moving", "in a circle {}"),
    ("orbits", "orbiting", "{}"),
)
_TURNS: dict[Motion, tuple[str, ...]] = {
    Motion.CIRCLE_CLOCKWISE: ("clockwise",),
    Motion.CIRCLE_COUNTERCLOCKWISE: ("counterclockwise", "counterclockwise", "anticlockwise"),
}


_INFINITIVES = {"goes": "go", "flies": "fly"}


@dataclass(frozen=True)
class MotionWords:
    """One wording of a motion: "moves" or "moving", then perhaps an adverb, then ``rest``."""

    verb: str
    participle: str
    rest: str

    @property
    def infinitive(self) -> str:
        """For example "move"."""
        first, *others = self.verb.split()
        return " ".join([_INFINITIVES.get(first, first.removesuffix("s")), *others])


def motion_words(motion: Motion, rng: random.Random) -> MotionWords:
    """A random wording of ``motion``."""
    if motion in _DIRECTIONS:
        verb, participle = rng.choice(_MOVING)
        return MotionWords(verb, participle, rng.choice(_DIRECTIONS[motion]))
    if motion in _TURNS:
        verb, participle, rest = rng.choice(_ORBITING)
        return MotionWords(verb, participle, rest.format(rng.choice(_TURNS[motion])))
    return MotionWords(*rng.choice(_OTHERS[motion]))
