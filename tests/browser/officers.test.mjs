// The office in a browser: a queue decided, a walk-in taken from document to drive, certificates, money, messages, the log.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect, judge, languages, pinfl, stage, visit } from './stage.mjs';
import { PASSWORD, PICTURE, drive, enterOffice, registerWalkIn, underReview } from './people.mjs';

let muhr;
before(async () => { muhr = await stage(); });
after(() => muhr.stop());

const looks = [
  { name: 'desktop-light', viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  { name: 'phone-dark', viewport: { width: 360, height: 780 }, colorScheme: 'dark' },
];

async function show(page, name) {
  for (const look of looks) {
    await page.setViewportSize(look.viewport);
    await page.emulateMedia({ colorScheme: look.colorScheme });
    await inspect(page, name, `office-${look.name}-`);
  }
  await page.setViewportSize(looks[0].viewport);
}

const signIn = (login, options) => enterOffice(muhr, login, { viewport: looks[0].viewport, ...options });

/** Signs in and chooses a language, which is remembered. */
async function signInSpeaking(login, language) {
  const visitor = await signIn(login);
  await visitor.page.goto(`${muhr.url}/officer/account?lang=${language}`);
  assert.equal(await visitor.page.getAttribute('html', 'lang'), language);
  return visitor;
}

test('a reviewer decides what is in the queue, by keys', async () => {
  const first = await underReview(muhr, '+998902000001', { pinfl: pinfl(301), surname: 'Birinchiyev' });
  await underReview(muhr, '+998902000002', { pinfl: pinfl(302), surname: 'Ikkinchiyev' });
  await underReview(muhr, '+998902000003', { pinfl: pinfl(303), surname: 'Uchinchiyev' });
  const { page, complaints, close } = await signIn('reviewer');
  await show(page, '02-queue');
  await page.goto(`${muhr.url}/officer/applications/${first}`);
  await show(page, '03-review');
  assert.match(await page.textContent('main'), /subject:\s+CN: Birinchiyev Namuna/, 'the certificate as it will be signed');
  for (const image of await page.$$('main img')) assert.ok(await image.evaluate(image => image.naturalWidth > 0), 'pictures are there');

  await page.keyboard.press('r');
  await page.selectOption('#reason-return', 'other');
  await page.click('form[action$=return] button');
  assert.match(await page.textContent('main'), /note/i, 'another reason needs a note');
  await page.fill('#note-return', 'Passportning yuzi koʻrinmayapti.');
  await page.click('form[action$=return] button');
  await page.waitForURL(url => !url.pathname.includes(first));
  const approved = page.url().split('/').pop().split('?')[0];
  await page.keyboard.press('a');
  await page.waitForURL(url => !url.pathname.includes(approved));
  await page.keyboard.press('x');
  await page.selectOption('#reason-reject', 'suspected-fraud');
  await page.click('form[action$=rejection] button');
  const issued = async () => {
    await page.goto(`${muhr.url}/officer?state=issued`);
    return (await page.textContent('main')).includes('Ikkinchiyev');
  };
  for (let tries = 0; tries < 50 && !(await issued()); tries += 1) await page.waitForTimeout(200);
  assert.match(await page.textContent('main'), /Ikkinchiyev/);
  for (const room of ['payments', 'messages', 'certificates', 'statistics']) {
    await page.goto(`${muhr.url}/officer/${room}`);
    await show(page, `04-${room}`);
  }
  await figures(page);
  assert.deepEqual(complaints, []);
  await close();
});

/** The figures of the days in which all of this happened: a chart, the same in numbers and in words, and any other period. */
async function figures(page) {
  assert.equal(await page.getByRole('img', { name: 'Applications by day' }).count(), 1, 'the chart has a name');
  const columns = await page.$$eval('.chart g', columns => columns.map(column => column.querySelector('title').textContent));
  assert.equal(columns.length, 30);
  assert.match(columns.at(-1), /Submitted 3, Approved 1, Rejected 1$/);
  await page.click('.numbers summary');
  const today = await page.$$eval('.numbers tbody tr:last-child td', cells => cells.map(cell => cell.textContent));
  assert.deepEqual(today, ['3', '3', '1', '1', '1', '0'], 'begun, submitted, approved, rejected, issued, revoked');
  assert.match(await page.textContent('main'), /Half of the decisions took at most \d+ (min|h)/);
  for (const name of ['Tashkent City', 'online']) {
    const row = page.getByRole('row', { name: new RegExp(`^${name}`) });
    assert.match(await row.textContent(), /33111$/, name);
  }
  await show(page, '04-statistics-open');
  await page.fill('#from', '2025-12-01');
  await page.fill('#to', '2026-11-01');
  await page.click('.period button');
  assert.match(page.url(), /from=2025-12-01&to=2026-11-01/);
  assert.match(await page.textContent('#period'), /01\.12\.2025 to 01\.11\.2026/);
  await page.goto(`${muhr.url}/officer/statistics?from=2020-01-01&to=2026-11-01`);
  assert.match(await page.textContent('#error-from'), /at most 366 days/);
  assert.equal(await page.inputValue('#from'), '2020-01-01', 'what was typed stays');
  await show(page, '04-statistics-refused');
  for (const language of languages) {
    await page.goto(`${muhr.url}/officer/statistics?lang=${language}`);
    await show(page, `04-statistics-${language}`);
  }
  await page.goto(`${muhr.url}/officer/statistics?lang=en`);
}

/** Every look in one language; in the others once, held to the same rules. */
async function look(page, name) {
  const language = await page.getAttribute('html', 'lang');
  if (language === 'en') return show(page, name);
  return inspect(page, name, `office-${language}-`);
}

for (const [index, language] of languages.entries()) {
  test(`a walk-in leaves with a key on their drive in ${language}`, async () => {
    const { page, complaints, close } = await signInSpeaking('registrar', language);
    await page.addInitScript(drive);
    await page.goto(`${muhr.url}/officer/register`);
    await look(page, '05-register');
    await registerWalkIn(page, { number: pinfl(310 + index), phone: `91 234 56 1${index}` });
    await look(page, '06-counter');
    const counter = page.url();
    const id = /applications\/([^/]+)/.exec(counter)[1];
    await page.selectOption('#way', 'cash');
    await page.fill('#receipt_number', `K-2026-${index}`);
    await page.click('form[action$=payment] button');

    const reviewer = await signInSpeaking('reviewer', language);
    await reviewer.page.goto(`${muhr.url}/officer/payments`);
    await reviewer.page.click('form[action$=confirmation] button');
    await page.goto(counter);
    // The drive is the applicant's, and so is the password that they type.
    await page.click('[data-task=make-key] [data-pick-folder]');
    await page.fill('[data-task=make-key] [data-password]', PASSWORD);
    await page.fill('[data-task=make-key] [data-password-again]', PASSWORD);
    await page.click('[data-task=make-key] button.button:not([type=button])');
    await page.waitForURL(/done=key/);
    writeFileSync(join(muhr.folder, 'photo.png'), PICTURE);
    await page.setInputFiles('#file-photo', join(muhr.folder, 'photo.png'));
    await page.waitForSelector('#photo [data-editor]:not([hidden])');
    await page.click('#photo form > .actions button:not([type=button])');
    await page.waitForSelector('form[action$=submission]');
    await page.fill('[data-task=sign-statement] [data-password]', PASSWORD);
    await page.click('form[action$=submission] button');
    await page.waitForSelector('form[action$=submission]', { state: 'detached' });
    await reviewer.page.goto(`${muhr.url}/officer/applications/${id}`);
    await reviewer.page.click('form[action$=approval] button');
    for (let tries = 0; tries < 50 && !(await page.$('[data-task=save-key]')); tries += 1) {
      await page.waitForTimeout(200);
      await page.goto(counter);
    }
    await page.fill('[data-task=save-key] [data-password]', PASSWORD);
    await page.click('[data-task=save-key] button.button:not([type=button])');
    await page.waitForSelector('[data-task=save-key] [data-status].good');
    await look(page, '07-written');
    const octets = await page.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('DSKEYS');
      const [name] = await Array.fromAsync(folder.keys());
      return [...new Uint8Array(await (await (await folder.getFileHandle(name)).getFile()).arrayBuffer())];
    });
    const pfx = join(muhr.folder, `walk-in-${language}.pfx`);
    writeFileSync(pfx, Uint8Array.from(octets));
    assert.match(judge('openssl', 'pkcs12', '-in', pfx, '-passin', `pass:${PASSWORD}`, '-noenc'), /cn=karimov karim/);
    assert.deepEqual([...complaints, ...reviewer.complaints], []);
    await close();
    await reviewer.close();
  });

  test(`every room of the office is in order in ${language}`, async () => {
    const seen = new Set();
    for (const login of ['admin', 'registrar', 'reviewer', 'revocation']) {
      const { page, complaints, close } = await signInSpeaking(login, language);
      const inside = () => page.$$eval('.masthead nav a, .chips a:not([href*="?"])', links => links.map(link => new URL(link.href).pathname));
      const rooms = await inside();
      for (const room of rooms) {
        if (seen.has(room)) continue;
        seen.add(room);
        await page.goto(muhr.url + room);
        rooms.push(...(await inside()).filter(found => !rooms.includes(found)));
        await look(page, `08${room.replaceAll('/', '-')}`);
      }
      assert.deepEqual(complaints, []);
      await close();
    }
    assert.equal(seen.size, 15, [...seen].join(' '));
  });
}

test('a sign-in that ends while somebody types costs no typing', async () => {
  const { page, context, close } = await signIn('registrar');
  await page.goto(`${muhr.url}/officer/register`);
  await page.fill('#surname', 'Karimov');
  await page.fill('#purpose', 'Soliq hisobotlari');
  await context.clearCookies({ name: 'muhr-officer' });
  await page.$eval('main form', form => { form.noValidate = true; });
  await page.click('main form .actions button');
  await page.waitForURL(/\/officer\/sign-in/);
  await page.fill('#login', 'registrar');
  await page.fill('#password', muhr.officers.registrar);
  await page.click('main form button');
  await page.waitForURL(/\/officer\/register$/);
  assert.equal(await page.inputValue('#surname'), 'Karimov');
  assert.equal(await page.inputValue('#purpose'), 'Soliq hisobotlari');
  await close();
});

test('a revocation officer suspends, restores and revokes; an auditor sees it', async () => {
  const { page, close } = await signIn('revocation');
  await page.goto(`${muhr.url}/officer/certificates`);
  await show(page, '09-register-of-certificates');
  await page.click('main .ledger a');
  await page.click('form[action$=suspension] button');
  await page.waitForSelector('form[action$=restoration] button');
  await show(page, '10-certificate');
  await page.click('form[action$=restoration] button');
  await page.waitForSelector('form[action$=suspension] button');
  await page.click('main summary');
  await page.selectOption('#reason', 'keyCompromise');
  await page.click('form[action$=revocation] button');
  await page.waitForSelector('.state.revoked');
  await close();

  const auditor = await signIn('auditor');
  await auditor.page.goto(`${muhr.url}/officer/audit`);
  assert.match(await auditor.page.textContent('main'), /revo/i);
  await show(auditor.page, '11-audit');
  await auditor.close();
});

test('an officer enrols an authenticator, and needs it from then on', async () => {
  const { page, close } = await signIn('auditor');
  await page.goto(`${muhr.url}/officer/account`);
  await show(page, '12-account');
  await page.fill('#totp-password', muhr.officers.auditor);
  await page.click('form[action$=totp] button');
  await show(page, '13-authenticator');
  const secret = await page.inputValue('input[name=secret]');
  await page.fill('#code', totp(secret, 0));
  await page.click('form[action$=confirmation] button');
  const codes = await page.locator('.codes code').allTextContents();
  assert.equal(codes.length, 10);
  await show(page, '14-recovery-codes');
  await page.click('.leave button');
  await page.goto(`${muhr.url}/officer/sign-in`);
  await show(page, '01-sign-in');
  await page.fill('#login', 'auditor');
  await page.fill('#password', muhr.officers.auditor);
  await page.click('main form button');
  await page.waitForSelector('#totp');
  await page.fill('#password', muhr.officers.auditor);
  // Each code works once, so the next one.
  await page.fill('#totp', totp(secret, 30));
  await page.click('main form button');
  await page.waitForURL(url => !url.pathname.endsWith('/sign-in'));
  await page.click('.leave button');

  // The phone is lost.
  await page.goto(`${muhr.url}/officer/sign-in`);
  await page.fill('#login', 'auditor');
  await page.fill('#password', muhr.officers.auditor);
  await page.fill('#totp', codes[6].toUpperCase());
  await page.click('main form button');
  await page.waitForURL(url => !url.pathname.endsWith('/sign-in'));
  await page.goto(`${muhr.url}/officer/account`);
  assert.match(await page.textContent('#codes-title + p'), /\b9\b/);
  await close();
});

test('two administrators hire an officer, change a price and stop a partner', async () => {
  const first = await signIn('admin');
  const second = await signIn('admin2');
  const place = path => `${muhr.url}/officer/administration${path}`;
  await first.page.goto(place('/officers'));
  await show(first.page, '15-officers');
  await first.page.fill('#add-login', 'Not a login');
  await first.page.fill('#reason-add', 'Yangi xodim');
  await first.page.click('section form button');
  assert.match(await first.page.textContent('#add-login-wrong'), /small Latin letters/);
  assert.equal(await first.page.inputValue('#reason-add'), 'Yangi xodim', 'what was typed stays');
  await first.page.fill('#add-login', 'yangi.xodim');
  await first.page.selectOption('#add-role', 'registrar');
  await first.page.click('section form button');
  await first.page.waitForSelector('.note.good');
  assert.equal(await first.page.locator('form[action$=confirmation]').count(), 0, 'nobody decides on their own proposal');

  await first.page.goto(place('/prices'));
  await first.page.click('details:has(#som) summary, details:has([name=som]) summary');
  await show(first.page, '16-prices');
  await first.page.fill('[name=som]', '450 000');
  await first.page.fill('#from-bhm', '2020-01-01', { force: true });
  await first.page.fill('#source-bhm', 'A decree of the future');
  await first.page.fill('#reason-bhm', 'The base amount rises');
  await first.page.$eval('#from-bhm', input => input.removeAttribute('min'));
  await first.page.click('details:has([name=som]) button');
  assert.match(await first.page.textContent('#from-bhm-wrong'), /after today/);
  assert.equal(await first.page.inputValue('[name=som]'), '450 000');
  await first.page.fill('#from-bhm', '2099-01-01');
  await first.page.click('details:has([name=som]) button');
  await first.page.waitForSelector('.note.good');

  await second.page.goto(place(''));
  await show(second.page, '17-proposals');
  await second.page.click('li:has-text("yangi.xodim") form[action$=confirmation] button');
  const secondHalf = await second.page.textContent('code.secret');
  await show(second.page, '18-one-time-password');
  await second.page.click('li:has-text("450") form[action$=confirmation] button');
  await second.page.waitForSelector('.note.good');
  await second.page.goto(place('/prices'));
  assert.match(await second.page.textContent('tr:has-text("2099-01-01")'), /450.000/);
  await second.page.goto(place('/profiles'));
  await show(second.page, '19-profiles');
  await second.page.goto(place('/partners'));
  await show(second.page, '20-partners');
  await second.page.click('tr summary');
  await second.page.fill('tr input[name=reason]', 'Its key was lost');
  await second.page.click('tr form button');
  await second.page.goto(place('/partners'));
  await second.page.waitForSelector('.state.revoked');

  await first.page.goto(place('?state=in_force'));
  await first.page.click('li:has-text("yangi.xodim") form[action$=password-half] button');
  const firstHalf = await first.page.textContent('code.secret');
  await show(first.page, '23-first-half');
  muhr.officers['yangi.xodim'] = firstHalf + secondHalf;
  const hired = await signIn('yangi.xodim');
  await hired.page.goto(`${muhr.url}/officer/register`);
  await hired.page.waitForSelector('main form');
  for (const visitor of [first, second, hired]) await visitor.close();
});

/** RFC 6238, as an authenticator computes it. */
function totp(secret, ahead) {
  const bits = [...secret.replace(/=+$/, '')].map(letter => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map(octet => Number.parseInt(octet, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor((Date.now() / 1000 + ahead) / 30)));
  const hash = createHmac('sha1', key).update(counter).digest();
  return String((hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

test('nobody is let in without signing in, and a role sees only its rooms', async () => {
  const stranger = await visit(muhr, { locale: 'en' });
  await stranger.page.goto(`${muhr.url}/officer/audit`);
  assert.match(stranger.page.url(), /\/officer\/sign-in/);
  await stranger.close();
  const { page, close } = await signIn('registrar');
  const answer = await page.goto(`${muhr.url}/officer/audit`);
  assert.equal(answer.status(), 403);
  await close();
});
