// The key pages look as they did: each in two sizes and two colours, against the pictures in `looks/`. How to renew them is in README.md.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { advice, differences } from './looks.mjs';
import { SEND, enterOffice, fillPerson, loadKey, makeKey, payAndShow, sayWho, underReview } from './people.mjs';
import { approve, pinfl, stage, visit } from './stage.mjs';

let muhr;
before(async () => { muhr = await stage(); });
after(() => muhr.stop());

/** What is different on every page is told at once; each page is left to the next `goto`. */
async function look(page, pages) {
  const found = [];
  for (const [name, arrive] of Object.entries(pages)) {
    await (typeof arrive === 'string' ? page.goto(muhr.url + arrive) : arrive());
    found.push(...await differences(page, name));
  }
  assert.ok(found.length === 0, `${found.join('\n')}\n${advice}`);
}

test('what everybody sees', async () => {
  const { page, close } = await visit(muhr, { locale: 'uz' });
  await look(page, { start: '/?lang=uz', who: '/apply', 'sign-in': '/sign-in', 'officer-sign-in': '/officer/sign-in?lang=en' });
  await close();
});

test('what an applicant sees', async () => {
  const { page, close } = await visit(muhr, { locale: 'uz' });
  await page.goto(`${muhr.url}/?lang=uz`);
  await look(page, {
    identity: async () => {
      await sayWho(muhr, page, { number: pinfl(401), phone: '903000001' });
      await fillPerson(page);
    },
    review: async () => {
      await page.click(SEND);
      await page.waitForURL(/\/key$/);
      await makeKey(page);
      await payAndShow(muhr, page);
    },
  });
  await close();
});

test('what an officer sees, and the certificate', async () => {
  const certified = await underReview(muhr, '+998903000003', { pinfl: pinfl(403), surname: 'Birinchiyev' });
  await approve(muhr, 'reviewer', certified);
  const { page, close } = await enterOffice(muhr, 'reviewer');
  await loadKey(muhr, page, 'reviewer');
  for (let tries = 0; tries < 50 && !(await page.$('main .facts a code')); tries += 1) {
    await page.waitForTimeout(200);
    await page.goto(`${muhr.url}/officer/applications/${certified}`);
  }
  const serial = await page.textContent('main .facts a code');
  const next = await underReview(muhr, '+998903000004', { pinfl: pinfl(404), surname: 'Ikkinchiyev' });
  await underReview(muhr, '+998903000005', { pinfl: pinfl(405), surname: 'Uchinchiyev' });
  await look(page, { queue: '/officer?lang=en', decision: `/officer/applications/${next}`, certificate: `/certificates/${serial}?lang=uz` });
  await close();

  const admin = await enterOffice(muhr, 'admin');
  await loadKey(muhr, admin.page, 'admin');
  await look(admin.page, { prices: '/officer/administration/prices?lang=en' });
  await admin.close();
});
