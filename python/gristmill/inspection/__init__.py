"""Look into a finished corpus: what was kept, what was dropped, and what other thresholds would do.

`sample` shows random documents per drop reason with their texts, `drop_rates` a table to tune by.
"""

from gristmill.inspection.sample import sample
from gristmill.inspection.thresholds import drop_rates

__all__ = ["drop_rates", "sample"]
