"""The recurrent layers against torch's own."""

import pytest
import torch
from torch import nn

from lowerbound.nn.recurrent import LSTM, RepeatedLinear


def sequence(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reference(cell):
    """torch's LSTM with the same weights; its gates are in the order i, f, g, o, ours in the order i, f, o, g."""
    units = cell.gates.weight.shape[0] // 4
    inputs = cell.gates.weight.shape[1] - units
    theirs = nn.LSTM(inputs, units).double()
    i, f, o, g = range(4)
    order = torch.cat([torch.arange(units) + units * gate for gate in (i, f, g, o)])
    order = torch.cat([order[: 2 * units], order[2 * units :]])
    with torch.no_grad():
        weight, bias = cell.gates.weight[order], cell.gates.bias[order]
        theirs.weight_ih_l0.copy_(weight[:, :inputs])
        theirs.weight_hh_l0.copy_(weight[:, inputs:])
        theirs.bias_ih_l0.copy_(bias)
        theirs.bias_hh_l0.zero_()
    return theirs, order


def run(cell, x, state, constant=None):
    """Every output, and the last state."""
    step, outputs = cell.repeated(len(x), x.shape[1], constant), []
    for each in x:
        state = step([each], state)
        outputs.append(state[0])
    return torch.stack(outputs), state


def test_values_and_gradients_are_those_of_torch_s_lstm():
    cell = LSTM(3, 4).double()
    theirs, order = reference(cell)
    x, h, c = sequence(6, 2, 3).requires_grad_(), sequence(2, 4, seed=1), sequence(2, 4, seed=2)
    state = h.requires_grad_(), c.requires_grad_()
    outputs, (_, last) = run(cell, x, state)
    expected, (_, expected_last) = theirs(x, (h.unsqueeze(0), c.unsqueeze(0)))
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(last, expected_last[0])
    weighting = sequence(6, 2, 4, seed=3)
    ours = torch.autograd.grad((outputs * weighting).sum() + last.square().sum(), [x, *state, *cell.parameters()])
    loss = (expected * weighting).sum() + expected_last.square().sum()
    wanted = torch.autograd.grad(loss, [x, *state, theirs.weight_ih_l0, theirs.weight_hh_l0, theirs.bias_ih_l0])
    for one, other in zip(ours[:3], wanted[:3], strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(ours[3][order], torch.cat(wanted[3:5], 1))
    torch.testing.assert_close(ours[4][order], wanted[5])


def test_a_constant_input_may_be_given_once():
    """Gates and gradients are those of the constant fed at every step."""
    cell, whole = LSTM(3, 4).double(), LSTM(5, 4).double()
    x, constant, state = sequence(4, 2, 3), sequence(2, 2, seed=1).requires_grad_(), (sequence(2, 4), sequence(2, 4))
    extra = nn.Linear(2, 16, bias=False).double()
    with torch.no_grad():
        whole.gates.weight.copy_(torch.cat([cell.gates.weight[:, :3], extra.weight, cell.gates.weight[:, 3:]], 1))
        whole.gates.bias.copy_(cell.gates.bias)
    outputs, _ = run(cell, x, state, extra(constant))
    expected, _ = run(whole, torch.cat([x, constant.expand(4, 2, 2)], 2), state)
    torch.testing.assert_close(outputs, expected)
    ours = torch.autograd.grad(outputs.square().sum(), [constant, extra.weight, cell.gates.bias])
    wanted = torch.autograd.grad(expected.square().sum(), [constant, whole.gates.weight, whole.gates.bias])
    torch.testing.assert_close(ours[0], wanted[0])
    torch.testing.assert_close(ours[1], wanted[1][:, 3:5])
    torch.testing.assert_close(ours[2], wanted[2])


def test_the_forget_gate_starts_open():
    bias = LSTM(2, 3).gates.bias
    assert bias.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_gradients_count_the_uses_that_mattered_and_no_others():
    layer = RepeatedLinear(3, 2).double()
    x = sequence(4, 5, 3)
    use = layer.repeated(6, 5)
    results = [use(each) for each in x]
    (gradient,) = torch.autograd.grad(results[0].sum() + 2 * results[3].sum(), layer.weight, retain_graph=True)
    expected = (x[0] + 2 * x[3]).sum(0).expand(2, 3)
    torch.testing.assert_close(gradient, expected)
    # An earlier pass through part of the graph leaves nothing behind.
    (gradient,) = torch.autograd.grad(results[1].sum(), layer.weight)
    torch.testing.assert_close(gradient, x[1].sum(0).expand(2, 3))


def test_without_gradients_it_is_a_linear_layer():
    layer, x = RepeatedLinear(3, 2).double(), sequence(5, 3)
    with torch.no_grad():
        result = layer.repeated(1, 5)(x)
    torch.testing.assert_close(result, nn.functional.linear(x, layer.weight, layer.bias))
    assert not result.requires_grad


def test_under_autocast_products_are_in_bfloat16_and_results_in_float32():
    """To the rounding of bfloat16, 2⁻⁸ of each factor."""
    layer, x = RepeatedLinear(64, 8), torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    exact = nn.functional.linear(x, layer.weight, layer.bias)
    with torch.autocast("cpu", torch.bfloat16):
        result = layer.repeated(1, 5)(x)
    assert result.dtype == torch.float32
    assert 0 < (result - exact).abs().max() < 0.05
    (gradient,) = torch.autograd.grad(result.sum(), layer.weight)
    torch.testing.assert_close(gradient, x.sum(0).expand(8, 64), atol=0.05, rtol=0.02)


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_a_layer_without_entries_is_refused(sizes):
    with pytest.raises(ValueError, match="positive sizes"):
        RepeatedLinear(*sizes)
