import pytest

from lowerbound.lecture.equations import to_mathml


def inside(equation):
    return to_mathml(equation).split("<mrow>", 1)[1].removesuffix("</mrow></math>")


@pytest.mark.parametrize(
    ("equation", "mathml"),
    [
        ("x", "<mi>x</mi>"),
        ("log p", "<mi>log</mi><mi>p</mi>"),
        ("2.5 < x", "<mn>2.5</mn><mo>&lt;</mo><mi>x</mi>"),
        ("z_t^2", "<msubsup><mi>z</mi><mi>t</mi><mn>2</mn></msubsup>"),
        ("z^2_t", "<msubsup><mi>z</mi><mi>t</mi><mn>2</mn></msubsup>"),
        (r"\frac{1}{K}", "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>K</mi></mrow></mfrac>"),
        ("∑_{k}^K", "<munderover><mo>∑</mo><mrow><mi>k</mi></mrow><mi>K</mi></munderover>"),
        (r"log \, p", '<mi>log</mi><mspace width="0.17em"/><mi>p</mi>'),
        ("E_q", "<msub><mi>E</mi><mi>q</mi></msub>"),
    ],
)
def test_an_equation_becomes_mathml(equation, mathml):
    assert inside(equation) == mathml


@pytest.mark.parametrize("equation", ["x_", "{x", "x}", r"\frac{1}"])
def test_an_equation_that_is_not_whole_is_refused(equation):
    with pytest.raises(ValueError, match=r"equation|brace"):
        to_mathml(equation)
