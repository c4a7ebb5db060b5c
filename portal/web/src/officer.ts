/** What the office's pages with signatures do: the page of an officer's key, and forms that are sent with a signature. */
import { download } from './folder';
import { request } from './key_pair';
import { alone, findOfficer, forgetOfficer, keepOfficer } from './keyring';
import { certified, fingerprint, fromFile, isEnding, make, read, ready } from './officer_key';
import { sign } from './signed_data';
import { Status, Told, text } from './texts';
import { field, onSubmit, told } from './work';

const TASHKENT = 5 * 3600 * 1000;

/** Day and minute in Tashkent, as the pages write them. */
function moment(at: Date): string {
  const [day = '', time = ''] = new Date(at.getTime() + TASHKENT).toISOString().split('T');
  return `${day.split('-').reverse().join('.')}, ${time.slice(0, 5)}`;
}

/** The page of the key: made here or loaded, certified, forgotten. */
export function officerKey(section: HTMLElement): void {
  const status = new Status(section);
  const { login = '', role = '', roleName = '' } = section.dataset;
  const part = (name: string): HTMLElement => {
    const found = section.querySelector<HTMLElement>(`[data-${name}]`);
    if (!found) throw new Error(`the page lacks data-${name}`);
    return found;
  };
  const pem = section.querySelector<HTMLTextAreaElement>('textarea[data-request]');

  const show = async (): Promise<void> => {
    const key = await findOfficer(login);
    part('no-key').hidden = key !== undefined;
    part('has-key').hidden = key === undefined;
    if (!key) return;
    const said = key.certificate && read(key.certificate);
    part('fingerprint').textContent = await fingerprint(key.spki);
    part('role').textContent = !said || said.role === role ? roleName : said.role;
    part('ends').textContent = said ? moment(said.notAfter) : text('web-officer-waiting');
    part('ending').hidden = !said || !isEnding(said, new Date());
    part('other-role').hidden = !said || said.role === role;
    if (pem) pem.value = await request(login, key);
  };
  const form = (name: string, work: (form: HTMLFormElement) => Promise<string>): void => {
    const found = part(name);
    if (!(found instanceof HTMLFormElement)) return;
    onSubmit(found, status, () => alone(`officer-${login}`, async () => {
      status.clear();
      const words = await work(found);
      found.reset();
      await show();
      status.good(words);
    }));
  };
  const file = async (form: HTMLFormElement): Promise<ArrayBuffer> => {
    const chosen = field(form, 'input[type=file]').files?.[0];
    if (!chosen) throw new Told(text('web-choose-file'));
    return chosen.arrayBuffer();
  };

  form('make', async () => {
    // Another tab may have made one since.
    if (!await findOfficer(login)) await keepOfficer(await make(login));
    return text('web-officer-made');
  });
  form('load-file', async form => {
    await keepOfficer(await fromFile(login, await file(form), field(form, '[data-password]').value, new Date()));
    return text('web-officer-ready');
  });
  form('load-certificate', async form => {
    const key = await findOfficer(login);
    if (!key) throw new Told(text('web-officer-none'));
    await keepOfficer(certified(key, await file(form), new Date()));
    return text('web-officer-ready');
  });
  form('forget', async () => {
    await forgetOfficer(login);
    return text('web-officer-forgotten');
  });
  part('download').addEventListener('click', () => {
    download(`${login}.csr`, new TextEncoder().encode(pem?.value ?? '').buffer, 'application/pkcs10');
  });
  show().catch((error: unknown) => { status.bad(told(error)); });
}

/** Says on a page with decisions whether this browser has the officer's key; without it the decisions cannot be sent. */
export function signing(notes: HTMLElement): void {
  const { login = '' } = notes.dataset;
  const [none, ending] = [notes.querySelector<HTMLElement>('[data-no-key]'), notes.querySelector<HTMLElement>('[data-ending]')];
  const show = async (): Promise<void> => {
    const key = ready(await findOfficer(login), new Date());
    if (none) none.hidden = key !== undefined;
    if (ending) ending.hidden = !key || !isEnding(read(key.certificate), new Date());
    for (const button of document.querySelectorAll<HTMLButtonElement>('form[data-task=officer-sign] button')) button.disabled = key === undefined;
  };
  const look = (): void => { show().catch((error: unknown) => { console.warn(error); }); };
  // The key may come in another tab.
  window.addEventListener('focus', look);
  look();
}

/** Sends a form with the officer's signature under the statement of what it decides. */
export function officerSign(form: HTMLFormElement): void {
  const status = new Status(form);
  onSubmit(form, status, async () => {
    status.busy(text('web-signing'));
    const key = ready(await findOfficer(form.dataset['login'] ?? ''), new Date());
    if (!key) throw new Told(text('web-officer-none'));
    const statement = await statementOf(form);
    // Nothing to sign: the server says why, beside the field that it is about.
    field(form, 'input[name=signature]').value = statement ? await sign(key, statement) : '';
    form.submit();
  });
}

/** The octets that the page has shown, or what the server says of the fields as they are now; nothing if it objects to them. */
async function statementOf(form: HTMLFormElement): Promise<ArrayBuffer | undefined> {
  const shown = form.dataset['statement'];
  if (shown !== undefined) return Uint8Array.from(atob(shown), letter => letter.charCodeAt(0)).buffer;
  const typed = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    // As the form will send it: with CR and LF at the end of a line (HTML, "constructing the entry list").
    if (typeof value === 'string') typed.append(name, value.replace(/\r\n?|\n/g, '\r\n'));
  }
  let answer: Response;
  try {
    answer = await fetch(form.dataset['statementUrl'] ?? '', { method: 'POST', body: typed, cache: 'no-store', redirect: 'manual' });
  } catch {
    throw new Told(text('web-no-connection'));
  }
  return answer.status === 200 ? answer.arrayBuffer() : undefined;
}
