// Everything but making a key works in a browser that runs no script.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { approve, code, inspect, judge, pinfl, solve, stage, visit } from './stage.mjs';

let muhr;
before(async () => { muhr = await stage(); });
after(() => muhr.stop());

// 300 x 300 white pixels.
const picture = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAASwAAAEsAQAAAABRBrPYAAAAIklEQVR42u3BMQEAAADCoPVPbQo/oAAAAAAAAAAAAAAAeBkttAABAZVTBAAAAABJRU5ErkJggg==', 'base64');

test('an applicant applies, pays, submits, and revokes what was issued', async () => {
  const { page, close } = await visit(muhr, { javaScriptEnabled: false, locale: 'en' });
  const press = () => page.click('main form button.button');
  await page.goto(`${muhr.url}/apply`);
  await page.check('input[value=natural_person]');
  await page.selectOption('#district', '1726266');
  await page.fill('#number', pinfl(1));
  await page.fill('#phone', '90 123 45 67');
  await page.fill('#captcha_text', 'wrong');
  await press();
  assert.match(await page.textContent('#error-captcha_text'), /do not match/);
  assert.equal(await page.inputValue('#number'), pinfl(1), 'what was typed is still there');
  await page.click('text=I cannot see the picture');
  assert.match(await page.textContent('#captcha-question'), /What is \w+ plus \w+\?/);
  assert.equal(await page.inputValue('#number'), '', 'a new question is a new page');
  await page.check('input[value=natural_person]');
  await page.selectOption('#district', '1726266');
  await page.fill('#number', pinfl(1));
  await page.fill('#phone', '90 123 45 67');
  await solve(muhr, page);
  await press();
  await page.fill('#code', await code(muhr, '+998901234567'));
  await press();

  assert.equal(await page.inputValue('#birth_date'), '1990-01-01', 'the birth date is read from the PINFL');
  await page.fill('#passport', 'AA12345');
  await page.fill('#surname', 'Misolov');
  await page.fill('#given_name', 'Namuna');
  await page.fill('#purpose', 'Signing tax reports');
  await page.check('input[name=offer_accepted]');
  await press();
  assert.match(await page.textContent('#error-passport'), /two Latin letters and seven digits/);
  await page.fill('#passport', 'aa 1234567');
  await press();

  const [, id] = /applications\/([^/]+)\/key/.exec(page.url());
  const [key, request] = ['key.pem', 'request.pem'].map(name => join(muhr.folder, name));
  judge('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', key, '-subj', '/CN=x', '-out', request);
  await page.click('details.other summary');
  await page.fill('#own', 'not a request');
  await page.click('details.other button');
  assert.match(await page.textContent('main'), /refused/);
  await page.click('details.other summary');
  await page.fill('#own', judge('cat', request));
  await page.click('details.other button');

  assert.match(await page.textContent('.invoice'), /28.840/);
  await page.click('form[action$=play] button');
  assert.match(await page.textContent('#payment-state'), /Paid/);
  await page.click('main > .actions .button');

  const upload = async (kind, name, content) => {
    const file = join(muhr.folder, name);
    writeFileSync(file, content);
    await page.setInputFiles(`#file-${kind}`, file);
    await page.click(`#${kind} form > .actions button`);
  };
  await upload('photo', 'text.jpg', 'not a picture');
  assert.match(await page.textContent('#photo'), /JPEG|PNG|format/);
  await upload('photo', 'photo.png', picture);
  await upload('selfie', 'selfie.png', picture);
  assert.match(page.url(), /review$/);
  await page.click('form[data-task=sign-statement] button');
  assert.match(await page.textContent('.lead'), /Under review/);

  await approve(muhr, 'reviewer', id);
  for (let tries = 0; tries < 50 && !(await page.textContent('.lead')).includes('issued'); tries += 1) {
    await new Promise(done => setTimeout(done, 200));
    await page.reload();
  }
  const pem = await (await page.request.get(`${muhr.url}/applications/${id}/certificate.pem`)).text();
  writeFileSync(join(muhr.folder, 'certificate.pem'), pem);
  assert.match(judge('openssl', 'x509', '-in', join(muhr.folder, 'certificate.pem'), '-noout', '-subject'), /Misolov Namuna/);
  const calendar = await (await page.request.get(`${muhr.url}/applications/${id}/certificate.ics`)).text();
  assert.match(calendar, /^BEGIN:VCALENDAR\r\n/);

  await page.goto(`${muhr.url}/revoke`);
  await page.click('.cards a');
  await page.selectOption('#reason', 'keyCompromise');
  await page.fill('#pinfl', pinfl(99));
  await page.click('text=Revoke for ever');
  assert.match(await page.textContent('#error-pinfl'), /not the PINFL/);
  assert.equal(await page.inputValue('#reason'), 'keyCompromise', 'what was chosen stays');
  await page.fill('#pinfl', pinfl(1));
  await page.click('text=Revoke for ever');
  assert.match(await page.textContent('h1'), /Revoked/);
  await close();
});

test('a form that was given to another browser is refused, and so is one without its proof', async () => {
  const [first, second] = [await visit(muhr), await visit(muhr)];
  await first.page.goto(`${muhr.url}/sign-in`);
  await second.page.goto(`${muhr.url}/sign-in`);
  const csrf = await first.page.inputValue('input[name=csrf]');
  for (const form of [{}, { csrf }, { csrf: 'x' }]) {
    const answer = await second.page.request.post(`${muhr.url}/sign-in`, { form });
    assert.equal(answer.status(), 403);
  }
  await first.close();
  await second.close();
});

test('a language is chosen on any page and remembered', async () => {
  const { page, close } = await visit(muhr, { javaScriptEnabled: false, locale: 'en' });
  await page.goto(`${muhr.url}/certificates?subject=Misolov`);
  await page.click('.tongue summary');
  await page.click('text=Русский');
  assert.equal(new URL(page.url()).search, '?subject=Misolov', 'the page is the same');
  assert.equal(await page.getAttribute('html', 'lang'), 'ru');
  await page.goto(`${muhr.url}/`);
  assert.equal(await page.getAttribute('html', 'lang'), 'ru');
  await close();
});

test('whoever would rather come in person finds out where', async () => {
  const { page, close } = await visit(muhr, { javaScriptEnabled: false, locale: 'en' });
  await page.goto(`${muhr.url}/`);
  await page.click('main a[href="/service-centres"]');
  assert.deepEqual(await page.$$eval('main h2', titles => titles.map(title => title.textContent)), ['Andijan Region', 'Tashkent City']);
  await page.selectOption('#region', 'Tashkent City');
  await page.click('main form button');
  assert.equal(await page.$$eval('.counters li', places => places.length), 2);
  assert.match(await page.textContent('.counters li'), /invented example.*Example Street.*Mon–Fri 09:00–18:00.*Sat 09:00–13:00/s);
  assert.equal(await page.getAttribute('.counters a[href^=tel]', 'href'), 'tel:+998710000001');
  assert.equal(await page.inputValue('#region'), '1726');
  await page.selectOption('#region', 'Khorezm Region');
  await page.click('main form button');
  assert.match(await page.textContent('main'), /No place is listed in this region/);
  await close();
});

test('a list without a place is not dressed up', async () => {
  const file = join(muhr.folder, 'no-centres.toml');
  writeFileSync(file, 'service_centres = []');
  const empty = await stage({ MUHR__DATA__SERVICE_CENTRES_FILE: file });
  const { page, complaints, close } = await visit(empty, { locale: 'en' });
  await page.goto(`${empty.url}/`);
  assert.match(await page.textContent('main'), /does not list any yet/);
  assert.equal(await page.$('main a[href="/service-centres"]'), null);
  await page.goto(`${empty.url}/service-centres`);
  await inspect(page, '17-service-centres-empty');
  assert.match(await page.textContent('main'), /No place is listed yet/);
  assert.deepEqual(complaints, []);
  await close();
  await empty.stop();
});

test('an ended sign-in leads to the phone and back, and leaves public pages as they are', async () => {
  const { page, context, close } = await visit(muhr, { javaScriptEnabled: false, locale: 'en' });
  await context.addCookies([{ name: 'muhr-applicant', value: 'ended', url: muhr.url, httpOnly: true }]);
  await page.goto(`${muhr.url}/certificates`);
  assert.match(await page.textContent('h1'), /Check a certificate/);
  await page.goto(`${muhr.url}/applications`);
  assert.match(page.url(), /sign-in\?next=%2Fapplications$/);
  await close();
});
