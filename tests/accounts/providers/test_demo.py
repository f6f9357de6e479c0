from __future__ import annotations

import httpx

from claudegpt_pkg.accounts.providers.demo import demo
from claudegpt_pkg.demo import MODELS, WINDOW
from claudegpt_pkg.models import TIERS, choose_model
from claudegpt_pkg.secret import Secret

KEY = Secret("the-demo-servers-own-key")


def test_it_points_at_the_demo_server_and_shows_its_key() -> None:
    provider = demo("http://127.0.0.1:5000", KEY)

    assert provider.url == "http://127.0.0.1:5000/v1/responses"
    assert provider.name == "demo"
    request = httpx.Request("GET", provider.url)
    assert provider.auth
    sent = next(provider.auth.auth_flow(request))
    assert sent.headers["authorization"] == f"Bearer {KEY.reveal()}"


def test_every_tier_has_a_model_that_its_name_chooses() -> None:
    tiers = demo("http://127.0.0.1:5000", KEY).tiers

    assert [tiers.model(tier) for tier in TIERS] == list(MODELS)
    for name in MODELS:
        assert choose_model(name, tiers).model == name
        assert choose_model(name, tiers).effort is None


def test_the_window_is_the_servers() -> None:
    assert demo("http://127.0.0.1:5000", KEY).model(MODELS[0]).window == WINDOW
