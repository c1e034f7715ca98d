"""The stage that drops documents by a user's classifier."""

import fasttext
import numpy as np
import pyarrow as pa
import pytest

from gristmill.errors import FormatError, RecipeError
from gristmill.filters.classifier import ClassifierFilter

TEXTS = ["river stone", "casino prize", "", "river casino", "x" * 1000]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    lines = ["__label__positive river stone\n", "__label__negative casino prize\n"] * 50
    (folder / "lines").write_text("".join(lines))
    trained = fasttext.train_supervised(
        str(folder / "lines"), dim=2, lr=1.0, epoch=20, thread=1, verbose=0
    )
    trained.save_model(str(folder / "m.bin"))
    return folder / "m.bin"


def judge(stage: ClassifierFilter):
    return stage.judge(pa.table({"text": pa.array(TEXTS, pa.large_string())}))


def test_documents_below_the_threshold_are_dropped_with_value_and_threshold(model):
    verdict = judge(ClassifierFilter(model, min_score=0.9))
    scores = verdict.columns["classifier_score"]
    assert scores.type == pa.float32()
    assert len(scores) == len(TEXTS)
    low = [score < np.float32(0.9) for score in scores.to_pylist()]
    assert low[:2] == [False, True]
    assert verdict.reason.to_pylist() == ["classifier_score" if one else None for one in low]
    assert verdict.detail[1].as_py().endswith(" (threshold 0.9)")
    assert verdict.detail[0].as_py() is None
    assert verdict.tags is None


def test_a_tagged_document_goes_on(model):
    dropped = judge(ClassifierFilter(model)).reason.to_pylist()
    tagged = judge(ClassifierFilter(model, tag=["classifier_score"]))
    assert tagged.reason.null_count == len(TEXTS)
    assert tagged.tags.type == pa.list_(pa.string())
    assert tagged.tags.to_pylist() == [None if one is None else [one] for one in dropped]


def test_the_other_label_is_the_complement(model):
    scores = [judge(ClassifierFilter(model, label)).columns["classifier_score"].to_pylist()
              for label in ("negative", "__label__positive")]  # fmt: skip
    assert np.sum(scores, axis=0) == pytest.approx([1.00002] * len(TEXTS), abs=1e-5)


@pytest.mark.parametrize("score", [0, -0.1, 1.5, float("nan")])
def test_thresholds_that_are_none_are_refused(model, score):
    with pytest.raises(RecipeError, match="min_score"):
        ClassifierFilter(model, min_score=score)


def test_what_cannot_be_used_is_refused_before_any_work(model, tmp_path):
    (tmp_path / "text.bin").write_text("hello, no model")
    with pytest.raises(RecipeError, match=r"none\.bin cannot be read"):
        ClassifierFilter(tmp_path / "none.bin")
    with pytest.raises(FormatError, match="not a fastText model"):
        ClassifierFilter(tmp_path / "text.bin")
    with pytest.raises(RecipeError, match=r"no label 'postive'.*did you mean 'positive'"):
        ClassifierFilter(model, "postive")
    with pytest.raises(RecipeError, match=r"classifier\.tag has language"):
        ClassifierFilter(model, tag=["language"])
