"""The built-in offline backend: a Responses server with a small scripted model. No account, no network, no GPT.

server.py        HTTP: a request in, an event stream out at a visible pace
rules.py         what is refused, as the real servers refuse it (shapes.py: the checks it is built from)
conversation.py  the request as the model sees it
model.py         which script answers, and how far it has come
tour.py scripts.py   the scripts (moves.py: what they yield)
answer.py        a move as a stream of events (events.py: their shapes)
prefix.py        tokens and the prompt cache
seal.py          encrypted reasoning
"""

MODELS = ("gpt-demo", "gpt-demo-mini", "gpt-demo-nano")  # for the opus, sonnet and haiku tier
WINDOW = 272_000  # tokens of input
