// A centre whose rules demand a generated password: it goes to the applicant's phone, signs once, and is replaced on the drive.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { approve, code, inspect, judge, pinfl, stage, visit } from './stage.mjs';
import { PASSWORD, PICTURE, drive, registerWalkIn } from './people.mjs';

let muhr;
before(async () => { muhr = await stage({ MUHR__OFFICERS__GENERATED_KEY_PASSWORDS: 'true' }); });
after(() => muhr.stop());

test('the password of a walk-in comes by SMS and opens nothing that leaves the counter', async () => {
  const { page, complaints, close } = await visit(muhr, { locale: 'en' });
  await page.addInitScript(drive);
  await page.goto(`${muhr.url}/officer/sign-in?next=/officer/register`);
  await page.fill('#login', 'registrar');
  await page.fill('#password', muhr.officers.registrar);
  await page.click('main form button');
  await page.waitForURL(/\/officer\/register$/);
  await registerWalkIn(page, { number: pinfl(404), phone: '91 234 56 79' });
  const counter = page.url();
  const id = /applications\/([^/]+)/.exec(counter)[1];
  const payment = await (await fetch(`${muhr.url}/api/v1/officer/sessions`, {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ login: 'registrar', password: muhr.officers.registrar }),
  })).json();
  const invoice = await (await fetch(`${muhr.url}/api/v1/applications/${id}/invoice`, { headers: { authorization: `Bearer ${payment.token}` } })).json();
  await fetch(`${muhr.url}/sandbox/payments/${invoice.id}`, { method: 'POST' });

  assert.equal(await page.$('[data-task=make-key] [data-password]'), null, 'nobody types a password');
  await inspect(page, '21-generated', 'office-desktop-light-');
  await page.click('[data-task=make-key] [data-pick-folder]');
  await page.click('[data-task=make-key] button.button:not([type=button])');
  await page.waitForURL(/done=key/);
  let password;
  for (let tries = 0; tries < 100 && !password; tries += 1) {
    password = await code(muhr, '+998912345679');
    await page.waitForTimeout(100);
  }
  assert.match(password, /^[a-zA-Z2-9]{4}(-[a-zA-Z2-9]{4}){2}$/);
  assert.ok(!(await page.content()).includes(password), 'the page does not show it');

  writeFileSync(join(muhr.folder, 'photo.png'), PICTURE);
  await page.setInputFiles('#file-photo', join(muhr.folder, 'photo.png'));
  await page.waitForSelector('#photo [data-editor]:not([hidden])');
  await page.click('#photo form > .actions button:not([type=button])');
  await page.waitForSelector('form[action$=submission]');
  await page.fill('[data-task=sign-statement] [data-password]', password);
  await page.click('form[action$=submission] button');
  await page.waitForSelector('form[action$=submission]', { state: 'detached' });
  assert.equal((await approve(muhr, 'reviewer', id)).state, 'under_review', 'of what a counter takes two decide');
  await approve(muhr, 'reviewer2', id);
  for (let tries = 0; tries < 50 && !(await page.$('[data-task=save-key]')); tries += 1) {
    await page.waitForTimeout(200);
    await page.goto(counter);
  }
  const write = '[data-task=save-key] button.button:not([type=button])';
  await page.waitForSelector('[data-new-password]:not([hidden])');
  await inspect(page, '22-own-password', 'office-desktop-light-');
  await page.fill('#drive-password', password);
  await page.fill('#own-password', PASSWORD);
  await page.fill('#own-again', 'Another-2026 parol');
  await page.click(write);
  await page.waitForSelector('[data-task=save-key] [data-status].bad');
  await page.fill('#own-again', PASSWORD);
  await page.click(write);
  await page.waitForSelector('[data-task=save-key] [data-status].good');
  const octets = await page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('DSKEYS');
    const names = await Array.fromAsync(folder.keys());
    return Promise.all(names.map(async name => [...new Uint8Array(await (await (await folder.getFileHandle(name)).getFile()).arrayBuffer())]));
  });
  assert.equal(octets.length, 1, 'the file with the first password is gone');
  const pfx = join(muhr.folder, 'walk-in.pfx');
  writeFileSync(pfx, Uint8Array.from(octets[0]));
  assert.match(judge('openssl', 'pkcs12', '-in', pfx, '-passin', `pass:${PASSWORD}`, '-noenc'), /cn=karimov karim/);
  assert.notEqual(spawnSync('openssl', ['pkcs12', '-in', pfx, '-passin', `pass:${password}`, '-noenc']).status, 0, 'the first password opens nothing');

  // What this browser keeps has the new password as well.
  await page.goto(counter);
  await page.waitForSelector('[data-task=save-key]');
  assert.ok(await page.isHidden('[data-new-password]'));
  await page.fill('#drive-password', PASSWORD);
  await page.click(write);
  await page.waitForSelector('[data-task=save-key] [data-status].good');
  assert.deepEqual(complaints, []);
  await close();
});
