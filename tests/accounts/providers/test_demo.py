from __future__ import annotations

from claudegpt_pkg.accounts.providers.demo import demo
from claudegpt_pkg.demo import MODELS, WINDOW
from claudegpt_pkg.models import TIERS, choose


def test_it_points_at_the_demo_server_without_any_account() -> None:
    provider = demo("http://127.0.0.1:5000")

    assert provider.url == "http://127.0.0.1:5000/v1/responses"
    assert (provider.name, provider.auth) == ("demo", None)


def test_every_tier_has_a_model_that_its_name_chooses() -> None:
    tiers = demo("http://127.0.0.1:5000").tiers

    assert [tiers.model(tier) for tier in TIERS] == list(MODELS)
    for name in MODELS:
        assert choose(name, tiers).model == name
        assert choose(name, tiers).effort is None


def test_the_window_is_the_servers() -> None:
    assert demo("http://127.0.0.1:5000").model(MODELS[0]).window == WINDOW
