/**
 * Key files: PKCS #12 (RFC 7292) as deployed clients list and open them. The key's bag is encrypted itself and lies, with its
 * name, in a part that is not: the name can be read without the password.
 */
import * as asn1js from 'asn1js';
import {
  Attribute, AuthenticatedSafe, CertBag, Certificate, ContentInfo, EncryptedData, PFX, PKCS8ShroudedKeyBag, SafeBag, SafeContents, SignedData,
} from 'pkijs';
import { WrongPassword, keyIdentifier } from './key_pair';
import * as mac from './mac';
import { isSame, octets } from './asn1';

const FRIENDLY_NAME = '1.2.840.113549.1.9.20';
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21';
const SHROUDED_KEY = '1.2.840.113549.1.12.10.1.2';
const CERTIFICATE = '1.2.840.113549.1.12.10.1.3';
const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED = '1.2.840.113549.1.7.6';
/** What a key file holds. */
export interface KeyFile {
  /** EncryptedPrivateKeyInfo, DER. */
  encrypted: ArrayBuffer;
  /** DER; the key's own first. */
  certificates: ArrayBuffer[];
  alias: string;
}

/** The file, protected by the password that the key is encrypted with. */
export async function write(file: KeyFile, password: string): Promise<ArrayBuffer> {
  const [own] = file.certificates;
  const identifier = own ? await keyIdentifier(publicKey(own)) : new ArrayBuffer(0);
  const attributes = (): Attribute[] => [
    new Attribute({ type: FRIENDLY_NAME, values: [new asn1js.BmpString({ value: file.alias })] }),
    new Attribute({ type: LOCAL_KEY_ID, values: [new asn1js.OctetString({ valueHex: identifier })] }),
  ];
  const key = new SafeBag({
    bagId: SHROUDED_KEY, bagValue: new PKCS8ShroudedKeyBag({ schema: asn1js.fromBER(file.encrypted).result }), bagAttributes: attributes(),
  });
  const certificates = file.certificates.map((der, index) => new SafeBag({
    bagId: CERTIFICATE,
    bagValue: new CertBag({ parsedValue: Certificate.fromBER(der) }),
    ...(index === 0 ? { bagAttributes: attributes() } : {}),
  }));
  const safe = new AuthenticatedSafe({
    parsedValue: {
      safeContents: [
        { privacyMode: 0, value: new SafeContents({ safeBags: [key] }) },
        { privacyMode: 0, value: new SafeContents({ safeBags: certificates }) },
      ],
    },
  });
  await safe.makeInternalValues({ safeContents: [{}, {}] });
  const content = safe.toSchema().toBER();
  const pfx = new PFX({
    version: 3,
    authSafe: new ContentInfo({ contentType: DATA, content: new asn1js.OctetString({ valueHex: content }) }),
    macData: await mac.make(password, content),
  });
  return pfx.toSchema().toBER();
}

/** Reads a file of ours, or one of OpenSSL 3 or Java 17 and later with their own algorithms. */
export async function read(der: ArrayBuffer, password: string): Promise<KeyFile> {
  const secret = new TextEncoder().encode(password).buffer;
  const pfx = PFX.fromBER(der);
  try {
    const checked = pfx.macData && await mac.check(pfx.macData, password, octets(pfx.authSafe.content));
    if (checked === false) throw new WrongPassword('the MAC is of another password or file');
    await pfx.parseInternalValues({ password: secret, checkIntegrity: checked === undefined });
  } catch {
    throw new WrongPassword('wrong password or damaged file');
  }
  const safe = pfx.parsedValue?.authenticatedSafe;
  const file: KeyFile = { encrypted: new ArrayBuffer(0), certificates: [], alias: '' };
  for (const content of safe?.safeContents ?? []) {
    for (const bag of (await bags(content, secret)).safeBags) take(bag, file);
  }
  if (file.encrypted.byteLength === 0) throw new WrongPassword('no key in this file');
  return file;
}

async function bags(content: ContentInfo, password: ArrayBuffer): Promise<SafeContents> {
  if (content.contentType === DATA) return SafeContents.fromBER(octets(content.content));
  if (content.contentType !== ENCRYPTED) throw new WrongPassword('unknown protection');
  const encrypted = new EncryptedData({ schema: content.content });
  return SafeContents.fromBER(await encrypted.decrypt({ password }));
}

function take(bag: SafeBag, file: KeyFile): void {
  if (bag.bagId === SHROUDED_KEY) {
    const key: unknown = bag.bagValue;
    if (key instanceof PKCS8ShroudedKeyBag) file.encrypted = key.toSchema().toBER();
    const name: unknown = bag.bagAttributes?.find(attribute => attribute.type === FRIENDLY_NAME)?.values[0];
    if (name instanceof asn1js.BmpString) file.alias = name.valueBlock.value;
  } else if (bag.bagId === CERTIFICATE && bag.bagValue instanceof CertBag) {
    const certificate: unknown = bag.bagValue.parsedValue;
    if (!(certificate instanceof Certificate)) return;
    const own = bag.bagAttributes?.some(attribute => attribute.type === LOCAL_KEY_ID);
    const der = certificate.toSchema().toBER();
    if (own) file.certificates.unshift(der); else file.certificates.push(der);
  }
}

/** The SubjectPublicKeyInfo of a certificate, DER. */
export function publicKey(certificate: ArrayBuffer): ArrayBuffer {
  return Certificate.fromBER(certificate).subjectPublicKeyInfo.toSchema().toBER();
}

/** The block of a PEM file with this label (RFC 7468), DER; nothing if there is none. */
export function block(file: ArrayBuffer, label: string): ArrayBuffer | undefined {
  const text = new TextDecoder().decode(file);
  const armoured = new RegExp(`-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]+)-----END ${label}-----`).exec(text)?.[1];
  return armoured === undefined ? undefined : Uint8Array.from(atob(armoured.replace(/\s/g, '')), letter => letter.charCodeAt(0)).buffer;
}

/** The serial number of a certificate in DER or PEM as the register writes it: hex in small letters. */
export function serial(file: ArrayBuffer): string {
  const octetsOf = Certificate.fromBER(block(file, 'CERTIFICATE') ?? file).serialNumber.valueBlock.valueHexView;
  return Array.from(octetsOf, octet => octet.toString(16).padStart(2, '0')).join('').replace(/^(00)+(?=.)/, '');
}

/** The certificates of a SignedData without signers, the one of this key first, then who issued it, up to the root. */
export function chain(bundle: ArrayBuffer, spki: ArrayBuffer): ArrayBuffer[] {
  const signed = new SignedData({ schema: ContentInfo.fromBER(bundle).content });
  const all = (signed.certificates ?? []).filter(certificate => certificate instanceof Certificate);
  const links = all.filter(certificate => isSame(certificate.subjectPublicKeyInfo.toSchema().toBER(), spki));
  for (let last = links[0]; last && links.length <= all.length;) {
    const issuer = all.find(candidate => !links.includes(candidate) && candidate.subject.isEqual(last?.issuer));
    if (!issuer) break;
    links.push(issuer);
    last = issuer;
  }
  return links.map(certificate => certificate.toSchema().toBER());
}
