// The whole job of an applicant in a browser: key, signature and key file are judged by openssl and Java; every page by axe.
import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { approve, code, inspect, judge, languages, pinfl, solve, stage, visit } from './stage.mjs';
import { SEND, begin, makeKey, payAndShow } from './people.mjs';

let muhr;
before(async () => { muhr = await stage(); });
after(() => muhr.stop());

const password = 'Namuna-2026 parol';
const phones = { uz: '901234501', 'uz-Cyrl': '901234502', kaa: '901234503', ru: '901234504', en: '901234505' };
const desktop = { viewport: { width: 1100, height: 900 } };
const phone = { viewport: { width: 360, height: 780 } };
/** Every page is looked at in every size and colour in one language, and held to the rules in all of them. */
const looks = {
  uz: [
    { name: 'desktop-light', ...desktop, colorScheme: 'light' }, { name: 'desktop-dark', ...desktop, colorScheme: 'dark' },
    { name: 'phone-light', ...phone, colorScheme: 'light' }, { name: 'phone-dark', ...phone, colorScheme: 'dark' },
  ],
  other: [{ name: 'phone-light', ...phone, colorScheme: 'light' }],
};

/** A drive: the browser's private folder, which is the same kind of handle as one that a person chooses. */
const drive = () => { globalThis.showDirectoryPicker = () => navigator.storage.getDirectory(); };

/** What is in `DSKEYS` on the drive: names, and the octets of the first file. */
async function dskeys(page) {
  return page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('DSKEYS');
    const names = [];
    for await (const name of folder.keys()) names.push(name);
    names.sort();
    const content = await (await (await folder.getFileHandle(names[0])).getFile()).arrayBuffer();
    return { names, octets: [...new Uint8Array(content)] };
  });
}

/** A page in every look. */
async function show(page, name, language) {
  for (const look of looks[language] ?? looks.other) {
    await page.setViewportSize(look.viewport);
    await page.emulateMedia({ colorScheme: look.colorScheme });
    await inspect(page, name, `${language}-${look.name}-`);
  }
  await page.setViewportSize(desktop.viewport);
  await page.emulateMedia({ colorScheme: 'light' });
}

async function confirmPhone(page, phone) {
  await solve(muhr, page);
  await page.click('main form button.button:not([type=button])');
  await page.waitForSelector('#code');
  await page.fill('#code', await code(muhr, `+998${phone}`));
}

async function choosePassword(page, value, again = value) {
  await page.fill('[data-password]', value);
  await page.fill('[data-password-again]', again);
}

async function takePicture(page, kind) {
  await page.click(`#${kind} [data-camera]`);
  await page.waitForSelector(`#${kind} [data-viewfinder]:not([hidden])`);
  await page.waitForFunction(kind => document.querySelector(`#${kind} video`).videoWidth > 0, kind);
  await page.click(`#${kind} [data-capture]`);
  await page.waitForSelector(`#${kind} [data-editor]:not([hidden])`);
}

describe('an applicant', () => {
  for (const [index, language] of languages.entries()) {
    test(`does the whole job in ${language}`, async () => {
      const { page, context, complaints, close } = await visit(muhr);
      await page.addInitScript(drive);
      const press = () => page.click('main form button.button:not([type=button])');
      const number = pinfl(100 + index);

      await page.goto(`${muhr.url}/?lang=${language}`);
      await show(page, '01-start', language);
      await page.click('.hero .button');
      await page.check('input[value=natural_person]');
      await page.selectOption('#district', '1726266');
      await page.fill('#number', number);
      await page.fill('#phone', phones[language]);
      await show(page, '02-who', language);
      await page.reload();
      assert.equal(await page.inputValue('#number'), number, 'typing survives a reload');
      await confirmPhone(page, phones[language]);
      await show(page, '03-code', language);
      await press();

      await page.fill('#passport', 'AA12');
      await page.fill('#surname', 'Misolov');
      await page.waitForFunction(() => document.querySelector('#error-passport').textContent !== '');
      await page.fill('#passport', 'AA1234567');
      await page.fill('#given_name', 'Namuna');
      await page.waitForFunction(() => document.querySelector('#error-passport').textContent === '');
      await page.fill('#purpose', 'Soliq hisoboti');
      await page.check('input[name=offer_accepted]');
      await show(page, '04-identity', language);
      await press();

      await page.waitForURL(/\/key$/);
      const id = /applications\/([^/]+)\/key/.exec(page.url())[1];
      await page.click('[data-pick-folder]');
      await page.waitForFunction(() => document.querySelector('[data-folder]').textContent.includes('DSKEYS'));
      await choosePassword(page, 'short', 'other');
      await press();
      await page.waitForSelector('[data-status].bad');
      await choosePassword(page, password);
      await show(page, '05-key', language);
      const [sent] = await Promise.all([
        page.waitForRequest(request => request.method() === 'POST' && request.url().endsWith('/key')),
        press(),
      ]);
      const form = new URLSearchParams(sent.postData());
      assert.deepEqual([...form.keys()].sort(), ['csr', 'csrf'], 'nothing but the request is sent');
      writeFileSync(join(muhr.folder, 'request.pem'), form.get('csr'));
      judge('openssl', 'req', '-in', join(muhr.folder, 'request.pem'), '-verify', '-noout');

      await page.waitForURL(/\/payment$/);
      await show(page, '06-payment', language);
      await page.click('form[action$=play] button');
      await page.waitForSelector('#payment-state .good');
      await page.click('main > .actions .button');

      await takePicture(page, 'photo');
      await page.click('#photo [data-rotate=right]');
      await show(page, '07-pictures', language);
      await page.click('#photo form > .actions button');
      await page.waitForURL(/documents#photo$/);
      await takePicture(page, 'selfie');
      await page.click('#selfie form > .actions button');

      await page.waitForURL(/\/review$/);
      await show(page, '08-review', language);
      await page.fill('[data-password]', 'Wrong-2026 parol');
      await press();
      await page.waitForSelector('[data-status].bad');
      await page.fill('[data-password]', password);
      await press();
      await page.waitForURL(url => url.pathname === `/applications/${id}`);
      await show(page, '09-timeline', language);

      await approve(muhr, 'reviewer', id);
      for (let tries = 0; tries < 50 && !(await page.$('[data-task=save-key]')); tries += 1) {
        await page.waitForTimeout(200);
        await page.reload();
      }
      await page.fill('[data-password]', 'Wrong-2026 parol');
      await page.click('[data-task=save-key] button.button:not([type])');
      await page.waitForSelector('[data-status].bad');
      await page.fill('[data-password]', password);
      await page.click('[data-task=save-key] button.button:not([type])');
      await page.waitForSelector('[data-status].good');
      await show(page, '10-issued', language);
      const { names, octets } = await dskeys(page);
      assert.deepEqual(names, [`DS${number}0001.pfx`]);
      opensAsKeyFile(octets, number);
      await page.reload();
      assert.ok(await page.$('.issued .note.good'), 'the receipt is known');

      await page.goto(`${muhr.url}/applications`);
      await show(page, '11-applications', language);
      await page.click('.cards .meta a');
      await show(page, '12-certificate', language);
      await page.goto(`${muhr.url}/certificates?subject=Misolov`);
      await show(page, '13-register', language);
      await page.goto(`${muhr.url}/password`);
      await show(page, '14-password', language);
      await page.goto(`${muhr.url}/revoke`);
      await show(page, '15-revoke', language);
      await page.goto(`${muhr.url}/sign-in?puzzle=arithmetic`);
      await show(page, '16-sign-in', language);
      await page.goto(`${muhr.url}/service-centres`);
      await show(page, '17-service-centres', language);
      await page.click('footer a[href="/authorities"]');
      await page.waitForSelector('#authority-ca');
      await show(page, '18-authorities', language);
      assert.deepEqual(complaints, []);
      await context.close();
      await close();
    });
  }
});

/** The key file holds key, certificate and chain under the name that clients split; openssl and Java open it. */
function opensAsKeyFile(octets, number) {
  const [pfx, opened, signed] = ['key.pfx', 'opened.pem', 'signed.der'].map(name => join(muhr.folder, name));
  writeFileSync(pfx, Uint8Array.from(octets));
  judge('openssl', 'pkcs12', '-in', pfx, '-passin', `pass:${password}`, '-noenc', '-out', opened);
  const text = judge('cat', opened);
  assert.match(text, new RegExp(`friendlyName: cn=misolov namuna,name=namuna,.*1\\.2\\.860\\.3\\.16\\.1\\.2=${number},serialnumber=`));
  assert.equal(text.match(/BEGIN CERTIFICATE/g).length, 3, 'certificate, CA and root');
  assert.match(judge('keytool', '-list', '-keystore', pfx, '-storetype', 'PKCS12', '-storepass', password), /PrivateKeyEntry/);
  // What the key signs, its certificate verifies, up to the root.
  writeFileSync(join(muhr.folder, 'text'), 'salom');
  judge('openssl', 'cms', '-sign', '-binary', '-in', join(muhr.folder, 'text'), '-signer', opened, '-inkey', opened, '-outform', 'DER', '-out', signed);
  judge('openssl', 'cms', '-verify', '-binary', '-inform', 'DER', '-in', signed, '-content', join(muhr.folder, 'text'), '-CAfile', opened, '-purpose', 'any', '-out', join(muhr.folder, 'out'));
}

test('a certificate is renewed: the present key signs in place of the pictures', async () => {
  const { page, complaints, close } = await visit(muhr, { locale: 'en' });
  await page.addInitScript(drive);
  const number = pinfl(140);
  const approved = async id => {
    await approve(muhr, 'reviewer', id);
    await page.goto(`${muhr.url}/applications/${id}`);
    for (let tries = 0; tries < 50 && !(await page.$('[data-task=save-key]')); tries += 1) {
      await page.waitForTimeout(200);
      await page.reload();
    }
  };
  const save = async secret => {
    await page.fill('[data-task=save-key] [data-password]', secret);
    await page.click('[data-task=save-key] button.button:not([type])');
    await page.waitForSelector('[data-task=save-key] [data-status].good');
  };
  const submit = async secret => {
    await page.waitForURL(/\/review$/);
    await page.fill('[data-password]', secret);
    await page.click(SEND);
    await page.waitForURL(url => /\/applications\/[^/]+$/.test(url.pathname));
  };
  const first = await begin(muhr, page, { number, phone: '901234540' });
  await page.click('[data-pick-folder]');
  await makeKey(page, password);
  await payAndShow(muhr, page);
  await submit(password);
  await approved(first);
  await save(password);
  await page.click('.issued dl a');
  const present = page.url();

  const secret = 'Yangi-2027 parol';
  await page.check('form[action$=renewal] input[type=checkbox]');
  await page.click('form[action$=renewal] button');
  await page.waitForURL(/\/key$/);
  const second = /applications\/([^/]+)\/key/.exec(page.url())[1];
  assert.notEqual(second, first);
  await page.click('[data-pick-folder]');
  await makeKey(page, secret);
  await page.waitForURL(/\/payment$/);
  await page.click('form[action$=play] button');
  await page.waitForSelector('#payment-state .good');
  await page.click('main > .actions .button');
  await page.waitForURL(/\/documents$/);
  await show(page, '20-renewal', 'en');
  await page.fill('#renewal-password', secret);
  await page.click('#renewal form button');
  await page.waitForSelector('#renewal [data-status].bad');
  await page.fill('#renewal-password', password);
  await page.click('#renewal form button');
  await submit(secret);
  await approved(second);
  await save(secret);
  assert.deepEqual((await dskeys(page)).names, [`DS${number}0001.pfx`, `DS${number}0002.pfx`]);
  await page.click('.issued dl a');
  assert.notEqual(page.url(), present);
  await page.goto(present);
  assert.match(await page.textContent('h1'), /Valid|valid/, 'the certificate before stays valid until its end');
  assert.deepEqual(complaints, []);
  await close();
});

test('a signed document is checked by anybody, and a changed one is not believed', async () => {
  const { page, complaints, close } = await visit(muhr, { locale: 'en' });
  const at = name => join(muhr.folder, name);
  // `opened.pem`, `text` and `signed.der` are what the last story left behind: signed by openssl with an issued key.
  writeFileSync(at('other'), 'salom!');
  const check = async (signature, content) => {
    await page.goto(`${muhr.url}/signatures`);
    await page.setInputFiles('#signature', at(signature));
    if (content) await page.setInputFiles('#content-file', at(content));
    await page.click('main form button.button');
    return page.textContent('main');
  };
  assert.match(await check('signed.der', 'text'), /nothing speaks against it[\s\S]*Misolov Namuna/);
  await inspect(page, '17-signature', 'en-');
  assert.match(await check('signed.der', 'other'), /Do not rely/);
  assert.match(await check('signed.der'), /hand in the document/);
  assert.match(await check('text'), /Do not rely/);
  judge('openssl', 'cms', '-sign', '-nodetach', '-binary', '-in', at('text'), '-signer', at('opened.pem'), '-inkey', at('opened.pem'), '-outform', 'PEM', '-out', at('attached.pem'));
  assert.match(await check('attached.pem'), /nothing speaks against it/);
  // A certificate that says the same and comes from elsewhere.
  judge('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', at('f.key'), '-out', at('f.pem'), '-subj', '/CN=Misolov Namuna');
  judge('openssl', 'cms', '-sign', '-nodetach', '-binary', '-in', at('text'), '-signer', at('f.pem'), '-inkey', at('f.key'), '-outform', 'DER', '-out', at('foreign.der'));
  assert.match(await check('foreign.der'), /not issued by this authority/);
  assert.deepEqual(complaints, []);
  await close();
});
