"""System parameters."""

import pytest

from idemix.errors import MalformedKeyError
from idemix.params import MODULUS_LENGTHS, SECRET_KEY_BITS, SECRET_RANDOMIZER_BITS, params_for


@pytest.mark.parametrize("bits", MODULUS_LENGTHS)
def test_responses_hide_their_secrets(bits: int) -> None:
    params = params_for(bits)
    assert params.l_m_commit - params.l_m - params.l_h == params.l_statzk
    assert params.l_e_commit - params.l_e_prime - params.l_h == params.l_statzk
    assert params.l_v_commit - params.l_v - params.l_h == params.l_statzk


@pytest.mark.parametrize("bits", MODULUS_LENGTHS)
def test_secret_key_and_its_response_fit_every_key(bits: int) -> None:
    params = params_for(bits)
    assert params.l_m > SECRET_KEY_BITS
    assert max(SECRET_RANDOMIZER_BITS, SECRET_KEY_BITS + params.l_h) <= params.l_m_commit


@pytest.mark.parametrize("bits", [0, 512, 1023, 1025, 2047, 3072])
def test_other_lengths_are_refused(bits: int) -> None:
    with pytest.raises(MalformedKeyError, match=str(bits)):
        params_for(bits)
