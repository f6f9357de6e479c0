"""Provider `azure`: deployments of an Azure OpenAI or Foundry resource, with its key or with Entra ID.

A model's name is the name of a deployment here. It says nothing about the model, so nothing is concluded from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import httpx

from ...capabilities import Capabilities
from ...errors import BadSetting
from ...models import Tiers
from ...secret import Secret
from ...settings.options import AZURE_API_KEY, AZURE_API_VERSION, AZURE_ENDPOINT, AZURE_HAIKU, AZURE_OPUS, AZURE_SONNET
from ...settings.settings import Settings
from ...settings.values import credentials_in, is_azure_key, secure_url
from ..auth.entra import PUBLIC, Entra, default_token
from .base import Provider, choose_tiers, with_windows

# `include_obfuscation` is not documented for Azure; without it a stream is a little larger, no more.
CAPABILITIES = Capabilities(refused_fields=frozenset({"stream_options"}), tool_search=False)
FORMS = "Give it as the portal shows it, such as https://my-resource.openai.azure.com."
RESOURCE = re.compile(r"[a-z0-9][a-z0-9-]*", re.IGNORECASE)
AZURE_HOST = re.compile(
    r"\.(openai|cognitiveservices|services\.ai|ai)\.azure\.(com|us|cn)$|\.api\.cognitive\.microsoft\.com$"
)
NATIONAL = re.compile(r"azure\.(us|cn)$")
DEPLOYMENT = re.compile(r"/openai/deployments/([^/]+)")


class AzureKey(httpx.Auth):
    """Sends the key in Azure's own header."""

    def __init__(self, key: Secret):
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["api-key"] = self._key.reveal()
        yield request


@dataclass(frozen=True)
class Endpoint:
    """What a pasted address holds: the base of the v1 API, and a deployment if it names one."""

    base: str
    deployment: str | None = None

    @property
    def resource(self) -> str:
        host = urlsplit(self.base).hostname or ""
        return host.split(".")[0] if AZURE_HOST.search(host) else host

    @property
    def cloud(self) -> str:
        """The domain of the cloud the resource is in: azure.com, or a national one's."""
        national = NATIONAL.search(urlsplit(self.base).hostname or "")
        return national[0] if national else PUBLIC


def azure(settings: Settings) -> Provider:
    """The provider as the settings describe it. Raises BadSetting if an address, key or deployment is missing."""
    pasted = settings[AZURE_ENDPOINT]
    if pasted is None:
        raise BadSetting("Provider azure needs the address of your resource.", f"Set AZURE_OPENAI_ENDPOINT. {FORMS}")
    endpoint = read_endpoint(pasted)
    key = settings[AZURE_API_KEY]
    version = settings[AZURE_API_VERSION]
    return Provider(
        name="azure",
        label=f"Azure OpenAI ({endpoint.resource})",
        url=f"{endpoint.base}/responses" + (f"?api-version={version}" if version else ""),
        tiers=choose_tiers(settings, (AZURE_OPUS, AZURE_SONNET, AZURE_HAIKU), deployments(settings, endpoint)),
        capabilities=CAPABILITIES,
        auth=AzureKey(key) if key else Entra(default_token(), cloud=endpoint.cloud),
        credential=f"API key from {settings.source(AZURE_API_KEY)}" if key else "Entra ID",
        models=with_windows({}, settings),
    )


def deployments(settings: Settings, endpoint: Endpoint) -> Tiers:
    """The deployment of each tier; a tier without one of its own gets the nearest one."""
    full, middle, nano = settings[AZURE_OPUS], settings[AZURE_SONNET], settings[AZURE_HAIKU]
    opus = full or middle or endpoint.deployment or nano
    if opus is None:
        raise BadSetting(
            "Provider azure needs the name of a deployment.",
            "Set AZURE_OPENAI_CHAT_DEPLOYMENT; …_FULL and …_NANO for larger and smaller models.",
        )
    sonnet = middle or opus
    return Tiers(opus, sonnet, nano or sonnet, literal=True)


def read_endpoint(pasted: str) -> Endpoint:
    """The resource's v1 API, from any address of it: with or without scheme, path, deployment and query, or its name.

    Raises BadSetting if the key would leave this machine unencrypted, or if the text holds no address. A key that was
    pasted there is not shown.
    """
    text = pasted.strip().strip("\"'<>")
    if credentials_in(text):
        raise BadSetting("AZURE_OPENAI_ENDPOINT: that address has a user name, a password or a key in it.", FORMS)
    if is_azure_key(text):
        raise BadSetting("AZURE_OPENAI_ENDPOINT: that looks like a key, not like an address.", FORMS)
    if RESOURCE.fullmatch(text) and text != "localhost":
        text = f"{text}.openai.azure.com"
    try:
        parts = urlsplit(secure_url(text if "://" in text else f"https://{text}"))
    except ValueError:
        raise BadSetting(f"AZURE_OPENAI_ENDPOINT is not an address a key may be sent to: {pasted!r}.", FORMS) from None
    named = DEPLOYMENT.search(parts.path)
    # A gateway may have a path in front of /openai; a resource of Azure has none.
    front = "" if AZURE_HOST.search(parts.hostname or "") else parts.path.partition("/openai")[0].rstrip("/")
    base = f"{parts.scheme}://{parts.netloc}{front}/openai/v1"
    return Endpoint(base, unquote(named[1]) if named else None)
