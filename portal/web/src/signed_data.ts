/** Signatures over documents: CMS SignedData (RFC 5652), detached. */
import * as asn1js from 'asn1js';
import {
  AlgorithmIdentifier, Attribute, Certificate, ContentInfo, EncapsulatedContentInfo, IssuerAndSerialNumber, SignedAndUnsignedAttributes,
  SignedData, SignerInfo,
} from 'pkijs';
import { type Key, base64, keyIdentifier } from './key_pair';

const DATA = '1.2.840.113549.1.7.1';
const SIGNED_DATA = '1.2.840.113549.1.7.2';
const CONTENT_TYPE = '1.2.840.113549.1.9.3';
const MESSAGE_DIGEST = '1.2.840.113549.1.9.4';
const SIGNING_TIME = '1.2.840.113549.1.9.5';
const SHA256 = '2.16.840.1.101.3.4.2.1';

/**
 * Signs the octets: SHA-256 and ECDSA through signed attributes (contentType, messageDigest, signingTime). The signer is named by
 * its certificate, which goes along, or by its key, if there is no certificate yet. DER, Base64.
 */
export async function sign(key: Key, content: ArrayBuffer): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', content);
  const certificate = key.certificate && Certificate.fromBER(key.certificate);
  // RFC 5652 section 5.3: version 1 with a certificate, 3 with a key's identifier.
  const version = certificate ? 1 : 3;
  const sid = certificate
    ? new IssuerAndSerialNumber({ issuer: certificate.issuer, serialNumber: certificate.serialNumber })
    : new asn1js.Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex: await keyIdentifier(key.spki) });
  const attributes = [
    new Attribute({ type: CONTENT_TYPE, values: [new asn1js.ObjectIdentifier({ value: DATA })] }),
    new Attribute({ type: SIGNING_TIME, values: [new asn1js.UTCTime({ valueDate: new Date() })] }),
    new Attribute({ type: MESSAGE_DIGEST, values: [new asn1js.OctetString({ valueHex: digest })] }),
  ];
  // DER sorts a SET OF by its encodings (X.690 section 11.6), and the signature is over that.
  attributes.sort((a, b) => compare(a.toSchema().toBER(), b.toSchema().toBER()));
  const signed = new SignedData({
    version,
    encapContentInfo: new EncapsulatedContentInfo({ eContentType: DATA }),
    ...(certificate && { certificates: [certificate] }),
    signerInfos: [
      new SignerInfo({
        version,
        sid,
        digestAlgorithm: new AlgorithmIdentifier({ algorithmId: SHA256 }),
        signedAttrs: new SignedAndUnsignedAttributes({ type: 0, attributes }),
      }),
    ],
  });
  await signed.sign(key.privateKey, 0, 'SHA-256', content);
  // pkijs computes the version from what it knows of signers; one that is named by its key makes it 3 (section 5.1).
  signed.version = version;
  return base64(new ContentInfo({ contentType: SIGNED_DATA, content: signed.toSchema(true) }).toSchema().toBER());
}

function compare(first: ArrayBuffer, second: ArrayBuffer): number {
  const [a, b] = [new Uint8Array(first), new Uint8Array(second)];
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
