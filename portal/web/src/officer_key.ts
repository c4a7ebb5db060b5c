/** What an officer signs decisions with: a key that this browser keeps and cannot show, and its certificate of the officer CA. */
import { type AttributeTypeAndValue, Certificate } from 'pkijs';
import { isSame } from './asn1';
import * as keyFile from './key_file';
import { type Key, WrongPassword, decrypt, fix, makeFixed } from './key_pair';
import type { OfficerKey } from './keyring';
import { Told, text } from './texts';

const COMMON_NAME = '2.5.4.3';
const TITLE = '2.5.4.12';
/** A certificate with less than this to live is to be renewed. */
const SOON = 14 * 24 * 3600 * 1000;

/** What a certificate says about its officer. */
export interface Certified {
  login: string;
  /** The name of the role. */
  role: string;
  notAfter: Date;
}

/** Reads an officer's certificate, DER. */
export function read(der: ArrayBuffer): Certified {
  const certificate = Certificate.fromBER(der);
  const value = (type: string): string => {
    const found = certificate.subject.typesAndValues.find((attribute: AttributeTypeAndValue) => attribute.type === type);
    return found?.value.valueBlock.value ?? '';
  };
  return { login: value(COMMON_NAME), role: value(TITLE), notAfter: certificate.notAfter.value };
}

/** Whether it is time for the next certificate. */
export function isEnding({ notAfter }: Certified, now: Date): boolean {
  return notAfter.getTime() - now.getTime() < SOON;
}

/** The key to sign with: it has a certificate, and that has not ended. */
export function ready(key: OfficerKey | undefined, now: Date): (Key & { certificate: ArrayBuffer }) | undefined {
  const certificate = key?.certificate;
  if (!key || !certificate || read(certificate).notAfter <= now) return undefined;
  return { privateKey: key.privateKey, spki: key.spki, certificate };
}

/** A new key, which waits for its certificate. */
export async function make(login: string): Promise<OfficerKey> {
  return { login, ...await makeFixed() };
}

/** The key with the certificate of a file, DER or PEM: it has to be for this key and this officer. */
export function certified(key: OfficerKey, file: ArrayBuffer, now: Date): OfficerKey {
  const certificate = keyFile.block(file, 'CERTIFICATE') ?? file;
  let spki: ArrayBuffer;
  try {
    spki = keyFile.publicKey(certificate);
  } catch {
    throw new Told(text('web-no-certificate'));
  }
  if (!isSame(spki, key.spki)) throw new Told(text('web-officer-other-key'));
  const { login, notAfter } = read(certificate);
  if (login !== key.login) throw new Told(text('web-officer-other-login', { name: login }));
  if (notAfter <= now) throw new Told(text('web-officer-ended'));
  return { ...key, certificate };
}

/** The key and certificate of a file: PEM with PRIVATE KEY and CERTIFICATE, or PKCS #12 with its password. */
export async function fromFile(login: string, file: ArrayBuffer, password: string, now: Date): Promise<OfficerKey> {
  const { pkcs8, certificate } = await opened(file, password);
  try {
    return certified({ login, ...await belonging(pkcs8, certificate) }, certificate, now);
  } finally {
    new Uint8Array(pkcs8).fill(0);
  }
}

async function belonging(pkcs8: ArrayBuffer, certificate: ArrayBuffer): Promise<Key> {
  try {
    return await fix(pkcs8, keyFile.publicKey(certificate));
  } catch {
    throw new Told(text('web-officer-unreadable'));
  }
}

async function opened(file: ArrayBuffer, password: string): Promise<{ pkcs8: ArrayBuffer; certificate: ArrayBuffer }> {
  const [key, own] = [keyFile.block(file, 'PRIVATE KEY'), keyFile.block(file, 'CERTIFICATE')];
  if (key && own) return { pkcs8: key, certificate: own };
  // DER of a SEQUENCE; anything else is no key file at all, whatever the password.
  if (new Uint8Array(file)[0] !== 0x30) throw new Told(text('web-officer-unreadable'));
  try {
    const content = await keyFile.read(file, password);
    const [certificate] = content.certificates;
    if (!certificate) throw new Told(text('web-officer-unreadable'));
    return { pkcs8: await decrypt(content.encrypted, password), certificate };
  } catch (error) {
    if (error instanceof WrongPassword || error instanceof Told) throw error;
    throw new Told(text('web-officer-unreadable'));
  }
}

/** SHA-256 of the SubjectPublicKeyInfo, hex: how an officer and an administrator make sure that they mean the same key. */
export async function fingerprint(spki: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', spki));
  return Array.from(digest, octet => octet.toString(16).padStart(2, '0')).join('');
}
