/** What the scripts say to people: the page carries it in its own language, see `Page::script_texts` in the portal. */

let said: Record<string, string> | undefined;

/** The text of a key of `web/texts.txt`, its `{values}` filled in; the key itself where the page lacks it. */
export function text(key: string, values: Record<string, string | number> = {}): string {
  said ??= JSON.parse(document.getElementById('texts')?.textContent ?? '{}') as Record<string, string>;
  const open = said[key] ?? key;
  return open.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** How a task tells what it does: a line of the page that a screen reader says by itself. */
export class Status {
  readonly #line: HTMLElement | null;

  constructor(within: Element) {
    this.#line = within.querySelector<HTMLElement>('[data-status]');
  }

  /** Something is under way. */
  busy(words: string): void { this.#say(words, 'note'); }
  /** It is done. */
  good(words: string): void { this.#say(words, 'note good'); }
  /** It is not done, and what to do. */
  bad(words: string): void { this.#say(words, 'note bad'); }
  /** Nothing to tell. */
  clear(): void { if (this.#line) this.#line.hidden = true; }

  #say(words: string, look: string): void {
    if (!this.#line) return;
    this.#line.className = look;
    this.#line.textContent = words;
    this.#line.hidden = false;
  }
}

/** A failure whose words are for the person in front of the page. */
export class Told extends Error {}

/** The words for whatever went wrong. */
export function words(error: unknown): string {
  if (error instanceof Told) return error.message;
  if (error instanceof DOMException) {
    switch (error.name) {
      case 'QuotaExceededError': return text('web-storage-full');
      case 'NotAllowedError': return text('web-not-allowed');
      case 'NotFoundError': case 'InvalidStateError': case 'NotReadableError': return text('web-drive-gone');
      case 'NoModificationAllowedError': return text('web-drive-busy');
      default: break;
    }
  }
  console.warn(error);
  return text('web-failed');
}
