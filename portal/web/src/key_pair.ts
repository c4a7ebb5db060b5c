/** Keys: made here by WebCrypto, kept only encrypted, and used for what their owner asks. */
import * as asn1js from 'asn1js';
import { AttributeTypeAndValue, Certificate, CertificationRequest, PublicKeyInfo, RelativeDistinguishedNames } from 'pkijs';
import { OID_AES256_CBC, OID_HMAC_SHA256, OID_PBES2, OID_PBKDF2, octets } from './asn1';

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const ECDSA_SHA256 = { name: 'ECDSA', hash: 'SHA-256' } as const;
const SEVEN_DAYS = 7 * 24 * 3600 * 1000;
const COMMON_NAME = '2.5.4.3';

/** Work that guessing a password costs (OWASP, PBKDF2-HMAC-SHA256). */
export const ITERATIONS = 310_000;
/** What we are willing to work for a file that somebody gives us. */
const MOST_ITERATIONS = 5_000_000;

/** A key that can sign, and whose it is. */
export interface Key {
  privateKey: CryptoKey;
  /** SubjectPublicKeyInfo, DER. */
  spki: ArrayBuffer;
  /** Its certificate, DER: what is signed carries it along. */
  certificate?: ArrayBuffer;
}

/** Why an encrypted key does not open. */
export class WrongPassword extends Error {}

/** A new key pair, encrypted, with a certification request for it and a certificate for the days until the real one. */
export interface NewKey {
  /** EncryptedPrivateKeyInfo (RFC 5958 section 3), DER. */
  encrypted: ArrayBuffer;
  spki: ArrayBuffer;
  /** PKCS#10 (RFC 2986), PEM. */
  request: string;
  /** Self-signed, for seven days: programs do not open a key file without any certificate. DER. */
  certificate: ArrayBuffer;
}

/** Makes a P-256 key. Its octets are in memory only between here and their encryption. */
export async function make(commonName: string, password: string): Promise<NewKey> {
  const pair = await crypto.subtle.generateKey(P256, true, ['sign', 'verify']);
  const [pkcs8, spki] = await Promise.all([
    crypto.subtle.exportKey('pkcs8', pair.privateKey), crypto.subtle.exportKey('spki', pair.publicKey),
  ]);
  const encrypted = await encrypt(pkcs8, password, ITERATIONS);
  new Uint8Array(pkcs8).fill(0);
  return { encrypted, spki, ...await papers(commonName, pair) };
}

/** A key that this device has already, with a request and a certificate anew: nobody has to make a second one to go on. */
export async function remake(commonName: string, encrypted: ArrayBuffer, spki: ArrayBuffer, password: string): Promise<NewKey> {
  const { privateKey } = await open(encrypted, password, spki);
  const publicKey = await crypto.subtle.importKey('spki', spki, P256, true, ['verify']);
  return { encrypted, spki, ...await papers(commonName, { privateKey, publicKey }) };
}

/** A key that never leaves this browser, not even encrypted: it can sign, and nothing reads it. */
export async function makeFixed(): Promise<Key> {
  const { privateKey, publicKey } = await crypto.subtle.generateKey(P256, false, ['sign', 'verify']);
  return { privateKey, spki: await crypto.subtle.exportKey('spki', publicKey) };
}

/** The key of a PrivateKeyInfo that belongs to this certificate, ready to sign and not to be taken out again. */
export async function fix(pkcs8: ArrayBuffer, spki: ArrayBuffer): Promise<Key> {
  const privateKey = await crypto.subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']);
  const probe = crypto.getRandomValues(new Uint8Array(32));
  const signature = await crypto.subtle.sign(ECDSA_SHA256, privateKey, probe);
  const publicKey = await crypto.subtle.importKey('spki', spki, P256, false, ['verify']);
  if (!await crypto.subtle.verify(ECDSA_SHA256, publicKey, signature, probe)) throw new Error('the certificate is of another key');
  return { privateKey, spki };
}

/** A certification request (PKCS#10, PEM) for a key. */
export async function request(commonName: string, key: Key): Promise<string> {
  const publicKey = await crypto.subtle.importKey('spki', key.spki, P256, true, ['verify']);
  return requestOf(commonName, { privateKey: key.privateKey, publicKey });
}

function name(commonName: string): AttributeTypeAndValue {
  return new AttributeTypeAndValue({ type: COMMON_NAME, value: new asn1js.Utf8String({ value: commonName.slice(0, 64) }) });
}

async function requestOf(commonName: string, pair: CryptoKeyPair): Promise<string> {
  const request = new CertificationRequest({ version: 0 });
  request.subject.typesAndValues.push(name(commonName));
  await request.subjectPublicKeyInfo.importKey(pair.publicKey);
  request.attributes = [];
  await request.sign(pair.privateKey, 'SHA-256');
  return pem('CERTIFICATE REQUEST', request.toSchema().toBER());
}

async function papers(commonName: string, pair: CryptoKeyPair): Promise<Pick<NewKey, 'request' | 'certificate'>> {
  const certificate = new Certificate({ version: 2 });
  certificate.serialNumber = new asn1js.Integer({ valueHex: positive(crypto.getRandomValues(new Uint8Array(16))).buffer });
  certificate.issuer = new RelativeDistinguishedNames({ typesAndValues: [name(commonName)] });
  certificate.subject = new RelativeDistinguishedNames({ typesAndValues: [name(commonName)] });
  certificate.notBefore.value = new Date();
  certificate.notAfter.value = new Date(Date.now() + SEVEN_DAYS);
  await certificate.subjectPublicKeyInfo.importKey(pair.publicKey);
  await certificate.sign(pair.privateKey, 'SHA-256');
  return { request: await requestOf(commonName, pair), certificate: certificate.toSchema().toBER() };
}

/** RFC 5280 section 4.1.2.2. */
function positive(serial: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return serial;
}

/** PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC (RFC 8018 section 6.2) over a PrivateKeyInfo. */
export async function encrypt(pkcs8: BufferSource, password: string, iterations: number): Promise<ArrayBuffer> {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const iv = crypto.getRandomValues(new Uint8Array(16));
  const key = await derived(password, salt, iterations, 'SHA-256', 'encrypt');
  const encrypted = await crypto.subtle.encrypt({ name: 'AES-CBC', iv }, key, pkcs8);
  const sequence = (...value: asn1js.AsnType[]): asn1js.Sequence => new asn1js.Sequence({ value });
  const oid = (value: string): asn1js.ObjectIdentifier => new asn1js.ObjectIdentifier({ value });
  return sequence(
    sequence(oid(OID_PBES2), sequence(
      sequence(oid(OID_PBKDF2), sequence(
        new asn1js.OctetString({ valueHex: salt.buffer }), new asn1js.Integer({ value: iterations }),
        sequence(oid(OID_HMAC_SHA256), new asn1js.Null()))),
      sequence(oid(OID_AES256_CBC), new asn1js.OctetString({ valueHex: iv.buffer })))),
    new asn1js.OctetString({ valueHex: encrypted }),
  ).toBER();
}

/** Opens what {@link encrypt} has made, or OpenSSL or Java with the same algorithms. */
export async function decrypt(encrypted: ArrayBuffer, password: string): Promise<ArrayBuffer> {
  const { schemes, content } = parameters(encrypted);
  if (schemes.iterations > MOST_ITERATIONS) throw new WrongPassword('too many iterations');
  const key = await derived(password, schemes.salt, schemes.iterations, schemes.hash, 'decrypt');
  try {
    return await crypto.subtle.decrypt({ name: 'AES-CBC', iv: schemes.iv }, key, content);
  } catch {
    throw new WrongPassword('wrong password');
  }
}

interface Schemes { salt: ArrayBuffer; iterations: number; hash: string; iv: ArrayBuffer }

const HASHES: Record<string, string> = { '1.2.840.113549.2.7': 'SHA-1', [OID_HMAC_SHA256]: 'SHA-256', '1.2.840.113549.2.10': 'SHA-384', '1.2.840.113549.2.11': 'SHA-512' };

function parameters(encrypted: ArrayBuffer): { schemes: Schemes; content: ArrayBuffer } {
  const top = parts(asn1js.fromBER(encrypted).result);
  const [kind, schemes] = parts(top[0]);
  if (identifier(kind) !== OID_PBES2) throw new WrongPassword('not PBES2');
  const [derivation, cipher] = parts(schemes);
  const [, derivationParameters] = parts(derivation);
  const [salt, iterations, ...rest] = parts(derivationParameters);
  const hashed = rest.find(part => part instanceof asn1js.Sequence);
  const [name, iv] = parts(cipher);
  if (identifier(name) !== OID_AES256_CBC) throw new WrongPassword('not AES-256-CBC');
  const hash = HASHES[hashed ? identifier(parts(hashed)[0]) : '1.2.840.113549.2.7'];
  if (!hash || !(iterations instanceof asn1js.Integer)) throw new WrongPassword('unknown derivation');
  const schemesFound = { salt: octets(salt), iterations: iterations.valueBlock.valueDec, hash, iv: octets(iv) };
  return { schemes: schemesFound, content: octets(top[1]) };
}

function parts(value: unknown): asn1js.AsnType[] {
  return value instanceof asn1js.Sequence ? value.valueBlock.value : [];
}

function identifier(value: unknown): string {
  return value instanceof asn1js.ObjectIdentifier ? value.valueBlock.toString() : '';
}

async function derived(password: string, salt: BufferSource, iterations: number, hash: string, use: KeyUsage): Promise<CryptoKey> {
  const material = await crypto.subtle.importKey('raw', new TextEncoder().encode(password), 'PBKDF2', false, ['deriveKey']);
  return crypto.subtle.deriveKey({ name: 'PBKDF2', salt, iterations, hash }, material, { name: 'AES-CBC', length: 256 }, false, [use]);
}

/** The key in a PrivateKeyInfo, ready to sign and not to be taken out again. */
export async function open(encrypted: ArrayBuffer, password: string, spki: ArrayBuffer): Promise<Key> {
  const pkcs8 = await decrypt(encrypted, password);
  try {
    return { privateKey: await crypto.subtle.importKey('pkcs8', pkcs8, P256, false, ['sign']), spki };
  } catch {
    throw new WrongPassword('not a P-256 key');
  } finally {
    new Uint8Array(pkcs8).fill(0);
  }
}

/** Method 1 of RFC 5280 section 4.2.1.2: SHA-1 of the key's bits. */
export async function keyIdentifier(spki: ArrayBuffer): Promise<ArrayBuffer> {
  const info = new PublicKeyInfo({ schema: asn1js.fromBER(spki).result });
  return crypto.subtle.digest('SHA-1', info.subjectPublicKey.valueBlock.valueHexView as BufferSource);
}

/** RFC 7468. */
export function pem(label: string, der: ArrayBuffer): string {
  const lines = base64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** RFC 4648 section 4. */
export function base64(octets: ArrayBuffer): string {
  return btoa(Array.from(new Uint8Array(octets), octet => String.fromCharCode(octet)).join(''));
}
