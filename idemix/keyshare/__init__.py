"""Keyshare: the holder's secret key in two parts, one of them with a keyshare server that can block a lost phone.

The secret key on a credential of a scheme with a keyshare server is m_0 = m_user + m_kss. Neither side has it; both prove their
part with one challenge, and the parts of the proof are put together ("merged"). The server learns no attributes.

There are two protocols. In the old one the server answers whatever challenge it gets, and its proof carries P = R_0^{m_kss},
which tells a holder's sessions of issuance apart; its response is added. In the newer one (protocol 2.9) the holder first
sends a hash of all commitments, the server then makes the challenge itself, and its response is already the sum; it takes
the place of the holder's. Which of the two a proof belongs to is seen by P.

In a disclosure or a signature the holder merges. In an issuance the issuer does, from a JWT that the server signed: the
issuer then knows that the server took part.

Modules: `proof_p` the server's proof and how it merges; `jwt` that proof as a JWT; `messages` what holder and server send each
other in the newer protocol; `holder` and `server` the two sides.

Source: gabi `keyshare.go`, `legacy.go`, `proofs.go` (MergeProofP); irmago `internal/keysharecore/operations.go`.
"""

from .jwt import read_proof_p, sign_proof_p
from .proof_p import ProofP, ProofPCommitment, merge_proofs

__all__ = ["ProofP", "ProofPCommitment", "merge_proofs", "read_proof_p", "sign_proof_p"]
