"""Filters: what language a document is in and which published quality rules it breaks.

One module per published rule set holds that set's thresholds; `quality` measures and applies them,
`language` names the language.
"""

from __future__ import annotations
