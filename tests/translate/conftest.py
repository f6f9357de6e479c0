"""How long the property tests search: the same minute of examples everywhere, or as deep as one asks for.

pytest tests/translate --hypothesis-profile=deep
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile("quick", max_examples=120, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("deep", max_examples=5_000, deadline=None, database=None, suppress_health_check=SLOW)
settings.load_profile("quick")
