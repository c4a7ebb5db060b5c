/**
 * The MAC of a key file (RFC 7292 section 5.1 and appendix B). Guessing a password against it must not be much cheaper than against
 * the key itself, and WebCrypto's digest of one block at a time makes a hundred thousand rounds a matter of seconds; so the rounds
 * are noble's.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import * as asn1js from 'asn1js';
import { AlgorithmIdentifier, DigestInfo, MacData } from 'pkijs';

const SHA256 = '2.16.840.1.101.3.4.2.1';
/** Octets that the hash takes at a time. */
const BLOCK = 64;
/** Diversifier of a key for integrity (appendix B.3). */
const INTEGRITY = 3;
const ROUNDS = 100_000;
const MOST_ROUNDS = 5_000_000;

/** The MAC over the octets of an authenticated safe. */
export async function make(password: string, safe: ArrayBuffer): Promise<MacData> {
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const digest = await hmac(await keyOf(password, salt, ROUNDS), safe);
  return new MacData({
    mac: new DigestInfo({
      digestAlgorithm: new AlgorithmIdentifier({ algorithmId: SHA256, algorithmParams: new asn1js.Null() }),
      digest: new asn1js.OctetString({ valueHex: digest }),
    }),
    macSalt: new asn1js.OctetString({ valueHex: salt.buffer }),
    iterations: ROUNDS,
  });
}

/** Whether the MAC is that of these octets under this password; nothing if it is of another kind. */
export async function check(mac: MacData, password: string, safe: ArrayBuffer): Promise<boolean | undefined> {
  if (mac.mac.digestAlgorithm.algorithmId !== SHA256) return undefined;
  const rounds = mac.iterations ?? 1;
  if (rounds < 1 || rounds > MOST_ROUNDS) return false;
  const salt = new Uint8Array(mac.macSalt.getValue());
  const key = await keyOf(password, salt, rounds);
  return crypto.subtle.verify('HMAC', key, mac.mac.digest.getValue(), safe);
}

/** Appendix B.2, for one block of output, which SHA-256 fills. */
async function keyOf(password: string, salt: Uint8Array, rounds: number): Promise<CryptoKey> {
  // A BMPString and its two zeros (appendix B.1); our passwords are ASCII, and any other character has its code there as well.
  const text = Uint8Array.from(`${password}\0`, letter => letter.charCodeAt(0));
  const bmp = Uint8Array.from({ length: text.length * 2 }, (_, index) => (index % 2 === 0 ? 0 : text[(index - 1) / 2] ?? 0));
  let state = sha256(Uint8Array.from([...new Uint8Array(BLOCK).fill(INTEGRITY), ...filled(salt), ...filled(bmp)]));
  for (let round = 1; round < rounds; round += 1) state = sha256(state);
  return crypto.subtle.importKey('raw', state.slice(), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']);
}

/** Repeated until whole blocks are full. */
function filled(octets: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: BLOCK * Math.ceil(octets.length / BLOCK) }, (_, index) => octets[index % octets.length] ?? 0);
}

function hmac(key: CryptoKey, octets: ArrayBuffer): Promise<ArrayBuffer> {
  return crypto.subtle.sign('HMAC', key, octets);
}
