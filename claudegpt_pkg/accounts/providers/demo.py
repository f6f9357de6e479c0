"""Provider `demo`: the built-in backend, without an account or a network; the proxy talks to it as to any other."""

from __future__ import annotations

from ...capabilities import Capabilities
from ...demo import MODELS, WINDOW
from ...models import LOW_TO_MAX, Model, Tiers
from ...secret import Secret
from .base import Provider
from .openai import ApiKey

EFFORTS = ("none", *LOW_TO_MAX)


def demo(url: str, key: Secret) -> Provider:
    """The provider for a demo server (demo/server.py) at `url` that takes `key`."""
    opus, sonnet, haiku = MODELS
    return Provider(
        name="demo",
        label="built-in demo",
        is_script=True,
        url=f"{url}/v1/responses",
        auth=ApiKey(key),
        tiers=Tiers(opus=opus, sonnet=sonnet, haiku=haiku),
        capabilities=Capabilities(tool_search=False),
        models={name: Model(name, WINDOW, EFFORTS, price=(0, 0, 0)) for name in MODELS},
    )
