# Why a document does not count as signed.
signature-no-certificate = What stands for the signer's certificate is none.
signature-content-missing = The signature is detached: hand in the document that was signed as well.
signature-unknown-signer = The signer's certificate was not issued by this authority.
signature-not-valid-then = The certificate was not valid at the time of signing.
signature-revoked-then = The certificate was revoked before the time of signing.
signature-suspended = The certificate is suspended: wait until it is restored or revoked.
signature-no-signer-certificate = The signer's certificate is not in the signature, so nobody can be named.
signature-other-certificate-meant = The signer meant another certificate than the one in the signature. Do not trust it.
