"""What a range proof states."""

import pytest

from idemix.errors import MalformedProofError
from idemix.rangeproof import AT_LEAST, AT_MOST, RangeStructure, Statement, ThreeSquares, UnprovableStatementError

THREE = ThreeSquares(1000)


@pytest.mark.parametrize(
    ("statement", "structure"),
    [
        (Statement(AT_LEAST, 18), (AT_LEAST, 1, 18, 4, 128)),
        (Statement(AT_MOST, 100, factor=7), (AT_MOST, 7, 100, 4, 128)),
        (Statement(AT_LEAST, 18, squares=THREE), (AT_LEAST, 4, 70, 3, 6)),
        (Statement(AT_MOST, 18, squares=THREE), (AT_MOST, 4, 70, 3, 6)),
    ],
)
def test_the_shape_follows_from_the_statement(statement: Statement, structure: tuple[int, ...]) -> None:
    shape = RangeStructure.of(statement)
    assert (shape.sign, shape.a, shape.k, shape.count, shape.l_d) == structure
    assert (shape.proven.sign, shape.proven.bound, shape.proven.factor) == (statement.sign, statement.bound, statement.factor)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(Statement(AT_LEAST, -1), id="a negative bound"),
        pytest.param(Statement(AT_LEAST, 0, squares=THREE), id="a bound that becomes negative"),
        pytest.param(Statement(AT_LEAST, 18, factor=0), id="no factor"),
        pytest.param(Statement(AT_LEAST, 18, factor=1 << 63), id="a factor too large"),
        pytest.param(Statement(AT_LEAST, 18, factor=2, squares=THREE), id="a factor with three squares"),
    ],
)
def test_statements_that_have_no_shape(statement: Statement) -> None:
    with pytest.raises(UnprovableStatementError):
        RangeStructure.of(statement)


@pytest.mark.parametrize("sign", [0, 2])
def test_a_statement_without_sign_is_malformed(sign: int) -> None:
    with pytest.raises(MalformedProofError, match=r"statement\.sign"):
        RangeStructure.of(Statement(sign, 18))


@pytest.mark.parametrize("statement", [Statement(AT_LEAST, 18), Statement(AT_LEAST, 18, squares=THREE)])
def test_a_lower_bound_implies_those_below_it(statement: Statement) -> None:
    shape = RangeStructure.of(statement)
    assert [bound for bound in range(-3, 30) if shape.proves(AT_LEAST, bound)] == list(range(-3, 19))
    assert not shape.proves(AT_MOST, 18)
    assert not shape.proves(AT_LEAST, 18, factor=2)
    assert not shape.proves(AT_LEAST, 18, factor=4)


@pytest.mark.parametrize("statement", [Statement(AT_MOST, 18), Statement(AT_MOST, 18, squares=THREE)])
def test_an_upper_bound_implies_those_above_it(statement: Statement) -> None:
    shape = RangeStructure.of(statement)
    assert [bound for bound in range(30) if shape.proves(AT_MOST, bound)] == list(range(18, 30))
    assert not shape.proves(AT_LEAST, 18)
