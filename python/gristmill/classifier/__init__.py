"""Classifiers of documents: trained from examples, evaluated on labelled tables.

`gristmill.filters.classifier` uses them in a build.
"""

from __future__ import annotations

from gristmill.classifier.evaluation import Evaluation, evaluate_classifier
from gristmill.classifier.training import Options, Trained, train_classifier

__all__ = ["Evaluation", "Options", "Trained", "evaluate_classifier", "train_classifier"]
