// What the page writes is judged by programs that we did not write.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as keyFile from '../src/key_file';
import { WrongPassword, decrypt, encrypt, make, open, remake } from '../src/key_pair';
import { sign } from '../src/signed_data';

const folder = mkdtempSync(join(tmpdir(), 'muhr-keys-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const password = 'Namuna-2026 parol';

function file(name: string, content?: ArrayBuffer | string): string {
  const path = join(folder, name);
  if (content !== undefined) writeFileSync(path, typeof content === 'string' ? content : new Uint8Array(content));
  return path;
}

function judge(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function octetsOf(path: string): ArrayBuffer {
  return new Uint8Array(readFileSync(path)).buffer;
}

test('openssl verifies a request, and finds the name in it', async () => {
  const key = await make('Misolov Namuna Misol oʻgʻli', password);
  const request = file('request.pem', key.request);
  assert.match(judge('openssl', 'req', '-in', request, '-noout', '-subject', '-nameopt', 'utf8'), /CN ?= ?Misolov Namuna Misol oʻgʻli/);
  judge('openssl', 'req', '-in', request, '-verify', '-noout');
  assert.match(judge('openssl', 'req', '-in', request, '-noout', '-text'), /prime256v1[\s\S]*ecdsa-with-SHA256/);
});

test('openssl, Java, GnuTLS and NSS open a key file with its password only', async () => {
  const key = await make('Misolov Namuna', password);
  const alias = 'cn=misolov namuna,o=не указано,1.2.860.3.16.1.2=30101901112227,validto=2027.11.27 04:09:00';
  const pfx = file('key.pfx', await keyFile.write({ encrypted: key.encrypted, certificates: [key.certificate], alias }, password));
  const said = judge('openssl', 'pkcs12', '-in', pfx, '-passin', `pass:${password}`, '-noenc', '-info', '-out', file('opened.pem'));
  assert.match(judge('cat', file('opened.pem')), /friendlyName: cn=misolov namuna/);
  assert.match(judge('openssl', 'pkey', '-in', file('opened.pem'), '-noout', '-text'), /P-256/);
  assert.equal(said, '');
  assert.throws(() => judge('openssl', 'pkcs12', '-in', pfx, '-passin', 'pass:wrong', '-noenc'));
  assert.match(judge('keytool', '-list', '-keystore', pfx, '-storetype', 'PKCS12', '-storepass', password), /PrivateKeyEntry/);
  assert.match(judge('pk12util', '-l', pfx, '-W', password), /Friendly Name: cn=misolov/);
  assert.match(judge('certtool', '--p12-info', '--inder', '--infile', pfx, '--password', password), /Friendly name: cn=misolov/);
});

test('a key that is there already is asked a certificate for again', async () => {
  const first = await make('S', password);
  const second = await remake('S', first.encrypted, first.spki, password);
  const shown = (name: string, request: string): string => judge('openssl', 'req', '-in', file(name, request), '-verify', '-noout', '-pubkey');
  assert.equal(shown('second.pem', second.request), shown('first.pem', first.request));
  await assert.rejects(remake('S', first.encrypted, first.spki, 'wrong'), WrongPassword);
});

test('the name of a key is read without its password', async () => {
  const key = await make('Misolov Namuna', password);
  const written = await keyFile.write({ encrypted: key.encrypted, certificates: [key.certificate], alias: 'cn=misolov,uid=301234567' }, password);
  const inner = judge('openssl', 'asn1parse', '-inform', 'DER', '-in', file('alias.pfx', written), '-strparse', safeOffset(file('alias.pfx')));
  const offset = /^\s*(\d+):.*OCTET STRING/m.exec(inner)?.[1] ?? '';
  judge('openssl', 'asn1parse', '-inform', 'DER', '-in', file('alias.pfx'), '-strparse', safeOffset(file('alias.pfx')), '-noout', '-out', file('safe.der'));
  assert.match(judge('openssl', 'asn1parse', '-inform', 'DER', '-in', file('safe.der'), '-strparse', offset), /BMPSTRING/);
});

/** Where the authenticated safe begins: the first OCTET STRING. */
function safeOffset(path: string): string {
  return /^\s*(\d+):.*OCTET STRING/m.exec(judge('openssl', 'asn1parse', '-inform', 'DER', '-in', path))?.[1] ?? '';
}

test('a key file of openssl is opened', async () => {
  judge('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', file('o.key'), '-out', file('o.pem'), '-subj', '/CN=O');
  judge('openssl', 'pkcs12', '-export', '-inkey', file('o.key'), '-in', file('o.pem'), '-name', 'openssl', '-passout', `pass:${password}`, '-out', file('o.pfx'));
  const content = await keyFile.read(octetsOf(file('o.pfx')), password);
  assert.equal(content.alias, 'openssl');
  const [own] = content.certificates;
  assert.ok(own);
  const key = await open(content.encrypted, password, keyFile.publicKey(own));
  assert.equal(key.privateKey.extractable, false);
  await assert.rejects(keyFile.read(octetsOf(file('o.pfx')), 'wrong'), WrongPassword);
});

test('openssl cms verifies a signature over these octets and no others', async () => {
  const made = await make('Misolov Namuna', password);
  const key = await open(made.encrypted, password, made.spki);
  const content = new TextEncoder().encode('muhr-application-statement/1\napplication: x\n');
  const signed = await sign(key, content.buffer);
  const cms = file('signed.der', Uint8Array.from(atob(signed), letter => letter.charCodeAt(0)).buffer);
  // A certificate over the same key, with the identifier that the signature names it by.
  judge('openssl', 'pkcs8', '-inform', 'DER', '-in', file('enc.der', made.encrypted), '-passin', `pass:${password}`, '-out', file('s.key'));
  judge('openssl', 'req', '-x509', '-key', file('s.key'), '-subj', '/CN=S', '-out', file('s.pem'), '-addext', 'subjectKeyIdentifier=hash');
  const verify = (text: string): string => judge('openssl', 'cms', '-verify', '-binary', '-inform', 'DER', '-in', cms, '-content', file('content.txt', text), '-certfile', file('s.pem'), '-noverify', '-out', file('out.txt'));
  verify('muhr-application-statement/1\napplication: x\n');
  assert.throws(() => verify('muhr-application-statement/1\napplication: y\n'));
  // DER: what openssl writes again is what it read.
  judge('openssl', 'cms', '-cmsout', '-inform', 'DER', '-in', cms, '-outform', 'DER', '-out', file('again.der'));
  assert.deepEqual(readFileSync(file('again.der')), readFileSync(cms));
});

test('a wrong password is told apart, and hostile work is refused', async () => {
  const encrypted = await encrypt(new TextEncoder().encode('key'), password, 1000);
  assert.equal(new TextDecoder().decode(await decrypt(encrypted, password)), 'key');
  await assert.rejects(decrypt(encrypted, 'wrong'), WrongPassword);
  await assert.rejects(decrypt(new ArrayBuffer(8), password), WrongPassword);
  // The same with eight million iterations would hold the page for seconds, and a file may ask for more.
  const costly = new Uint8Array(await encrypt(new TextEncoder().encode('key'), password, 0x0186a0));
  const at = costly.findIndex((octet, index) => octet === 2 && costly[index + 1] === 3 && costly[index + 2] === 0x01);
  assert.ok(at > 0);
  costly[at + 2] = 0x7f;
  await assert.rejects(decrypt(costly.buffer, password), /too many iterations/);
});

test('a serial number is read from DER and PEM as the register writes it', async () => {
  const made = await make('S', password);
  const der = file('serial.der', made.certificate);
  const shown = judge('openssl', 'x509', '-inform', 'DER', '-in', der, '-noout', '-serial').replace('serial=', '').trim().toLowerCase();
  assert.equal(keyFile.serial(made.certificate), shown);
  judge('openssl', 'x509', '-inform', 'DER', '-in', der, '-out', file('serial.pem'));
  assert.equal(keyFile.serial(octetsOf(file('serial.pem'))), shown);
});
