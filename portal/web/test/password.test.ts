import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { generate, isAcceptable, rules, strength } from '../src/password';

test('a password keeps every rule or is refused', () => {
  for (const refused of ['Aa345678 ', 'aa3456789012', 'AA3456789012', 'Aaaaaaaaaaaa', 'Аа3456789012', 'Aa345678ʻ012']) {
    assert.equal(isAcceptable(refused), false, refused);
  }
  assert.equal(isAcceptable('Aa34567890'), true);
  assert.deepEqual(rules('Parol-ёз'), { length: false, digit: false, upper: true, lower: true, ascii: false });
});

test('a generated password keeps every rule, can be copied from a phone, and is another one every time', () => {
  const made = Array.from({ length: 500 }, generate);
  for (const password of made) {
    assert.match(password, /^[a-zA-Z2-9]{4}-[a-zA-Z2-9]{4}-[a-zA-Z2-9]{4}$/);
    assert.doesNotMatch(password, /[0O1lIio]/);
    assert.equal(isAcceptable(password), true, password);
  }
  assert.equal(new Set(made).size, made.length);
  // Every letter occurs: 6,000 draws of 55.
  assert.equal(new Set(made.join('').replaceAll('-', '')).size, 55);
});

test('rows and repetitions count for little', () => {
  assert.ok(strength('Qwerty1234') < 40);
  assert.ok(strength('aaaaaaaaaaaaaaa') < 30);
  assert.ok(strength('tuya-Bozor 19 limon') > 80);
});

test('every text that the scripts ask for is on the list, and nothing else is', () => {
  const listed = readFileSync('web/texts.txt', 'utf8').split('\n').filter(Boolean);
  const asked = new Set<string>();
  for (const name of readdirSync('web/src')) {
    for (const [, key] of readFileSync(`web/src/${name}`, 'utf8').matchAll(/'(web-[a-z-]+)'/g)) if (key) asked.add(key);
  }
  for (const late of ['web-clock-behind', 'web-clock-ahead']) {
    asked.delete(late);
    for (const unit of ['minutes', 'hours']) asked.add(`${late}-${unit}`);
  }
  assert.deepEqual([...asked].sort(), listed);
  for (const language of ['uz', 'uz-Cyrl', 'kaa', 'ru', 'en']) {
    const said = readFileSync(`../config/locales/${language}/web.ftl`, 'utf8').matchAll(/^(web-[a-z-]+) = \S/gm);
    assert.deepEqual(Array.from(said, ([, key]) => key).sort(), listed, language);
  }
});
