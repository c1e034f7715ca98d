"""The loss against torch's own, what decays, and weights that depend on the seed alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.errors import RecipeError
from gristmill.train import model as models
from gristmill.train.recipe import ModelOptions

SMALL = ModelOptions(hidden_size=16, layers=1, heads=2)


def build(options=SMALL, seed=1):
    return models.build(options, seq_len=16, vocab_size=50, end_token_id=0, seed=seed)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 200), st.integers(1, 70), st.integers(0, 2**32), st.floats(0, 1))
def test_losses_and_gradients_are_those_of_torch(n, vocab_size, seed, ignored):
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(n, vocab_size, generator=generator) * 5).requires_grad_()
    targets = torch.randint(0, vocab_size, (n,), generator=generator)
    targets[torch.rand(n, generator=generator) < ignored] = models.IGNORED
    upstream = torch.randn(n, generator=generator)
    found = models._TokenLosses.apply(logits, targets)
    (gradient,) = torch.autograd.grad(found @ upstream, logits)
    expected = models.reference_token_losses(logits, targets)
    (expected_gradient,) = torch.autograd.grad(expected @ upstream, logits)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, expected_gradient, atol=1e-5, rtol=1e-5)


def test_bf16_logits_get_their_gradient_rounded_once():
    logits = torch.randn(70, 40, generator=torch.Generator().manual_seed(1)).bfloat16()
    logits.requires_grad_()
    targets = torch.arange(70) % 40
    (gradient,) = torch.autograd.grad(models._TokenLosses.apply(logits, targets).sum(), logits)
    (exact,) = torch.autograd.grad(models.reference_token_losses(logits, targets).sum(), logits)
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient, exact)


def test_a_row_is_scored_by_what_follows_each_token():
    model = models.CausalLoss(build()).eval()
    tokens = torch.randint(0, 50, (3, 16), generator=torch.Generator().manual_seed(1))
    labels = tokens.clone()
    labels[1, 4:] = models.IGNORED
    with torch.no_grad():
        rows = model(tokens, labels)
        loss = model.model(input_ids=tokens, labels=labels).loss
    assert models.n_targets(labels).tolist() == [15, 3, 15]
    assert float(rows.sum() / 33) == pytest.approx(float(loss), rel=1e-5)


def test_later_tokens_do_not_change_the_loss_of_earlier_ones():
    model = models.CausalLoss(build()).eval()
    tokens = torch.randint(0, 50, (1, 16), generator=torch.Generator().manual_seed(1))
    labels = tokens.clone()
    labels[:, 8:] = models.IGNORED
    changed = tokens.clone()
    changed[:, 8:] += 1
    changed %= 50
    with torch.no_grad():
        assert torch.equal(model(tokens, labels), model(changed, labels))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_matrices_decay_and_norms_biases_and_embeddings_do_not(family):
    model = build(ModelOptions(family=family, hidden_size=16, layers=1, heads=2))
    decay, rest = (
        {id(parameter) for parameter in group["params"]}
        for group in models.decay_groups(model, 0.1)
    )
    for name, parameter in model.named_parameters():
        plain = parameter.ndim < 2 or "embed" in name or "wte" in name or "wpe" in name
        assert id(parameter) in (rest if plain else decay), name


def test_weights_are_a_function_of_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = build(), build(), build(seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(first.get_parameter(name), again.get_parameter(name))
    assert not torch.equal(first.get_parameter(name), other.get_parameter(name))


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="no Hugging Face directory"):
        build(ModelOptions.model_validate({"from": tmp_path}))
