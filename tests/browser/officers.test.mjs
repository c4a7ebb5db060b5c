// The office in a browser: a queue decided, a walk-in taken from document to drive, certificates, money, messages, the log.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inForce, inspect, judge, keyOf, languages, operate, pinfl, stage, visit } from './stage.mjs';
import { PASSWORD, PICTURE, drive, enterOffice, loadKey, registerWalkIn, underReview } from './people.mjs';

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

/** The same with the key that the sandbox made for this officer. */
async function signInWithKey(login, language = 'en') {
  const visitor = await signInSpeaking(login, language);
  await loadKey(muhr, visitor.page, login);
  return visitor;
}

test('a reviewer decides what is in the queue, by keys', async () => {
  const first = await underReview(muhr, '+998902000001', { pinfl: pinfl(301), surname: 'Birinchiyev' });
  await underReview(muhr, '+998902000002', { pinfl: pinfl(302), surname: 'Ikkinchiyev' });
  await underReview(muhr, '+998902000003', { pinfl: pinfl(303), surname: 'Uchinchiyev' });
  const { page, complaints, close } = await signIn('reviewer');
  await show(page, '02-queue');
  await page.goto(`${muhr.url}/officer/applications/${first}`);
  await page.waitForSelector('.signing [data-no-key]:not([hidden]) a');
  assert.ok(await page.isDisabled('form[action$=approval] button'), 'nobody approves without a key');
  await page.keyboard.press('a');
  await show(page, '03-review-no-key');
  await loadKey(muhr, page, 'reviewer');
  await page.goto(`${muhr.url}/officer/applications/${first}`);
  await page.waitForSelector('form[action$=approval] button:enabled');
  assert.ok(await page.isHidden('.signing [data-no-key]'));
  await page.click('form[action$=approval] summary');
  assert.match(await page.textContent('form[action$=approval] pre'), new RegExp(`^muhr-officer-statement/1\nact: approve\nobject: application:${first}\n[\\s\\S]*\nofficer: reviewer\n`));
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
  await page.selectOption('#reason-reject', 'other');
  await page.click('form[action$=rejection] button');
  await page.waitForSelector('#error-note-reject:has-text("note")');
  await page.fill('#note-reject', 'Shubhali: «boshqa» odam\nva boshqa raqam');
  await page.click('form[action$=rejection] button');
  await page.waitForSelector('.note.good:has-text("Rejected")');
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

    const reviewer = await signInWithKey('reviewer', language);
    await look(reviewer.page, '21-key');
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
    const second = await signInSpeaking('reviewer2', language);
    const told = `${muhr.url}/officer/applications/${id}`;
    await second.page.goto(told);
    await second.page.waitForSelector('.signing [data-no-key]:not([hidden])');
    await look(second.page, '22-no-key');
    await second.page.click('.signing [data-no-key] a');
    await look(second.page, '22-key-to-be');
    await loadKey(muhr, second.page, 'reviewer2');
    await second.page.goto(told);
    await reviewer.page.goto(told);
    await reviewer.page.click('form[action$=approval] button');
    await reviewer.page.waitForSelector('.note.good');
    await reviewer.page.goto(`${muhr.url}/officer`);
    assert.match(await reviewer.page.textContent(`li:has(a[href*="${id}"]) .approvals`), /2.*1.*reviewer|1.*2.*reviewer/, 'the queue says whose there are');
    await reviewer.page.goto(told);
    assert.equal(await reviewer.page.locator('form[action$=approval]').count(), 0, 'one officer is one');
    await look(reviewer.page, '23-one-of-two');
    // What the second has on the screen is from before the first approval.
    await second.page.click('form[action$=approval] button');
    await second.page.waitForSelector('.note.bad');
    await look(second.page, '24-outdated');
    await second.page.click('.note.bad a');
    await second.page.waitForSelector('.note.bad', { state: 'detached' });
    await second.page.click('form[action$=approval] button');
    await second.page.waitForSelector('.note.good');
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
    assert.deepEqual([...complaints, ...reviewer.complaints, ...second.complaints], []);
    await close();
    await reviewer.close();
    await second.close();
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
  const { page, complaints, close } = await signInWithKey('revocation');
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
  await page.fill('#invalid_since', '2099-01-01');
  await page.click('form[action$=revocation] button');
  await page.waitForSelector('.note.bad');
  await page.selectOption('#reason', 'keyCompromise');
  await page.fill('#invalid_since', new Date().toISOString().slice(0, 10));
  await page.click('form[action$=revocation] button');
  await page.waitForSelector('.state.revoked');
  assert.deepEqual(complaints, []);
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

test('an officer ends a session elsewhere, and an administrator somebody else\'s', async () => {
  const here = await signIn('registrar');
  const elsewhere = await signIn('registrar');
  await here.page.goto(`${muhr.url}/officer/account`);
  await here.page.click('main a[href$="account/sessions"]');
  await here.page.waitForSelector('tbody tr .state.good');
  const sessions = () => here.page.locator('tbody tr').count();
  const before = await sessions();
  for (const language of languages) {
    await here.page.goto(`${muhr.url}/officer/account/sessions?lang=${language}`);
    await look(here.page, '13-sessions');
  }
  await here.page.goto(`${muhr.url}/officer/account/sessions?lang=en`);
  // The oldest first: the last one is where the same officer has signed in since.
  await here.page.locator('tbody form button').last().click();
  await here.page.waitForSelector('.note.good');
  assert.equal(await sessions(), before - 1);
  await elsewhere.page.goto(`${muhr.url}/officer`);
  assert.match(new URL(elsewhere.page.url()).pathname, /sign-in$/);

  const admin = await signIn('admin');
  await admin.page.goto(`${muhr.url}/officer/administration/officers`);
  await admin.page.click('tr:has(code:text-is("registrar")) a[href*="sessions"]');
  assert.match(await admin.page.textContent('.lead'), /registrar/);
  await admin.page.locator('tbody form button').last().click();
  await admin.page.waitForSelector('.note.good');
  await here.page.goto(`${muhr.url}/officer`);
  assert.match(new URL(here.page.url()).pathname, /sign-in$/);
  assert.deepEqual(admin.complaints, []);
  for (const visitor of [here, elsewhere, admin]) await visitor.close();
});

test('two administrators hire an officer, change a price and stop a partner', async () => {
  const first = await signIn('admin');
  await first.page.goto(`${muhr.url}/officer/administration/officers`);
  await first.page.waitForSelector('.signing [data-no-key]:not([hidden])');
  assert.ok(await first.page.isDisabled('section form button'), 'nobody proposes without a key');
  await loadKey(muhr, first.page, 'admin');
  const second = await signInWithKey('admin2');
  const place = path => `${muhr.url}/officer/administration${path}`;
  await first.page.goto(place('/officers'));
  await show(first.page, '15-officers');
  await first.page.fill('#add-login', 'Not a login');
  await first.page.fill('#reason-add', 'Yangi xodim');
  await first.page.click('section form button');
  await first.page.waitForSelector('#add-login-wrong:has-text("small Latin letters")');
  assert.equal(await first.page.inputValue('#reason-add'), 'Yangi xodim', 'what was typed stays');
  await first.page.waitForSelector('section form button:enabled');
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
  await first.page.waitForSelector('#from-bhm-wrong:has-text("after today")');
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
  await second.page.waitForSelector('p.note.good:has-text("Put in force")');
  await second.page.goto(place('/prices'));
  assert.match(await second.page.textContent('tr:has-text("2099-01-01")'), /450.000/);
  await second.page.goto(place('/profiles'));
  await show(second.page, '19-profiles');
  await second.page.goto(place('/partners'));
  await show(second.page, '20-partners');
  await second.page.click('tr summary');
  await second.page.fill('tr input[name=reason]', 'Its key was lost');
  await second.page.click('tr form button');
  await second.page.waitForSelector('.note.good');
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

/** What happens when somebody at the browser's console takes an officer's key out. */
const takeOut = login => new Promise((found, failed) => {
  const opening = indexedDB.open('muhr-officers', 1);
  opening.onsuccess = () => {
    const asked = opening.result.transaction('keys').objectStore('keys').get(login);
    asked.onsuccess = () => crypto.subtle.exportKey('pkcs8', asked.result.privateKey).then(() => found('taken out'), error => found(error.name));
    asked.onerror = failed;
  };
});

test('an officer makes a key in the browser, has it certified, signs with it, and loses it', async () => {
  const login = 'yangi.korikchi';
  muhr.officers[login] = /one-time password (\S+)/.exec(operate(muhr, 'officer', 'add', login, '--role', 'reviewer'))[1];
  const { page, complaints, close } = await signIn(login);
  await page.goto(`${muhr.url}/officer/account`);
  await page.click('main a[href$="account/key"]');
  await page.waitForSelector('[data-no-key]:not([hidden])');
  await show(page, '25-no-key-yet');
  await page.click('[data-make] button');
  await page.waitForSelector('[data-has-key]:not([hidden])');
  await show(page, '25-key-made');
  assert.match(await page.textContent('[data-ends]'), /no certificate/);
  const [csr, certificate] = ['made.csr', 'made.pem'].map(name => join(muhr.folder, name));
  const [downloaded] = await Promise.all([page.waitForEvent('download'), page.click('[data-download]')]);
  assert.equal(downloaded.suggestedFilename(), `${login}.csr`);
  await downloaded.saveAs(csr);
  assert.equal(readFileSync(csr, 'utf8'), await page.inputValue('textarea[data-request]'));
  judge('openssl', 'req', '-in', csr, '-verify', '-noout');
  const spki = join(muhr.folder, 'made.spki');
  judge('sh', '-c', `openssl req -in ${csr} -noout -pubkey | openssl pkey -pubin -outform DER -out ${spki}`);
  assert.match(judge('openssl', 'dgst', '-sha256', '-r', spki), new RegExp(`^${await page.textContent('[data-fingerprint]')}`));
  assert.equal(await page.evaluate(takeOut, login), 'InvalidAccessError', 'the key cannot be taken out');

  // Without a certificate it decides nothing.
  const first = await underReview(muhr, '+998902000021', { pinfl: pinfl(321), surname: 'Yettinchiyev' });
  const second = await underReview(muhr, '+998902000022', { pinfl: pinfl(322), surname: 'Sakkizinchiyev' });
  await page.goto(`${muhr.url}/officer/applications/${first}`);
  await page.waitForSelector('.signing [data-no-key]:not([hidden])');

  await page.goto(`${muhr.url}/officer/account/key`);
  await page.setInputFiles('#certificate', keyOf(muhr, 'reviewer'));
  await page.click('[data-load-certificate] button');
  await page.waitForSelector('[data-status].bad:has-text("another key")');
  writeFileSync(certificate, operate(muhr, 'officer', 'certify', login, '--role', 'reviewer', '--csr', csr));
  await page.setInputFiles('#certificate', certificate);
  await page.click('[data-load-certificate] button');
  await page.waitForSelector('[data-status].good');
  assert.match(await page.textContent('[data-ends]'), /^\d\d\.\d\d\.20\d\d, \d\d:\d\d$/);
  assert.ok(await page.isHidden('[data-ending]'));
  await show(page, '25-key-certified');

  await inForce(certificate);
  await page.goto(`${muhr.url}/officer/applications/${first}`);
  await page.click('form[action$=approval] button:enabled');
  await page.waitForSelector('.note.good:has-text("Approved")');
  for (let tries = 0; tries < 50; tries += 1) {
    await page.goto(`${muhr.url}/officer/applications/${first}`);
    if (await page.locator('.heading .state.issued').count()) break;
    await page.waitForTimeout(200);
  }
  assert.equal(await page.locator('.heading .state.issued').count(), 1, `the signer took the signature: ${await page.textContent('.timeline')}`);

  // A certificate that does not count any more: the API says so.
  assert.match(operate(muhr, 'officer', 'revoke-certificates', login), /1 revoked/);
  await page.goto(`${muhr.url}/officer/applications/${second}`);
  await page.click('form[action$=approval] button:enabled');
  await page.waitForSelector('.note.bad:has-text("another key")');
  await show(page, '25-not-certified');

  // Another officer's key is not taken for this one's, and what is forgotten is gone.
  await page.goto(`${muhr.url}/officer/account/key`);
  await page.click('details.danger summary');
  await page.click('[data-forget] button');
  await page.waitForSelector('[data-no-key]:not([hidden])');
  assert.match(await page.textContent('[data-status]'), /forgotten/);
  await page.setInputFiles('#key-file', keyOf(muhr, 'reviewer2'));
  await page.click('[data-load-file] button');
  await page.waitForSelector('[data-status].bad:has-text("reviewer2")');
  await page.goto(`${muhr.url}/officer/applications/${second}`);
  await page.waitForSelector('.signing [data-no-key]:not([hidden])');
  // The page was loaded before the key was lost: nothing was signed, and nothing is approved.
  await page.$eval('form[action$=approval]', form => form.submit());
  await page.waitForSelector('.note.bad:has-text("not signed")');
  assert.deepEqual(complaints, []);
  await close();
});

test('a key file with a password is loaded, and nobody else can be it', async () => {
  const { page, complaints, close } = await signIn('reviewer');
  const p12 = join(muhr.folder, 'reviewer.p12');
  judge('openssl', 'pkcs12', '-export', '-in', keyOf(muhr, 'reviewer'), '-out', p12, '-passout', 'pass:Namuna-2026');
  await page.goto(`${muhr.url}/officer/account/key`);
  await page.setInputFiles('#key-file', p12);
  await page.fill('#key-file-password', 'wrong');
  await page.click('[data-load-file] button');
  await page.waitForSelector('[data-status].bad:has-text("not the password")');
  await page.fill('#key-file-password', 'Namuna-2026');
  await page.click('[data-load-file] button');
  await page.waitForSelector('[data-has-key]:not([hidden])');
  assert.equal(await page.evaluate(takeOut, 'reviewer'), 'InvalidAccessError');
  assert.deepEqual(complaints, []);
  await close();
});

test('without a script the page says what signing needs, and nothing is decided unsigned', async () => {
  const id = await underReview(muhr, '+998902000023', { pinfl: pinfl(323), surname: 'Toʻqqizinchiyev' });
  const { page, close } = await signIn('reviewer', { javaScriptEnabled: false });
  await page.goto(`${muhr.url}/officer/applications/${id}`);
  assert.match(await page.textContent('.signing noscript'), /needs JavaScript/);
  await page.click('form[action$=approval] button');
  await page.waitForSelector('.note.bad');
  assert.match(await page.textContent('.note.bad'), /not signed/);
  assert.equal(await page.locator('.heading .state.under_review').count(), 1);
  await close();
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
