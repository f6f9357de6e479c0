"""How servers word what went wrong: patterns over their own words, for what no code and no status says.

    says_too_long(message)             the conversation does not fit the model's window
    says_at_capacity(message)          the model is overloaded
    medium_refused(report, {"image"})  "image" or "file": the medium of the request that a refusal is about
    unquoted(message)                  the message without the gateways' names and without what it quotes

No message is searched inside quotation marks: servers quote what they were sent, and a conversation may be about
anything, these very sentences too.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from .error_report import Report, own_words

# A quotation, whole or cut off by TEXT_LIMIT. The apostrophe in "the model's" is none.
_QUOTED = re.compile(r"(?<!\w)(['\"`]).*?(?:\1(?!\w)|$)")

_TOO_LONG = re.compile(
    "(?i)"
    + "|".join(
        (
            # OpenAI, Azure
            r"exceed\w*\b[^.]*\bcontext\b",
            r"context_(?:length|window)_exceeded|context ?window ?exceeded",
            r"tokens? exceeds? the configured limit",
            r"^invalid ?: string too long. expected a string with maximum length \d{7}",  # its place is quoted
            # vLLM, SGLang, llama.cpp, LM Studio, Ollama
            r"maximum context length|available context size",
            r"longer than the (?:maximum )?model(?:'s context)? length",
            r"\bcontext(?: (?:length|window|size|limit))? (?:is |has been |was )?(?:overflow|exceed)",
            r"\bcontext(?: (?:length|window|size))? (?:is )?too (?:small|short)",
            # xAI, Gemini, Mistral, Groq, Kimi, GLM, DashScope, LiteLLM
            r"maximum (?:prompt|input) length|range of input length should",
            r"exceeds the maximum number of tokens|too many (?:input|prompt) tokens",
            r"exceed\w*\b(?![^.]*\b(?:output|completion)\b)[^.]*\btoken limit",
            r"reduce the length of (?:the|your) (?:messages?|prompt|input|conversation)",
            r"(?:prompt|input|conversation|messages?)\b(?: (?:is|are|was|has become))? too long",
            r"(?:prompt|input|conversation)\b(?: length| tokens?)? (?:exceeds|is longer than)",
        )
    )
)
# Where a message states the limit, before the number.
LIMIT = re.compile(
    r"(?i)(?:configured limit of|(?:context|prompt|input) length (?:is|of)|context (?:length|size|window) \("
    r"|context (?:length|size|window) of|model length of|tokens allowed \(|tokens >|token limit:?(?: of)?)"
    r"\s*(\d[\d,]{3,})"
)
NUMBERS = re.compile(r"\d[\d,]{3,}")
# OpenAI, Groq: a request for more tokens than the account may send in a minute never passes, however long one waits.
OVER_A_MINUTE = re.compile(r"(?i)request too large.* limit:? (\d+), requested:? (\d+)")

_AT_CAPACITY = re.compile(
    r"(?i)\b(?:at|over|no|out of|insufficient) capacity\b|\b(?:model|server|engine|service)\b[^.]*\boverloaded\b"
    r"|experiencing high (?:demand|load)"
)

_IMAGE = re.compile(
    r"(?i)\b(?:image|picture|photo|vision|multi-?modal|mmproj|png|jpe?g|webp)s?\b|image_url|input_image"
)
_FILE = re.compile(r"(?i)\b(?:pdf|document|file|attachment)s?\b|input_file|file_data")
_MEDIA = (("image", _IMAGE), ("file", _FILE))
_MODEL_LACKS_IT = re.compile(
    r"(?i)\b(?:not|n't|only|no)\b[^.]*\b(?:support|accept|allow|enabl|multi-?modal|vision|mmproj|capab|endpoint)"
    r"|unsupported (?:content|modality|input)|unknown variant|at most 0|text[- ]only"
)
_ABOUT_OUTPUTS = re.compile(r"(?i)\b(?:output|tool)s?\b|user messages?|role")


def remove_quotes(message: str) -> str:
    """The server's own words."""
    return _QUOTED.sub("", own_words(message))


def says_too_long(message: str) -> bool:
    """Whether the server says that the prompt is too long, or LiteLLM, which knows many servers' words, says so."""
    gateway = message.removesuffix(own_words(message))
    return "ContextWindowExceeded" in gateway or bool(_TOO_LONG.search(remove_quotes(message)))


def says_at_capacity(message: str) -> bool:
    return bool(_AT_CAPACITY.search(remove_quotes(message)))


def medium_refused(report: Report, sent: Collection[str]) -> str | None:
    """Which of the media that were sent ("image", "file") a refusal is about; None if it is about neither."""
    if report.param and not report.param.startswith(("input", "messages", "content")):
        return None
    if "image" in report.code and "image" in sent:
        return "image"
    words = f"{remove_quotes(report.message)} {report.param}"
    return next((kind for kind, pattern in _MEDIA if kind in sent and pattern.search(words)), None)


def says_model_lacks_medium(message: str) -> bool:
    """Whether a refused medium is one that the model never takes, rather than one that is broken."""
    return bool(_MODEL_LACKS_IT.search(remove_quotes(message)))


def is_about_outputs(message: str) -> bool:
    """Whether a refused medium may be taken in another place than a tool's output."""
    return bool(_ABOUT_OUTPUTS.search(remove_quotes(message)))


def parse_whole_number(text: str) -> int:
    return int(text.replace(",", ""))
