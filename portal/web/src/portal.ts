/** What every page does with a script: live parts, typing that is not lost, pictures, keys to press. */
import 'htmx.org';
import { keepTyping } from './typing';
import { attachPicture } from './picture';
import { attachZoom } from './zoom';
import { text } from './texts';

/** A clock that is further off than this makes signatures that others refuse. */
const TOLERABLE = 5 * 60_000;

function clock(): void {
  const note = document.querySelector<HTMLElement>('[data-clock-note]');
  const server = Date.parse(document.documentElement.dataset['now'] ?? '');
  const off = Date.now() - server;
  if (!note || Number.isNaN(server) || Math.abs(off) < TOLERABLE) return;
  const minutes = Math.round(Math.abs(off) / 60_000);
  const late = off < 0 ? 'web-clock-behind' : 'web-clock-ahead';
  note.textContent = minutes < 120 ? text(`${late}-minutes`, { minutes }) : text(`${late}-hours`, { hours: Math.round(minutes / 60) });
  note.hidden = false;
}

/** Without a connection nothing is sent, so nothing typed is lost. */
function connection(): void {
  const note = document.querySelector<HTMLElement>('[data-offline-note]');
  const show = (): void => { if (note) note.hidden = navigator.onLine; };
  window.addEventListener('online', show);
  window.addEventListener('offline', show);
  document.addEventListener('submit', event => {
    if (navigator.onLine) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    show();
    note?.scrollIntoView({ block: 'center' });
  }, { capture: true });
  show();
}

/** A link that may be followed only after some seconds. */
function countdown(link: HTMLAnchorElement): void {
  let left = Number(link.dataset['countdown']);
  if (!(left > 0)) return;
  const [href, label] = [link.href, link.textContent];
  link.removeAttribute('href');
  const tick = (): void => {
    link.textContent = left > 0 ? `${label} (${left})` : label;
    if (left > 0) { left -= 1; setTimeout(tick, 1000); } else { link.href = href; }
  };
  tick();
}

/** A key without a modifier presses what carries it, unless somebody is typing or has switched single keys off. */
function shortcuts(): void {
  if (document.body.dataset['keys'] === undefined) return;
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target instanceof Element && event.target.closest('input, select, textarea, [contenteditable]')) return;
    for (const element of document.querySelectorAll<HTMLElement>('[data-key]')) {
      if (element.dataset['key'] !== event.key.toLowerCase() || element.closest('[hidden]')) continue;
      event.preventDefault();
      element.click();
      element.focus();
      return;
    }
  });
}

function attach(within: ParentNode): void {
  for (const form of within.querySelectorAll<HTMLFormElement>('form[data-task=picture]')) attachPicture(form);
  for (const image of within.querySelectorAll<HTMLImageElement>('img[data-zoom]')) attachZoom(image);
  for (const link of within.querySelectorAll<HTMLAnchorElement>('a[data-countdown]')) countdown(link);
}

clock();
connection();
shortcuts();
keepTyping();
attach(document);
document.addEventListener('htmx:afterSwap', event => { if (event.target instanceof Element) attach(event.target); });
