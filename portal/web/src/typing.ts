/** What is typed into a form with `data-keep` stays in this tab until it has arrived, whatever happens to page and sign-in. */

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

const UNKEPT = new Set(['password', 'file', 'hidden', 'submit', 'button']);

function fields(form: HTMLFormElement): Field[] {
  const all = Array.from(form.elements).filter((element): element is Field =>
    element instanceof HTMLInputElement || element instanceof HTMLSelectElement || element instanceof HTMLTextAreaElement);
  return all.filter(field => field.name !== '' && !UNKEPT.has(field.type) && !field.name.startsWith('captcha'));
}

function isTicked(field: Field): field is HTMLInputElement {
  return field instanceof HTMLInputElement && (field.type === 'radio' || field.type === 'checkbox');
}

/** Nothing was filled in by the server. */
function isUntouched(form: HTMLFormElement, field: Field): boolean {
  if (isTicked(field)) return !fields(form).some(other => other.name === field.name && isTicked(other) && other.checked);
  return field.value === '';
}

function restore(form: HTMLFormElement, kept: Record<string, string>): void {
  for (const field of fields(form)) {
    const value = kept[field.name];
    if (value === undefined || !isUntouched(form, field)) continue;
    if (isTicked(field)) field.checked = field.value === value; else field.value = value;
  }
}

function typed(form: HTMLFormElement): Record<string, string> {
  const filled = fields(form).filter(field => isTicked(field) ? field.checked : field.value !== '');
  return Object.fromEntries(filled.map(field => [field.name, field.value]));
}

/** Keeps and restores every form of the page that asks for it, and forgets those whose data have arrived. */
export function keepTyping(): void {
  for (const name of (document.body.dataset['kept'] ?? '').split(' ')) sessionStorage.removeItem(`muhr-${name}`);
  for (const form of document.querySelectorAll<HTMLFormElement>('form[data-keep]')) {
    const place = `muhr-${form.dataset['keep'] ?? ''}`;
    restore(form, JSON.parse(sessionStorage.getItem(place) ?? '{}') as Record<string, string>);
    form.addEventListener('input', () => {
      try {
        sessionStorage.setItem(place, JSON.stringify(typed(form)));
      } catch {
        // A full storage keeps the typing from being kept, and nothing else.
      }
    });
  }
}
