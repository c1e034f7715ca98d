"""Datasheets that are measured, not written: numbers from a corpus, rendered as cards.

`measure.measure` counts, `evidence.answer` turns counts into answers to the questions of
"Datasheets for Datasets", and `render.render` writes the card from both.
"""
