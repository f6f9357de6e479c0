"""Which model serves a name, at which effort."""

from __future__ import annotations

import pytest

from claudegpt_pkg.models import (
    EFFORTS,
    KNOWN,
    LISTED,
    TIERS,
    UNKNOWN_WINDOW,
    Model,
    ModelChoice,
    Tiers,
    choose_model,
    claude_tier,
    known_model,
    lower_effort,
    nearest_effort,
    split_effort,
)

MINE = Tiers(opus="gpt-6.1-sol", sonnet="gpt-6.1-terra", haiku="gpt-6-luna")


@pytest.mark.parametrize(
    ("asked", "tier"),
    [
        ("claude-opus-4-8", "opus"),
        ("claude-opus-4-8[1m]", "opus"),
        ("claude-3-opus-20240229", "opus"),
        ("claude-fable-5", "opus"),
        ("claude-mythos-preview", "opus"),
        ("claude-sonnet-4-6", "sonnet"),
        ("claude-3-7-sonnet-latest", "sonnet"),
        ("claude-haiku-4-5-20251001", "haiku"),
        ("Claude-Haiku-4-5", "haiku"),
        ("anthropic/claude-opus-4.8", "opus"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "sonnet"),
        ("claude-opus-4-8@20260101", "opus"),
        ("claude-instant-1.2", "sonnet"),
        ("claude-something-never-heard-of", "sonnet"),
        ("opus", "opus"),
        ("sonnet[1m]", "sonnet"),
        ("haiku", "haiku"),
    ],
)
def test_every_claude_name_goes_to_its_tier(asked: str, tier: str) -> None:
    for passthrough in (None, False):
        assert choose_model(asked, MINE, passthrough) == ModelChoice(tier, MINE.model(tier))  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", ["gpt-6-astra", "o9-pro", "qwen3:32b", "org/model", "claudine", "opusculum", ""])
def test_other_names_stay_as_they_are(asked: str) -> None:
    assert choose_model(asked, MINE) == ModelChoice(None, asked)
    assert claude_tier(asked) is None


def test_the_model_of_a_tier_belongs_to_that_tier() -> None:
    assert [choose_model(MINE.model(tier), MINE).tier for tier in TIERS] == list(TIERS)
    alike = Tiers("one", "one", "one")
    assert choose_model("one", alike).tier == "opus"


def test_with_passthrough_every_name_stays_as_it_is() -> None:
    for asked in ("claude-opus-4-8", "gpt-6-sol-high", "x"):
        assert choose_model(asked, MINE, True) == ModelChoice(None, asked)
    assert choose_model("gpt-6-luna", MINE, True) == ModelChoice("haiku", "gpt-6-luna")


def test_without_passthrough_unknown_names_go_to_sonnet() -> None:
    assert choose_model("gpt-3.5-turbo", MINE, False) == ModelChoice("sonnet", "gpt-6.1-terra")
    assert choose_model("gpt-6-luna", MINE, False) == ModelChoice("haiku", "gpt-6-luna")


@pytest.mark.parametrize("effort", EFFORTS)
def test_an_effort_may_stand_at_the_end_of_a_name(effort: str) -> None:
    assert choose_model(f"gpt-6.1-sol-{effort}", MINE) == ModelChoice("opus", "gpt-6.1-sol", effort)
    assert choose_model(f"gpt-6-astra-{effort}[1m]", MINE) == ModelChoice(None, "gpt-6-astra", effort)
    assert split_effort(f"openai/gpt-6-sol-{effort}") == ("openai/gpt-6-sol", effort)


def test_an_effort_may_stand_at_the_end_of_a_tiers_name() -> None:
    tiers = Tiers("gpt-6.1-sol-xhigh", "gpt-6.1-terra", "gpt-6-luna-none")
    assert choose_model("claude-opus-4-8", tiers) == ModelChoice("opus", "gpt-6.1-sol", "xhigh")
    assert choose_model("gpt-6-luna-none", tiers) == ModelChoice("haiku", "gpt-6-luna", "none")


@pytest.mark.parametrize(
    "name", ["qwen3-max", "mistral-medium", "org/glm-5-high", "gpt-5.1-codex-max", "deepseek-low", "my-deployment-max"]
)
def test_a_model_whose_own_name_ends_like_an_effort_level_stays_whole(name: str) -> None:
    assert split_effort(name) == (name, None)
    assert choose_model("opus", Tiers(name, name, name)) == ModelChoice("opus", name)


def test_a_name_that_the_account_lists_stays_whole() -> None:
    listed = {"gpt-5-1-high": 1}
    assert choose_model("gpt-5-1-high", MINE, listed=listed) == ModelChoice(None, "gpt-5-1-high")
    assert choose_model("gpt-5-1-low", MINE, listed=listed) == ModelChoice(None, "gpt-5-1", "low")
    tiers = Tiers("gpt-5-1-high", "gpt-5-1-low", "x")
    assert choose_model("opus", tiers, listed=listed) == ModelChoice("opus", "gpt-5-1-high")
    assert choose_model("sonnet", tiers, listed=listed) == ModelChoice("sonnet", "gpt-5-1", "low")


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("gpt-6.1-sol", "OpenAI"),
        ("openai/gpt-oss-120b", "OpenAI"),
        ("o3", "OpenAI"),
        ("o4-mini", "OpenAI"),
        ("codex-mini-latest", "OpenAI"),
        ("parrot", None),
        ("gpt-neox-20b", None),
        ("my-gpt", None),
        ("qwen3:32b", None),
        ("o1x", None),
    ],
)
def test_the_maker_is_named_only_if_the_name_tells_it(name: str, maker: str | None) -> None:
    assert known_model(name).maker == maker


def test_names_of_deployments_stay_whole() -> None:
    deployments = Tiers("gpt-prod-high", "gpt-prod-high", "small", literal=True)
    assert choose_model("claude-opus-4-8", deployments) == ModelChoice("opus", "gpt-prod-high")
    assert choose_model("gpt-other-low", deployments) == ModelChoice(None, "gpt-other-low")


def test_the_prefix_of_a_listed_name_is_removed() -> None:
    assert choose_model(f"{LISTED}gpt-6-luna", MINE) == ModelChoice("haiku", "gpt-6-luna")
    assert choose_model(f"{LISTED}gpt-6-astra", MINE) == ModelChoice(None, "gpt-6-astra")


def test_an_alias_leads_to_its_model() -> None:
    assert choose_model("gpt-5.3-high", MINE) == ModelChoice(None, "gpt-5.3-codex", "high")


# Effort.


@pytest.mark.parametrize(
    ("wanted", "available", "given"),
    [
        ("high", EFFORTS, "high"),
        ("max", ("low", "medium", "high", "xhigh"), "xhigh"),
        ("xhigh", ("low", "high"), "high"),
        ("minimal", ("none", "low"), "none"),
        ("none", ("low", "medium"), "low"),
        ("minimal", ("medium",), "medium"),
    ],
)
def test_a_level_that_a_model_lacks_becomes_the_nearest_one_below_or_its_lowest(
    wanted: str, available: tuple[str, ...], given: str
) -> None:
    assert nearest_effort(wanted, available) == given


def test_the_lower_of_two_levels_is_the_one_with_less_effort() -> None:
    assert lower_effort("max", "low") == lower_effort("low", "xhigh") == "low"
    assert lower_effort("none", "minimal") == "none"


# The table.


def test_an_unknown_model_gets_the_common_values() -> None:
    assert known_model("gpt-9") == Model("gpt-9", UNKNOWN_WINDOW)
    assert known_model("gpt-9").efforts == EFFORTS and known_model("gpt-9").price is None


@pytest.mark.parametrize("model", KNOWN.values(), ids=KNOWN)
def test_the_models_of_the_table_have_valid_values(model: Model) -> None:
    assert list(model.efforts) == [level for level in EFFORTS if level in model.efforts]
    assert model.price is not None and model.price[1] < model.price[0] < model.price[2]
    assert 100_000 < model.window < 2_000_000
    assert choose_model(model.id, MINE).model == model.id


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("gpt-6.1-sol", "GPT-6.1 Sol"),
        ("gpt-5.5", "GPT-5.5"),
        ("gpt-5.1-codex-max", "GPT-5.1 Codex Max"),
        ("gpt-", "gpt-"),
        ("o9-pro", "o9-pro"),
        ("qwen3:32b", "qwen3:32b"),
    ],
)
def test_a_name_as_people_write_it(id: str, name: str) -> None:
    assert Model(id, 1).name == name


def test_a_request_costs_its_list_price() -> None:
    model = Model("m", 1_000_000, price=(2, 0.2, 10))
    assert model.cost(1_000, 0, 100) == pytest.approx(0.003)
    assert model.cost(1_000, 1_000, 0) == pytest.approx(0.0002)
    assert model.cost(300_000, 100_000, 1_000) == pytest.approx((200_000 * 4 + 100_000 * 0.4 + 1_000 * 15) / 1e6)
    assert Model("m", 1).cost(1, 0, 1) is None
