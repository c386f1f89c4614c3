"""The recurrent layers, forwards and backwards, against torch's own."""

import pytest
import torch
from torch import nn

from lowerbound.nn import recurrent
from lowerbound.nn.recurrent import LSTM, LayerGradient, Memory, RepeatedLinear, linear, linear_back, lstm, lstm_back


def sequence(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reference(cell):
    """torch's LSTM with the same weights; its gates are in the order i, f, g, o, ours in the order i, f, o, g."""
    units = cell.gates.weight.shape[0] // 4
    inputs = cell.gates.weight.shape[1] - units
    theirs = nn.LSTM(inputs, units).double()
    i, f, o, g = range(4)
    order = torch.cat([torch.arange(units) + units * gate for gate in (i, f, g, o)])
    with torch.no_grad():
        weight, bias = cell.gates.weight[order], cell.gates.bias[order]
        theirs.weight_ih_l0.copy_(weight[:, :inputs])
        theirs.weight_hh_l0.copy_(weight[:, inputs:])
        theirs.bias_ih_l0.copy_(bias)
        theirs.bias_hh_l0.zero_()
    return theirs, order


@torch.no_grad()
def there_and_back(cell, x, state, of_outputs, of_cell, constant=None):
    """Outputs and last cell; then the gradients of x, of the first state, of the weight, and of what is added."""
    layer, memory, outputs, steps = cell.gates.layer(constant), Memory(*state), [], []
    for each in x:
        memory, step = lstm(layer, [each[:, :1], each[:, 1:]], memory)
        outputs.append(memory.output)
        steps.append(step)
    gradient, of = LayerGradient(layer), Memory(torch.zeros_like(of_cell), of_cell)
    of_x = []
    for step, of_output in zip(steps[::-1], of_outputs.flip(0), strict=True):
        part, of, slope = lstm_back(layer, step, of._replace(output=of.output + of_output))
        gradient.add(step.x, slope)
        of_x.insert(0, part)
    return torch.stack(outputs), memory.cell, [torch.stack(of_x), *of, *gradient.finish()]


@pytest.mark.parametrize("together", [1, 5, 1000])
def test_values_and_gradients_are_those_of_torch_s_lstm(together, monkeypatch):
    """Whether the steps of the weight's gradient are taken one by one, by threes, or all at once."""
    monkeypatch.setattr(recurrent, "_TOGETHER", together)
    cell = LSTM(3, 4).double()
    theirs, order = reference(cell)
    x, h, c = sequence(7, 2, 3), sequence(2, 4, seed=1), sequence(2, 4, seed=2)
    of_outputs, of_cell = sequence(7, 2, 4, seed=3), sequence(2, 4, seed=4)
    outputs, last, gradients = there_and_back(cell, x, (h, c), of_outputs, of_cell)
    wanted = [part.requires_grad_() for part in (x, h, c)]
    expected, (_, expected_last) = theirs(x, (h.unsqueeze(0), c.unsqueeze(0)))
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(last, expected_last[0])
    loss = (expected * of_outputs).sum() + (expected_last[0] * of_cell).sum()
    wanted += [theirs.weight_ih_l0, theirs.weight_hh_l0, theirs.bias_ih_l0]
    *of_states, of_inputs, of_recurrent, of_bias = torch.autograd.grad(loss, wanted)
    for one, other in zip(gradients[:3], of_states, strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(gradients[3][order], torch.cat([of_inputs, of_recurrent], 1))
    torch.testing.assert_close(gradients[4][order], of_bias)


def test_a_constant_input_may_be_given_once():
    """Results and gradients are those of the constant fed at every step."""
    cell, whole = LSTM(3, 4).double(), LSTM(5, 4).double()
    x, constant, state = sequence(4, 2, 3), sequence(2, 2, seed=1), (sequence(2, 4), sequence(2, 4))
    of_outputs, of_cell = sequence(4, 2, 4, seed=3), sequence(2, 4, seed=4)
    extra = sequence(16, 2, seed=5)
    with torch.no_grad():
        whole.gates.weight.copy_(torch.cat([cell.gates.weight[:, :3], extra, cell.gates.weight[:, 3:]], 1))
        whole.gates.bias.copy_(cell.gates.bias)
    outputs, _, gradients = there_and_back(cell, x, state, of_outputs, of_cell, constant @ extra.T)
    fed = torch.cat([x, constant.expand(4, 2, 2)], 2)
    expected, _, wanted = there_and_back(whole, fed, state, of_outputs, of_cell)
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(gradients[4].shape, torch.Size((2, 16)))
    torch.testing.assert_close(gradients[4].sum(0), wanted[4])
    torch.testing.assert_close(gradients[4].T @ constant, wanted[3][:, 3:5])
    torch.testing.assert_close(gradients[4] @ extra, wanted[0][:, :, 3:].sum(0))


def test_the_forget_gate_starts_open():
    bias = LSTM(2, 3).gates.bias
    assert bias.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]


def test_a_gradient_that_is_not_wanted_is_not_computed():
    layer = RepeatedLinear(3, 2).double().layer()
    gradient = LayerGradient(layer, wanted=False)
    gradient.add(sequence(5, 3), sequence(5, 2))
    of_weight, of_added = gradient.finish()
    assert of_weight is None
    torch.testing.assert_close(of_added, sequence(5, 2).sum(0))


@torch.no_grad()
def test_under_autocast_products_are_in_bfloat16_and_results_in_float32():
    """To the rounding of bfloat16, 2⁻⁸ of each factor; the gradient of the weight is rounded once over all steps."""
    layer = RepeatedLinear(64, 8)
    x = torch.randn(6, 5, 64, generator=torch.Generator().manual_seed(0))
    exact = nn.functional.linear(x[0], layer.weight, layer.bias)
    with torch.autocast("cpu", torch.bfloat16):
        parts = layer.layer()
    result, seen = linear(parts, [x[0]])
    assert (result.dtype, seen.dtype, parts.weight.dtype) == (torch.float32, torch.bfloat16, torch.bfloat16)
    assert 0 < (result - exact).abs().max() < 0.05
    slope = torch.ones(5, 8)
    of_x = linear_back(parts, slope)
    assert of_x.dtype == torch.float32
    torch.testing.assert_close(of_x, slope @ layer.weight, atol=0.02, rtol=0)
    gradient = LayerGradient(parts)
    for each in x:
        gradient.add(linear(parts, [each])[1], slope)
    of_weight, of_bias = gradient.finish()
    torch.testing.assert_close(of_weight.float(), x.sum((0, 1)).expand(8, 64), atol=0.05, rtol=0.02)
    torch.testing.assert_close(of_bias, torch.full((8,), 30.0))


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_a_layer_without_entries_is_refused(sizes):
    with pytest.raises(ValueError, match="positive sizes"):
        RepeatedLinear(*sizes)
