"""Every failure that Gristmill names, and the exit code each one ends a command with.

A message says what was refused, its value, what is allowed, where, and the next step.
"""

from __future__ import annotations


class GristmillError(Exception):
    """Something failed for a reason that the message names."""

    exit_code = 1


class RecipeError(GristmillError):
    """A recipe, flag or path cannot be used as given; nothing was started."""

    exit_code = 2


class NotBuiltYetError(RecipeError):
    """A part of the interface that a later release brings."""


class FormatError(GristmillError):
    """A file does not follow its format."""


class IntegrityError(GristmillError):
    """Bytes or counts are not what was written down about them."""


class CoreError(GristmillError):
    """A compiled kernel refused its data."""


class DataRefusedError(GristmillError):
    """More input records were bad than `max_bad_fraction` allows."""

    exit_code = 3


class InterruptedRunError(GristmillError):
    """The run stopped half-way (SIGTERM, full disk); the same command goes on from there."""

    exit_code = 4
