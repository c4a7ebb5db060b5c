// What people do before the part of a story that matters.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { code, inForce, judge, keyOf, solve, visit } from './stage.mjs';

/** The button that sends the form of a page. */
export const SEND = 'main form button.button:not([type=button])';

/** A password that keeps every rule. */
export const PASSWORD = 'Namuna-2026 parol';

/** 300 x 300 white pixels, PNG. */
export const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAASwAAAEsAQAAAABRBrPYAAAAIklEQVR42u3BMQEAAADCoPVPbQo/oAAAAAAAAAAAAAAAeBkttAABAZVTBAAAAABJRU5ErkJggg==',
  'base64',
);

/** Says who applies and confirms the phone (nine digits): ends on the page of the person. */
export async function sayWho(stage, page, { number, phone }) {
  await page.goto(`${stage.url}/apply`);
  await page.check('input[value=natural_person]');
  await page.selectOption('#district', '1726266');
  await page.fill('#number', number);
  await page.fill('#phone', phone);
  await confirmPhone(stage, page, phone);
}

/** Answers the puzzle and the SMS. */
export async function confirmPhone(stage, page, phone) {
  await solve(stage, page);
  await page.click(SEND);
  await page.waitForSelector('#code');
  await page.fill('#code', await code(stage, `+998${phone}`));
  await page.click(SEND);
}

/** Fills in the person, without sending it. */
export async function fillPerson(page) {
  await page.fill('#passport', 'AA1234567');
  await page.fill('#surname', 'Misolov');
  await page.fill('#given_name', 'Namuna');
  await page.fill('#purpose', 'Soliq hisoboti');
  await page.check('input[name=offer_accepted]');
}

/** From the first question to the page of the key; the application's name. */
export async function begin(stage, page, who) {
  await sayWho(stage, page, who);
  await fillPerson(page);
  await page.click(SEND);
  await page.waitForURL(/\/key$/);
  return /applications\/([^/]+)\/key/.exec(page.url())[1];
}

/** Registers somebody who stands at the counter, as a signed-in registrar on the page for it: ends at the counter. */
export async function registerWalkIn(page, { number, phone }) {
  await page.selectOption('#district', '1726266');
  await page.fill('#phone', phone);
  await page.fill('#pinfl', number);
  await page.fill('#birth_date', '1990-01-01');
  await page.fill('#passport', 'aa 7654321');
  await page.fill('#surname', 'Karimov');
  await page.fill('#given_name', 'Karim');
  await page.fill('#purpose', 'Soliq hisobotlari');
  await page.check('input[name=offer_accepted]');
  await page.click('main form .actions button');
  await page.waitForURL(/\/counter$/);
}

/** Types a password twice and makes the key. */
export async function makeKey(page, password = PASSWORD) {
  await page.fill('[data-password]', password);
  await page.fill('[data-password-again]', password);
  await page.click(SEND);
}

/** Pays and adds both pictures: ends on the review. */
export async function payAndShow(stage, page) {
  await page.waitForURL(/\/payment$/);
  await page.click('form[action$=play] button');
  await page.waitForSelector('#payment-state .good');
  await page.click('main > .actions .button');
  const file = join(stage.folder, 'picture.png');
  writeFileSync(file, PICTURE);
  for (const kind of ['photo', 'selfie']) {
    await page.setInputFiles(`#file-${kind}`, file);
    await page.waitForSelector(`#${kind} [data-editor]:not([hidden])`);
    await page.click(`#${kind} form > .actions button`);
    await page.waitForURL(kind === 'photo' ? /#photo$/ : /\/review$/);
  }
}

/** A drive: the browser's private folder, the same kind of handle as one that a person chooses. For `addInitScript`. */
export const drive = () => { globalThis.showDirectoryPicker = () => navigator.storage.getDirectory(); };

/** Signs an officer in, in a window of their own. */
export async function enterOffice(stage, login, options) {
  const visitor = await visit(stage, { locale: 'en', ...options });
  await visitor.page.goto(`${stage.url}/officer/sign-in`);
  await visitor.page.fill('#login', login);
  await visitor.page.fill('#password', stage.officers[login]);
  await visitor.page.click('main form button');
  await visitor.page.waitForURL(url => !url.pathname.endsWith('/sign-in'));
  return visitor;
}

/** An officer who has signed in loads the key that the sandbox gave them, as people load theirs. */
export async function loadKey(stage, page, login) {
  await inForce(keyOf(stage, login));
  await page.goto(`${stage.url}/officer/account/key`);
  await page.setInputFiles('#key-file', keyOf(stage, login));
  await page.click('[data-load-file] button');
  await page.waitForSelector('[data-has-key]:not([hidden])');
}

/** An application under review, by the API: what the office has to have something to decide on. */
export async function underReview(stage, phone, subject) {
  const call = async (method, path, token, body, type = 'application/json') => {
    const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(body && { 'content-type': type }) };
    const answer = await fetch(stage.url + path, { method, headers, body: body && type === 'application/json' ? JSON.stringify(body) : body });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.headers.get('content-type')?.includes('json') ? answer.json() : answer.text();
  };
  const captcha = await call('POST', '/api/v1/captchas');
  const { answer } = await call('GET', `/sandbox/captchas/${captcha.id}`);
  const sent = await call('POST', '/api/v1/phone-verifications', null, { phone, captcha_id: captcha.id, captcha_text: answer });
  const { token } = await call('POST', `/api/v1/phone-verifications/${sent.id}/confirmation`, null, { code: await code(stage, phone) });
  const made = await call('POST', '/api/v1/applications', token, {
    subject_type: 'natural_person', region: 1726, district: 1726266, purpose: 'Soliq hisoboti', offer_accepted: true,
    subject: { passport: 'AA1234567', birth_date: '1990-01-01', surname: 'Misolov', given_name: 'Namuna', ...subject },
  });
  const [key, request] = ['key.pem', 'request.pem'].map(name => join(stage.folder, name));
  judge('openssl', 'req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-keyout', key, '-subj', '/CN=x', '-out', request);
  const path = `/api/v1/applications/${made.id}`;
  await call('PUT', `${path}/csr`, token, readFileSync(request, 'utf8'), 'application/x-pem-file');
  for (const kind of ['photo', 'selfie']) await call('PUT', `${path}/documents/${kind}`, token, PICTURE, 'image/png');
  await call('POST', `/sandbox/payments/${(await call('GET', `${path}/invoice`, token)).id}`);
  await call('POST', `${path}/submission`, token, {});
  return made.id;
}
