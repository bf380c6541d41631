"""The recipe: what `recipe.yaml` holds."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, model_validator

from schemas.base import Identifier, Message, Ratio, Risk, Severity, Tier

STEPS_MAX = 20
CHECKS_MAX = 50
CACHE_S_MAX = 30 * 86_400
PARTS_MAX = 20

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$", max_length=60)]
"""A name: lower-case words joined by hyphens, at most 60 characters."""

StepName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
"""Name of a step, usable in templates: lower-case letters, digits, underscores."""

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""Name of a file in the recipe's own folder; no path leads out of it."""

Template = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
"""A Jinja2 template. It sees the task's inputs by name and each finished step as `steps.<name>`."""


class AnswerCache(Message):
    """How long a step's answer may be given to others who ask the very same.

    The same: tenant, recipe version, step, model, settings and every word of the prompt.
    """

    ttl_s: int = Field(ge=1, le=CACHE_S_MAX, description="Seconds that an answer is fresh.")
    stale_s: int = Field(
        0,
        ge=0,
        le=CACHE_S_MAX,
        description="Seconds after that in which it may still stand in: while the provider fails, or past a"
        " soft budget. It is marked then. 0: never.",
    )


class Trim(StrEnum):
    """What goes first of a part of a prompt that is too long."""

    NONE = "none"
    """Nothing: the part stays whole, or the call is not made."""

    DROP = "drop"
    """The whole part."""

    HEAD = "head"
    TAIL = "tail"
    MIDDLE = "middle"


class Part(Message):
    """One part of a user message."""

    name: StepName
    template: FileName = Field(description="Template of its text. What renders to nothing is left out.")
    priority: int = Field(
        50, ge=0, le=100, description="Parts of a lower priority are trimmed first; of equal ones the later."
    )
    tokens_max: int | None = Field(
        None, ge=1, le=1_000_000, description="Most tokens of this part, however much room there is."
    )
    trim: Trim = Field(Trim.NONE, description="What goes first where the prompt or the part is too long.")
    stable: bool = Field(
        False,
        description="The same for every row: stands before all parts that are not, so that the provider's"
        " prompt cache finds it again.",
    )

    @model_validator(mode="after")
    def _trimmable(self) -> "Part":
        if self.tokens_max is not None and self.trim is Trim.NONE:
            raise ValueError(f"part {self.name!r} has tokens_max and trim none, expected another trim")
        return self


class Step(Message):
    """One model call whose answer is a JSON object."""

    name: StepName
    prompt: FileName | None = Field(None, description="Template of the user message, or else `parts`.")
    parts: tuple[Part, ...] = Field(
        (), max_length=PARTS_MAX, description="The user message from parts, which are trimmed to fit."
    )
    system: FileName | None = Field(None, description="Template of the system message.")
    output: FileName = Field(description="JSON Schema of the answer: an object.")
    output_tokens_max: int = Field(2000, ge=1, le=100_000, description="Most tokens the answer may have.")
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Sampling temperature, for models that take one; None: the model's own.",
    )
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="For providers that sample by one.")
    reasoning_effort: Literal["minimal", "low", "medium", "high", "auto"] | None = Field(
        None,
        description="How much the model may think, if it is one that reasons; auto: as the plan says by the"
        " task's difficulty; None: the model's own.",
    )
    cache_ttl: Literal["5m", "1h"] | None = Field(
        None,
        description="How long the provider shall keep system prompt and stable parts in its cache, where it"
        " can be told.",
    )
    cache: AnswerCache | None = Field(
        None, description="Lets the same question be answered without a call; None: each task asks anew."
    )
    tier: Tier | None = Field(
        None, description="Always this tier, whatever the difficulty; a soft budget does not lower it either."
    )
    output_tokens_soft: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Most output tokens once a soft budget is passed; an answer must fit. None: the same.",
    )

    hedge_after_s: float | None = Field(
        None,
        gt=0,
        le=600,
        description="Live tasks: seconds after which a second call is made too; the first answer counts.",
    )
    template: FileName | None = Field(
        None, description="Template that makes the step's JSON answer when no model answers; None: it waits."
    )

    @model_validator(mode="after")
    def _asks_once(self) -> "Step":
        if (self.prompt is None) == (not self.parts):
            raise ValueError(f"step {self.name!r} needs either prompt or parts, expected exactly one of them")
        names = [part.name for part in self.parts]
        if len(set(names)) < len(names):
            raise ValueError(f"part names of step {self.name!r} are {names!r}, expected each once")
        return self

    @model_validator(mode="after")
    def _shorter(self) -> "Step":
        if self.output_tokens_soft is not None and self.output_tokens_soft > self.output_tokens_max:
            raise ValueError(
                f"output_tokens_soft is {self.output_tokens_soft}, expected at most output_tokens_max"
                f" ({self.output_tokens_max})"
            )
        return self


class ModelPolicy(Message):
    """How difficult a task is, and which tier is good enough for that."""

    difficulty_base: Ratio = Field(0.2, description="Difficulty of the easiest task.")
    difficulty_per_1000_chars: Ratio = Field(0.1, description="Added for each 1,000 characters of inputs.")
    difficulty_per_missing_input: Ratio = Field(
        0.05, description="Added for each optional input that is absent or empty: less to lean on."
    )
    small_up_to: Ratio = Field(0.5, description="Up to this difficulty the small tier is good enough.")
    mid_up_to: Ratio = Field(0.8, description="Up to this difficulty the mid tier is; above it, frontier.")
    low_effort_up_to: Ratio = Field(
        0.5, description="Up to this difficulty steps with `reasoning_effort: auto` think with low effort."
    )
    medium_effort_up_to: Ratio = Field(
        0.8, description="Up to this difficulty they think with medium effort; above it, with high."
    )

    @model_validator(mode="after")
    def _ordered(self) -> "ModelPolicy":
        if self.small_up_to > self.mid_up_to:
            raise ValueError(
                f"small_up_to is {self.small_up_to}, expected at most mid_up_to ({self.mid_up_to})"
            )
        if self.low_effort_up_to > self.medium_effort_up_to:
            raise ValueError(
                f"low_effort_up_to is {self.low_effort_up_to}, expected at most medium_effort_up_to"
                f" ({self.medium_effort_up_to})"
            )
        return self


class Page(Message):
    """How the steps' answers become the page. Each field is a template."""

    slug: Template = Field(description="Address; what it renders to is turned into a slug.")
    title: Template
    description: Template | None = None
    body: FileName = Field(description="Template file of the page's Markdown.")
    data: dict[str, Template] = Field(default_factory=dict, description="More front matter, a template each.")


class CheckRule(Message):
    """One check and its settings."""

    check: Name = Field(description="Name of the check.")
    severity: Severity | None = Field(None, description="Overrides the check's own severity.")
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="What the check documents.")


class ReviewRule(Message):
    """Who decides: pass, repair, hold or reject."""

    hold_at_risk: Risk = Field(Risk.HIGH, description="Tasks of this risk or more wait for a person.")
    hold_below: Ratio = Field(0.6, description="Pages with a lower score wait for a person.")
    reject_below: Ratio = Field(0.3, description="Pages with a lower score are rejected after repair.")
    repairs_max: int = Field(1, ge=0, le=5, description="How often a page with errors is made again.")


class Recipe(Message):
    """A recipe's whole configuration."""

    name: Name = Field(description="Name; equal to the folder's.")
    description: str = Field("", max_length=500)
    key: Template = Field(description="Identity of a row: the same key next month is the same page.")
    inputs: FileName = Field(description="JSON Schema of the inputs: an object.")
    site: Identifier = Field("default", description="Site that loads publish to.")
    risk: Risk = Field(Risk.LOW, description="Least risk of every task of this recipe.")
    model: ModelPolicy = ModelPolicy()
    steps: tuple[Step, ...] = Field(min_length=1, max_length=STEPS_MAX, description="The chain, in order.")
    page: Page
    checks: tuple[CheckRule, ...] = Field((), max_length=CHECKS_MAX)
    review: ReviewRule = ReviewRule()
    sink: Literal["files"] = Field("files", description="Where pages go.")

    @model_validator(mode="after")
    def _unique_steps(self) -> "Recipe":
        names = [step.name for step in self.steps]
        if len(set(names)) < len(names):
            raise ValueError(f"step names are {names!r}, expected each once")
        return self
