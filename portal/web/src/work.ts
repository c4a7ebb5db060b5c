/** Forms whose work a script does. */
import { WrongPassword } from './key_pair';
import { type Status, text, words } from './texts';

/** The words for whatever went wrong with a key. */
export function told(error: unknown): string {
  return error instanceof WrongPassword ? text('web-wrong-password') : words(error);
}

/** Runs the work of a submitted form once at a time, its button held meanwhile. */
export function onSubmit(form: HTMLFormElement, status: Status, work: () => Promise<void>): void {
  form.addEventListener('submit', event => {
    event.preventDefault();
    const button = form.querySelector<HTMLButtonElement>('button:not([type=button])');
    if (button?.disabled) return;
    if (button) button.disabled = true;
    work().catch((error: unknown) => { status.bad(told(error)); }).finally(() => { if (button) button.disabled = false; });
  });
}

/** A field that the page has to have. */
export function field(within: Element, selector: string): HTMLInputElement {
  const found = within.querySelector(selector);
  if (!(found instanceof HTMLInputElement)) throw new Error(`the page lacks ${selector}`);
  return found;
}
