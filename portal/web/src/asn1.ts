/** The few names and shapes of ASN.1 that several files need. */
import * as asn1js from 'asn1js';

/** RFC 8018 appendix A.4. */
export const OID_PBES2 = '1.2.840.113549.1.5.13';
/** RFC 8018 appendix A.2. */
export const OID_PBKDF2 = '1.2.840.113549.1.5.12';
/** RFC 8018 appendix B.1.2. */
export const OID_HMAC_SHA256 = '1.2.840.113549.2.9';
/** NIST's aes256-CBC-PAD. */
export const OID_AES256_CBC = '2.16.840.1.101.3.4.1.42';

/** The content of an OCTET STRING, also of one that was written in pieces. */
export function octets(value: unknown): ArrayBuffer {
  return value instanceof asn1js.OctetString ? value.getValue() : new ArrayBuffer(0);
}

/** Are these the same octets? */
export function isSame(first: ArrayBuffer, second: ArrayBuffer): boolean {
  const [a, b] = [new Uint8Array(first), new Uint8Array(second)];
  return a.length === b.length && a.every((octet, index) => octet === b[index]);
}
