// A sandbox of Muhr, a browser in front of it, and what both say to each other. The pages are used as people use them; the
// sandbox is asked only for what people get in their hands: the SMS, and what a picture shows.
import { execFileSync, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** Where screenshots of every page are kept for a person to look at. */
export const pictures = join(target, 'browser');

/** Every language of the portal, by its tag. */
export const languages = ['uz', 'uz-Cyrl', 'kaa', 'ru', 'en'];

/** Starts a sandbox on a free port with a folder of its own, and a browser. `stop` ends both. */
export async function stage(environment = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'muhr-browser-'));
  const program = process.env.MUHR ?? join(target, 'debug/muhr');
  const muhr = spawn(program, ['up', '--data', folder, '--listen', '127.0.0.1:0'], {
    env: { ...process.env, MUHR_LOG: 'warn', MUHR__LIMITS__REQUESTS_PER_ADDRESS_PER_MINUTE: '100000', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const url = await ready(muhr);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--font-render-hinting=none', '--disable-lcd-text', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    ],
  });
  const stop = async () => {
    await browser.close();
    const ended = new Promise(done => muhr.once('exit', done));
    muhr.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const officers = JSON.parse(readFileSync(join(folder, 'sandbox-officers.json'), 'utf8'));
  return { url, folder, program, browser, officers, stop };
}

/** Reads what `muhr up` says until it says where it is. */
function ready(muhr) {
  return new Promise((found, failed) => {
    let said = '';
    const look = octets => {
      said += octets;
      const match = /Muhr is ready at (http:\/\/[^\s]+)/.exec(said);
      if (match) found(match[1]);
    };
    muhr.stdout.on('data', look);
    muhr.stderr.on('data', look);
    muhr.once('exit', code => failed(new Error(`muhr ended with ${code}: ${said}`)));
  });
}

/** A window of the browser. Whatever the console complains about, and whatever is asked of another host, fails the test. */
export async function visit(stage, options = {}) {
  const context = await stage.browser.newContext({ viewport: { width: 1100, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints = [];
  page.on('console', message => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', error => complaints.push(error.message));
  page.on('request', request => {
    if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(stage.url)) complaints.push(`asked ${request.url()}`);
  });
  return { page, context, complaints, close: () => context.close() };
}

/** Every page is held to WCAG 2.2 AA by axe (Deque), and kept as a picture. */
export async function inspect(page, name, where = '') {
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${where}${name}.png`), fullPage: true });
  await page.evaluate(axe);
  const report = await page.evaluate(async () => {
    const options = { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] };
    const { violations } = await globalThis.axe.run(document, options);
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(node => node.html).slice(0, 3).join(' ')}`);
  });
  assert.deepEqual(report, [], `${name}: axe finds nothing`);
  const bare = await page.evaluate(() => /\b(web|portal|office|problem|state|next)-[a-z][a-z-]+/.exec(document.querySelector('body').innerText)?.[0]);
  assert.equal(bare, undefined, `${name} shows the name of a text instead of the text`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${name} is ${wide} px wider than its window`);
}

/** What the picture or question on this page wants to hear. */
export async function solve(stage, page) {
  const id = await page.inputValue('input[name=captcha_id]');
  const { answer } = await (await fetch(`${stage.url}/sandbox/captchas/${id}`)).json();
  await page.fill('#captcha_text', answer);
}

/** The code of the newest SMS to this phone. */
export async function code(stage, phone) {
  const messages = await (await fetch(`${stage.url}/sandbox/messages?to=${encodeURIComponent(phone)}`)).json();
  return messages.items.find(message => message.code)?.code;
}

/** A PINFL with its check digit: a man born on 1 January 1990, told apart by a number below 1,000. */
export function pinfl(number) {
  const digits = `3010190111${String(number).padStart(3, '0')}`;
  const sum = [...digits].reduce((sum, digit, index) => sum + Number(digit) * [7, 3, 1][index % 3], 0);
  return digits + (sum % 10);
}

/** A program that judges; what it says, or its failure. */
export function judge(program, ...args) {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The file with key and certificate that the sandbox gave this officer. */
export const keyOf = (stage, login) => join(stage.folder, 'sandbox-officers', `${login}.pem`);

/** Waits until a certificate holds at the minute that a statement of now would name. */
export async function inForce(file) {
  const [pem] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(readFileSync(file, 'utf8'));
  const from = Date.parse(new X509Certificate(pem).validFrom);
  while (Math.floor(Date.now() / 60_000) * 60_000 < from) await new Promise(done => setTimeout(done, 500));
}

/** An officer approves by the API; openssl signs the statement. What the application is then. */
export async function approve(stage, login, id) {
  const call = async (path, token, body) => {
    const answer = await fetch(`${stage.url}/api/v1/officer/${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { ...(body && { 'content-type': 'application/json' }), ...(token && { authorization: `Bearer ${token}` }) },
      body: body && JSON.stringify(body),
    });
    assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer;
  };
  await inForce(keyOf(stage, login));
  const { token } = await (await call('sessions', null, { login, password: stage.officers[login] })).json();
  const [statement, cms] = ['statement', 'statement.p7s'].map(name => join(stage.folder, name));
  writeFileSync(statement, await (await call(`applications/${id}/approval-statement`, token)).text());
  judge('openssl', 'cms', '-sign', '-binary', '-md', 'sha256', '-in', statement, '-signer', keyOf(stage, login), '-outform', 'DER', '-out', cms);
  return (await call(`applications/${id}/approval`, token, { signature: readFileSync(cms).toString('base64') })).json();
}

/** A command of the program on the sandbox's own data; what it prints. */
export const operate = (stage, ...args) => judge(stage.program, ...args, '--data', stage.folder);
