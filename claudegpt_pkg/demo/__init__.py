"""The built-in offline backend: a Responses server with a small scripted model. No account, no network, no GPT.

- `server`: HTTP, a request in, an event stream out at a visible pace
- `rules`: what is refused, as the real servers refuse it (`shapes`: the checks it is built from)
- `conversation`: the request as the model sees it
- `model`: which script answers, and how far it has come
- `tour`, `scripts`: the scripts (`moves`: what they yield; `report`: their words)
- `folder`, `pictures`, `sample`: reading a listing, describing an image, filling a JSON schema
- `answer`: a move as a stream of events (`events`: their shapes)
- `prefix`: tokens and the prompt cache
- `seal`: encrypted reasoning
"""

MODELS = ("gpt-demo", "gpt-demo-mini", "gpt-demo-nano")  # for the opus, sonnet and haiku tier
WINDOW = 272_000  # tokens of input
