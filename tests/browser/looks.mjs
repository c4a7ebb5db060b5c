// Pages compared with how they looked when somebody last said that they look right: the PNGs in `looks/`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import pixelmatch from 'pixelmatch';
import { PNG } from 'pngjs';
import { pictures } from './stage.mjs';

const kept = fileURLToPath(new URL('looks/', import.meta.url));
const rewrite = process.env.UPDATE_LOOKS === '1';

/** Sizes and colours in which a page is compared. A tall page is compared down to `tall`: what is further down repeats. */
const SETTINGS = ['light', 'dark'].flatMap(colorScheme => [
  { name: `desktop-${colorScheme}`, width: 1280, height: 900, tall: 1400, colorScheme },
  { name: `phone-${colorScheme}`, width: 360, height: 780, tall: 1600, colorScheme },
]);

/**
 * A pixel is another one from this distance on (OKLab; 1 is black against white). Flat colours are the same in every Chromium
 * to the last bit, so a token that moves a little is seen; edges of letters are drawn a little differently from one minor
 * version of Chromium, Skia or FreeType to the next, and pixelmatch leaves out what it knows for anti-aliasing.
 */
const THRESHOLD = 0.015;
/**
 * Of what remains, this many pixels may differ in any square of 32 by 32. Differences in drawing letters are scattered all
 * over a page; a share of the whole page would have to be so large that a lost icon passes. What was moved, lost or coloured
 * anew lies in one place.
 */
const [SQUARE, TOLERATED] = [32, 30];

/** Fonts by name, since a system's own choice differs; nothing that moves, blinks, is drawn anew or speaks the browser's language. */
const STILL = `
  :root { --serif: "Noto Serif", "DejaVu Sans"; --sans: "Noto Sans", "DejaVu Sans"; --mono: "DejaVu Sans Mono"; }
  *, ::before, ::after { animation: none !important; transition: none !important; caret-color: transparent !important; }
  .puzzle img { width: 15rem; height: 5rem; object-position: 100rem; }
  [data-clock-note] { display: none; }
  ::-webkit-datetime-edit, ::file-selector-button { visibility: hidden; }
  input[type=file] { color: transparent; }
`;

/** What is another one tomorrow, or in the next sandbox, is written as one that stays, of the same length. */
function still(style) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  document.adoptedStyleSheets = [sheet];
  document.activeElement?.blur();
  scrollTo(0, 0);
  const hex = '0123456789abcdef';
  const stays = [
    [/\d\d\.\d\d\.20\d\d, \d\d:\d\d/g, '01.09.2026, 09:00'],
    [/20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '2026-09-01T09:00:00Z'],
    [/127\.0\.0\.1:\d+/g, '127.0.0.1:54321'],
    [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '01234567-89ab-cdef-0123-456789abcdef'],
    [/\d{1,3}(\s\d{3})+(?=\sso.m)/g, '25 000'], // follows from the prices in force
    [/\b(?=[0-9a-f]*[a-f])[0-9a-f]{24,}\b/g, found => hex.repeat(found.length / 16 + 1).slice(0, found.length)],
  ];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest('script')) continue;
    const words = stays.reduce((words, [changes, stay]) => words.replace(changes, stay), node.data);
    if (words !== node.data) node.data = words;
  }
  // Words and colours that depend on the day and the hour.
  const put = (found, words, look) => {
    for (const element of document.querySelectorAll(found)) Object.assign(element, { textContent: words }, look && { className: look });
  };
  put('.rule', '25 000 soʻm × 7 %');
  put('.clock', '23 h left', 'clock');
  put('.ledger.stack .state:is(.good, .past, .proposed)', 'in force', 'state good');
  return Promise.all([document.fonts.ready, ...[...document.images].map(image => image.decode())]).then(() => undefined);
}

/** What to do when pages look different. */
export const advice = `Look at looks-*-actual.png and looks-*-diff.png in ${pictures}.\nIf the new look is right, keep it: UPDATE_LOOKS=1 node --test looks.test.mjs`;

/** Compares the page in every setting; what is different, in words. Leaves the page with its changing texts replaced. */
export async function differences(page, name) {
  const found = [];
  await page.mouse.move(0, 0);
  for (const { name: setting, width, height, tall, colorScheme } of SETTINGS) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(still, STILL);
    const whole = await page.evaluate(() => document.documentElement.scrollHeight);
    const clip = { x: 0, y: 0, width, height: Math.min(whole, tall) };
    const actual = PNG.sync.read(await page.screenshot({ fullPage: true, clip, scale: 'css' }));
    const difference = compare(`${name}-${setting}`, actual);
    if (difference) found.push(difference);
  }
  return found;
}

/** What is different from the kept picture, in words; nothing if it looks the same. */
function compare(name, actual) {
  const file = join(kept, `${name}.png`);
  if (rewrite) {
    mkdirSync(kept, { recursive: true });
    writeFileSync(file, small(actual));
    return undefined;
  }
  const show = (what, png) => {
    mkdirSync(pictures, { recursive: true });
    writeFileSync(join(pictures, `looks-${name}-${what}.png`), small(png));
  };
  if (!existsSync(file)) {
    show('actual', actual);
    return `${name}: there is no picture to compare with`;
  }
  const expected = PNG.sync.read(readFileSync(file));
  const { width, height } = actual;
  if (width !== expected.width || height !== expected.height) {
    show('actual', actual);
    return `${name}: ${width} x ${height} pixels, was ${expected.width} x ${expected.height}`;
  }
  const diff = new PNG({ width, height });
  const worst = pixelmatch(expected.data, actual.data, diff.data, width, height, { threshold: THRESHOLD, windowSize: SQUARE });
  if (worst <= TOLERATED) return undefined;
  const all = pixelmatch(expected.data, actual.data, undefined, width, height, { threshold: THRESHOLD });
  show('actual', actual);
  show('diff', diff);
  return `${name}: ${all} pixels differ, ${worst} of them in one square of ${SQUARE} (${TOLERATED} are tolerated)`;
}

/**
 * A picture in few octets, because every version of it stays in the repository: PNG with a palette. Its most frequent colours
 * are kept as they are; of the others, shades at the edges of letters, those that are nearly the same become one. pngjs reads
 * palettes and does not write them.
 */
function small({ width, height, data }) {
  const counts = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const colour = data.readUIntBE(at, 3);
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const shades = colour => [colour >> 16, (colour >> 8) & 255, colour & 255];
  const distance = (one, other) => Math.hypot(...shades(one).map((shade, n) => shade - shades(other)[n]));
  const frequent = [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour);
  const apart = least => frequent.reduce((chosen, colour, n) => (n < 64 || chosen.every(other => distance(colour, other) >= least) ? [...chosen, colour] : chosen), []);
  let palette = apart(0);
  for (let least = 4; palette.length > 256; least += 2) palette = apart(least);
  const nearest = colour => palette.reduce((best, other, n) => (distance(colour, other) < distance(colour, palette[best]) ? n : best), 0);
  const places = new Map(palette.map((colour, n) => [colour, n]));
  const lines = Buffer.alloc((width + 1) * height); // each line begins with its filter: none
  for (let at = 0; at < width * height; at += 1) {
    const colour = data.readUIntBE(at * 4, 3);
    if (!places.has(colour)) places.set(colour, nearest(colour));
    lines[at + Math.floor(at / width) + 1] = places.get(colour);
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const chunk = (type, content) => {
    const named = Buffer.concat([Buffer.from(type), content]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(content.length);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, sum]);
  };
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header), chunk('PLTE', Buffer.from(palette.flatMap(shades))), chunk('IDAT', deflateSync(lines, { level: 9 })), chunk('IEND', Buffer.alloc(0)),
  ]);
}
