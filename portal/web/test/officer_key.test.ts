// Keys of officers: what the browser keeps, and what it signs, judged by openssl.
import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pem, request } from '../src/key_pair';
import { findOfficer, forgetOfficer, keepOfficer } from '../src/keyring';
import { certified, fingerprint, fromFile, isEnding, make, read, ready } from '../src/officer_key';
import { sign } from '../src/signed_data';

// What is told is told by the name of its text.
Object.assign(globalThis, {
  document: { getElementById: () => null },
  navigator: { storage: { persist: () => Promise.resolve(true) } },
});

const folder = mkdtempSync(join(tmpdir(), 'muhr-officers-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const DAY = 24 * 3600 * 1000;

function file(name: string, content?: ArrayBuffer | string): string {
  const path = join(folder, name);
  if (content !== undefined) writeFileSync(path, typeof content === 'string' ? content : new Uint8Array(content));
  return path;
}

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], cwd: folder });
}

function octetsOf(name: string): ArrayBuffer {
  return new Uint8Array(readFileSync(file(name))).buffer;
}

function octetsOfText(text: string): ArrayBuffer {
  return new TextEncoder().encode(text).buffer;
}

openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Officer CA', '-days', '90');

/** A certificate for the key of a request, under any name. */
function certify(csr: string, name: string, subject: string, days = 30): void {
  file(`${name}.csr`, csr);
  openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-subj', subject, '-days', String(days), '-out', `${name}.pem`);
}

/** A key file as the sandbox writes it: PKCS #8, then the certificate. */
function keyFileOf(name: string, algorithm: string[], subject: string): string {
  openssl('genpkey', ...algorithm, '-out', `${name}.key`);
  openssl('req', '-new', '-key', `${name}.key`, '-subj', '/CN=x', '-out', `${name}.csr`);
  certify(readFileSync(file(`${name}.csr`), 'utf8'), name, subject);
  const both = readFileSync(file(`${name}.key`), 'utf8') + readFileSync(file(`${name}.pem`), 'utf8');
  file(`${name}.both.pem`, both);
  return both;
}

const P256 = ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
const now = new Date();

test('a key made here cannot be taken out, is asked a certificate for, and signs with it', async () => {
  const key = await make('reviewer');
  await assert.rejects(crypto.subtle.exportKey('pkcs8', key.privateKey), /not extractable/i);
  assert.equal(ready(key, now), undefined, 'it has no certificate yet');
  const csr = await request('reviewer', key);
  file('made.csr', csr);
  openssl('req', '-in', 'made.csr', '-verify', '-noout');
  certify(csr, 'made', '/CN=reviewer/title=reviewer/O=Muhr');
  assert.equal(await fingerprint(key.spki), sha256('made.csr'));

  for (const name of ['made.pem', 'made.der']) {
    if (name === 'made.der') openssl('x509', '-in', 'made.pem', '-outform', 'DER', '-out', name);
    await keepOfficer(certified(key, octetsOf(name), now));
    const kept = ready(await findOfficer('reviewer'), now);
    assert.ok(kept);
    assert.equal(kept.privateKey.extractable, false);
    const statement = 'muhr-officer-statement/1\nact: approve\nnote: Ўткир\n';
    file('statement', statement);
    file('signed.der', Uint8Array.from(atob(await sign(kept, octetsOfText(statement))), letter => letter.charCodeAt(0)).buffer);
    assert.equal(openssl('cms', '-verify', '-inform', 'DER', '-in', 'signed.der', '-content', 'statement', '-binary', '-CAfile', 'ca.pem', '-purpose', 'any'), statement);
    assert.match(openssl('cms', '-cmsout', '-print', '-inform', 'DER', '-in', 'signed.der'), /d\.issuerAndSerialNumber[\s\S]*CN ?= ?Officer CA[\s\S]*sha256/);
    assert.match(openssl('pkcs7', '-inform', 'DER', '-in', 'signed.der', '-print_certs'), /CN ?= ?reviewer/);
  }
  await forgetOfficer('reviewer');
  assert.equal(await findOfficer('reviewer'), undefined);
});

function sha256(csr: string): string {
  openssl('req', '-in', csr, '-pubkey', '-noout', '-out', 'made.pub');
  openssl('pkey', '-pubin', '-in', 'made.pub', '-outform', 'DER', '-out', 'made.spki');
  return openssl('dgst', '-sha256', '-r', 'made.spki').split(' ')[0] ?? '';
}

test('a certificate is for this key and this officer, and has not ended', async () => {
  const [key, other] = [await make('reviewer'), await make('reviewer')];
  certify(await request('reviewer', other), 'other', '/CN=reviewer/title=reviewer');
  assert.throws(() => certified(key, octetsOf('other.pem'), now), /web-officer-other-key/);
  certify(await request('reviewer', key), 'theirs', '/CN=reviewer2/title=reviewer');
  assert.throws(() => certified(key, octetsOf('theirs.pem'), now), /web-officer-other-login/);
  certify(await request('reviewer', key), 'mine', '/CN=reviewer/title=reviewer');
  const mine = certified(key, octetsOf('mine.pem'), now);
  assert.throws(() => certified(key, octetsOf('mine.pem'), new Date(now.getTime() + 31 * DAY)), /web-officer-ended/);
  assert.equal(ready(mine, new Date(now.getTime() + 31 * DAY)), undefined);
  assert.throws(() => certified(key, octetsOfText('not a certificate'), now), /web-no-certificate/);
  const csr = await request('reviewer', key);
  assert.throws(() => certified(key, octetsOfText(csr), now), /web-no-certificate/);
});

test('the next certificate is due fourteen days before the end of this one', async () => {
  const key = await make('admin');
  certify(await request('admin', key), 'admin', '/CN=admin/title=admin', 30);
  const said = read(certified(key, octetsOf('admin.pem'), now).certificate ?? new ArrayBuffer(0));
  assert.equal(said.role, 'admin');
  assert.equal(isEnding(said, new Date(said.notAfter.getTime() - 15 * DAY)), false);
  assert.equal(isEnding(said, new Date(said.notAfter.getTime() - 13 * DAY)), true);
});

test('a key file is read as PEM and as PKCS #12, and its key stays in', async () => {
  const both = keyFileOf('pem', P256, '/CN=reviewer/title=reviewer');
  openssl('pkcs12', '-export', '-in', 'pem.both.pem', '-out', 'pem.p12', '-passout', 'pass:Namuna-2026');
  for (const key of [
    await fromFile('reviewer', octetsOfText(both), '', now),
    await fromFile('reviewer', octetsOf('pem.p12'), 'Namuna-2026', now),
  ]) {
    assert.equal(key.privateKey.extractable, false);
    const able = ready(key, now);
    assert.ok(able);
    file('by-file.der', Uint8Array.from(atob(await sign(able, octetsOfText('x'))), letter => letter.charCodeAt(0)).buffer);
    file('x', 'x');
    assert.equal(openssl('cms', '-verify', '-inform', 'DER', '-in', 'by-file.der', '-content', 'x', '-binary', '-CAfile', 'ca.pem', '-purpose', 'any'), 'x');
  }
  await assert.rejects(fromFile('reviewer', octetsOf('pem.p12'), 'wrong', now), /wrong password/);
  await assert.rejects(fromFile('reviewer2', octetsOfText(both), '', now), /web-officer-other-login/);
});

test('a file without a usable key is told from a wrong password', async () => {
  const rsa = keyFileOf('rsa', ['-algorithm', 'RSA'], '/CN=reviewer');
  const p384 = keyFileOf('p384', ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'], '/CN=reviewer');
  const first = keyFileOf('first', P256, '/CN=reviewer');
  keyFileOf('second', P256, '/CN=reviewer');
  const mixed = readFileSync(file('first.key'), 'utf8') + readFileSync(file('second.pem'), 'utf8');
  const broken = pem('PRIVATE KEY', octetsOfText('no key')) + pem('CERTIFICATE', octetsOfText('no certificate'));
  for (const content of [rsa, p384, mixed, broken, readFileSync(file('first.pem'), 'utf8'), 'nothing', '']) {
    await assert.rejects(fromFile('reviewer', octetsOfText(content), '', now), /web-officer-unreadable/);
  }
  assert.ok(await fromFile('reviewer', octetsOfText(first), '', now));
});
