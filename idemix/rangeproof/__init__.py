"""Range proofs: a hidden attribute m satisfies a·m ≥ k or a·m ≤ k, without more of it becoming known.

The difference sign·(a·m - k) is written as a sum of squares d_j², which cannot be negative. The holder commits to the roots,
C_j = R^{d_j} · S^{v_j} for R the base of the attribute, and proves to know exponents with

    R^{-sign·k} = S^{-v_5} · R^{-a·sign·m} · ∏ C_j^{d_j}    and    C_j = R^{d_j} · S^{v_j},    v_5 = ∑ d_j · v_j,

where m is the attribute of the disclosure proof that the range proof is part of: both use one randomizer and one response.
In IRMA an attribute is encoded as an integer twice as large, plus one; a statement is about that integer.

Session requests know no range proofs. A disclosure may carry them all the same; then they count.

Source: Identity Mixer specification 2.3.40, sections 6.2.6 and 6.3.6, as varied in gabi `rangeproof/proof.go`, which also
proves soundness; Groth, "Non-interactive Zero-Knowledge Arguments for Voting", ACNS 2005, for three squares.
"""

# A disclosure proof carries range proofs, which share its checks: the two packages load together, that one first.
from .. import proofs as _proofs  # noqa: F401
from .proof import MAX_RANGE_PROOFS, CommittedRange, RangeProof, RangeProver
from .squares import FOUR_SQUARES, FourSquares, ThreeSquares
from .structure import AT_LEAST, AT_MOST, RangeStructure, Statement, UnprovableStatementError

__all__ = [
    "AT_LEAST",
    "AT_MOST",
    "FOUR_SQUARES",
    "MAX_RANGE_PROOFS",
    "CommittedRange",
    "FourSquares",
    "RangeProof",
    "RangeProver",
    "RangeStructure",
    "Statement",
    "ThreeSquares",
    "UnprovableStatementError",
]
