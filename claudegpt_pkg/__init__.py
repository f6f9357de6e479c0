"""claudegpt: Claude Code on GPT."""

__version__ = "0.1.0"
