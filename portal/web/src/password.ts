/** What a key's password has to be. ASCII only, because Java's key stores refuse other letters (JDK-8202590). */

/** Whether each rule is kept. */
export interface Rules { length: boolean; digit: boolean; upper: boolean; lower: boolean; ascii: boolean }

/** Fewest characters. */
const LEAST = 10;

/** Which rules a password keeps. */
export function rules(password: string): Rules {
  return {
    length: password.length >= LEAST,
    digit: /[0-9]/.test(password),
    upper: /[A-Z]/.test(password),
    lower: /[a-z]/.test(password),
    ascii: /^[\x20-\x7e]*$/.test(password),
  };
}

/** All of them. */
export function isAcceptable(password: string): boolean {
  return Object.values(rules(password)).every(Boolean);
}

/** Letters and digits that nobody takes for others when they copy them from a phone. */
const PLAIN = 'abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** A password that keeps every rule, in three groups of four: some 70 bits. */
export function generate(): string {
  for (;;) {
    // What lies beyond the last whole multiple would make some letters likelier.
    const drawn = [...crypto.getRandomValues(new Uint8Array(32))].filter(octet => octet < 256 - 256 % PLAIN.length).slice(0, 12);
    const letters = drawn.map(octet => PLAIN[octet % PLAIN.length]).join('');
    const password = letters.replace(/(.{4})(?=.)/g, '$1-');
    if (letters.length === 12 && isAcceptable(password)) return password;
  }
}

/**
 * How hard it is to guess, 0 to 100: the length and the variety of what is in it, less for repetitions and rows of keys. A hint
 * while typing, not a promise.
 */
export function strength(password: string): number {
  const kinds = [/[0-9]/, /[a-z]/, /[A-Z]/, /[^0-9a-zA-Z]/].filter(kind => kind.test(password)).length;
  const different = new Set(password.toLowerCase()).size;
  const rows = password.toLowerCase().match(/(.)\1\1|0123|1234|2345|3456|4567|5678|6789|abcd|qwer|asdf|zxcv|parol|password|muhr/g)?.length ?? 0;
  return Math.max(0, Math.min(100, different * 5 + kinds * 8 + Math.max(0, password.length - LEAST) * 3 - rows * 20));
}

/** Shows beside two fields which rules what is typed keeps. */
export function watch(form: Element): void {
  const [first, second] = fields(form);
  if (!first) return;
  const show = (): void => {
    const kept: Record<string, boolean> = { ...rules(first.value), match: first.value !== '' && first.value === second?.value };
    for (const item of form.querySelectorAll<HTMLElement>('[data-rules] [data-rule]')) {
      item.dataset['met'] = String(kept[item.dataset['rule'] ?? ''] ?? false);
    }
    const meter = form.querySelector<HTMLMeterElement>('meter[data-strength]');
    if (meter) meter.value = strength(first.value);
  };
  for (const field of [first, second]) field?.addEventListener('input', show);
  show();
}

/** The password that was typed twice; nothing if it breaks a rule or the second is another. */
export function chosen(form: Element): string | undefined {
  const [first, second] = fields(form);
  if (!first || !isAcceptable(first.value) || first.value !== second?.value) return undefined;
  return first.value;
}

function fields(form: Element): (HTMLInputElement | null)[] {
  return [form.querySelector<HTMLInputElement>('[data-password]'), form.querySelector<HTMLInputElement>('[data-password-again]')];
}
