"""Words that the bodies share: ids, bounds, amounts, and what every answer tells."""

from typing import Annotated, Literal

from msgspec import Meta

Id = Annotated[str, Meta(min_length=1, max_length=512)]
Relation = Literal["similar", "also-bought", "together", "alternative"]
Placement = Literal["for-you", "because-you-bought", "trending", "new", "your-categories"]
Rank = Annotated[int, Meta(description="1 is the best.")]
K = Annotated[int, Meta(ge=1, le=1000, description="Length of the list.")]
Seconds = Annotated[float, Meta(ge=0, le=1e11, description="Seconds since 1970, UTC.")]
Moment = (
    Seconds | Annotated[str, Meta(max_length=40, description="A date or time (ISO 8601; UTC where it names no zone).")]
)
Amount = Annotated[float, Meta(ge=0, le=1e12)]
Text = Annotated[str, Meta(max_length=2000)]
Filter = Annotated[
    str, Meta(max_length=4000, description='Which items may be listed, such as `category in ["shoes"] and price < 50`.')
]
Items = Annotated[list[Id], Meta(max_length=1000)]
RequestId = Annotated[str, Meta(description="A name of this answer; events may tell it to say what they follow from.")]
Version = Annotated[str, Meta(description="The version of the bundle that answered.")]
Degraded = Annotated[list[str], Meta(description="Parts that failed; the answer is whole without them.")]
Experiment = Annotated[
    str | None, Meta(description="The experiment of `[[experiments]]` that this list belongs to.")
]  # fmt: skip
Arm = Annotated[str | None, Meta(description="The arm that the user is in.")]
FilledBy = Annotated[str | None, Meta(description="The agent that filled the list; none: greedy.")]
