"""What one turn learns: where it is used, and what of it stays."""

from __future__ import annotations

from claudegpt_pkg.capabilities import Capabilities
from claudegpt_pkg.proxy.learning import Learning
from claudegpt_pkg.proxy.plan import Ask, make_plan
from claudegpt_pkg.upstream.error_report import Report
from tests.support.served import Served, ask

REFUSAL = Report(400, message="Unknown parameter: 'service_tier'.")
BODY = {"service_tier": "priority", "input": []}


def test_the_turn_sees_at_once_what_a_refusal_taught_and_the_others_do_not(proxy: Served) -> None:
    learning, plan = Learning(proxy.proxy), make_plan(Ask(ask()), proxy.proxy)
    assert learning.from_refusal(REFUSAL, plan, BODY)
    learned = {plan.choice.model: Capabilities(refused_fields=frozenset({"service_tier"}))}
    assert learning.view().learned == learned and proxy.proxy.learned == {}
    assert learning.messages == [REFUSAL.message]
    learning.keep()
    assert proxy.proxy.learned == learned


def test_the_turns_view_shares_everything_else_with_the_proxy(proxy: Served) -> None:
    learning, plan = Learning(proxy.proxy), make_plan(Ask(ask()), proxy.proxy)
    learning.from_refusal(REFUSAL, plan, BODY)
    view = learning.view()
    assert view is not proxy.proxy
    assert view.session_efforts is proxy.proxy.session_efforts and view.client is proxy.proxy.client


def test_a_model_counts_as_one_without_search_after_it_was_silent_in_two_turns(proxy: Served) -> None:
    for known in (Capabilities(silent_search=True), Capabilities(web_search=False)):
        learning = Learning(proxy.proxy)
        learning.suspect_search("nano")
        learning.note_answer("nano", searched=False)
        assert proxy.proxy.learned == {"nano": known}


def test_an_answer_with_the_search_clears_the_suspicion(proxy: Served) -> None:
    proxy.proxy.learned["nano"] = Capabilities(silent_search=True)
    Learning(proxy.proxy).note_answer("nano", searched=True)
    assert proxy.proxy.learned == {"nano": Capabilities()}


BAD_IMAGE = Report(400, message="The image is not valid.")
SEEING = {"input": [{"type": "message", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA"}]}]}


def test_another_refusal_of_a_request_with_an_image_does_not_count_as_having_told_of_the_image(proxy: Served) -> None:
    plan = make_plan(Ask(ask()), proxy.proxy)
    Learning(proxy.proxy, client_drops_media=True).from_refusal(Report(400, message="Something else."), plan, SEEING)
    assert not Learning(proxy.proxy, client_drops_media=True).from_refusal(BAD_IMAGE, plan, SEEING)
    assert Learning(proxy.proxy, client_drops_media=True).from_refusal(BAD_IMAGE, plan, SEEING)
