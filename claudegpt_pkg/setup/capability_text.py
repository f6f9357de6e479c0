"""What a model lacks, in a few words each: ["efforts low to high", "no web search"]."""

from __future__ import annotations

from ..capabilities import Capabilities
from ..models import EFFORTS
from ..translate.request.output import INCLUDE_REASONING

LACKING = (
    ("encrypted_reasoning", "encrypted reasoning"),
    ("summary", "summaries of its reasoning"),
    ("web_search", "web search"),
    ("tool_search", "tool search"),
    ("media_in_outputs", "pictures in tools' outputs"),
    ("phases", "phases"),
    ("images", "images"),
    ("files", "files"),
    ("blocked_domains", "blocked domains in web searches"),
)


def describe_capabilities(known: Capabilities) -> list[str]:
    words = ["no reasoning"] * ("reasoning" in known.refused_fields)
    if known.efforts and not words:
        words.append(f"efforts {_format_levels(known.efforts)}")
    words += [f"no {what}" for has, what in LACKING if not getattr(known, has)]
    left_out = sorted(known.refused_fields - {"reasoning"} | known.refused_includes - {INCLUDE_REASONING})
    return words + [f"without {', '.join(left_out)}"] * bool(left_out)


def _format_levels(levels: tuple[str, ...]) -> str:
    """low to max; or, if there is a gap, low, high."""
    first, last = EFFORTS.index(levels[0]), EFFORTS.index(levels[-1])
    return f"{levels[0]} to {levels[-1]}" if 2 < len(levels) == last - first + 1 else ", ".join(levels)
