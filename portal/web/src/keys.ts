/** What pages with keys do: each element with `data-task` gets its task. See `web/README.md` for what it has to contain. */
import { isSame } from './asn1';
import * as folders from './folder';
import * as keyFile from './key_file';
import { ITERATIONS, type Key, WrongPassword, decrypt, encrypt, make, open, remake } from './key_pair';
import { type StoredKey, alone, find, keep } from './keyring';
import { officerKey, officerSign, signing } from './officer';
import * as passwords from './password';
import { sign } from './signed_data';
import { Status, Told, text } from './texts';
import { field, onSubmit, told } from './work';

/** What guessing costs in a file that several programs have to open. */
const FILE_ITERATIONS = 100_000;

/** Makes a key, keeps it, writes it where its owner said, and sends the request for its certificate. */
function makeKey(form: HTMLFormElement): void {
  const status = new Status(form);
  const picker = new folders.Picker(form, error => { status.bad(told(error)); });
  const application = form.dataset['application'] ?? '';
  passwords.watch(form);
  const existing = form.querySelector<HTMLElement>('[data-existing-key]');
  const repeated = form.querySelector<HTMLInputElement>('[data-password-again]');
  const offer = (): void => {
    if (existing) existing.hidden = false;
    // Its password is known already, so once is enough.
    if (repeated) repeated.required = false;
  };
  find(application).then(key => { if (key) offer(); }).catch(() => undefined);
  const generated = form.querySelector<HTMLInputElement>('[data-generated]');
  onSubmit(form, status, () => alone(application, async () => {
    const password = generated ? passwords.generate() : field(form, '[data-password]').value;
    status.busy(text('web-making'));
    const name = form.dataset['commonName'] ?? '';
    // A key with a generated password is never gone on with: its password is on a phone.
    const before = generated ? undefined : await find(application);
    const again = before && await remake(name, before.encrypted, before.spki, password).catch(unlessWrongPassword);
    if (before && !again) {
      // Nobody's key is replaced before they were told of it: another tab may have made it since this page came.
      const isNews = existing?.hidden === true;
      offer();
      if (isNews || repeated?.value === '') throw new WrongPassword('the password of another key');
    }
    if (!again && !generated && passwords.chosen(form) === undefined) throw new Told(text('web-password-rules'));
    const key = again ?? await make(name, password);
    const stored: StoredKey = again
      ? { ...before }
      : { application, encrypted: key.encrypted, spki: key.spki, createdAt: new Date().toISOString(), ...(generated && { generated: true }) };
    // First where it cannot be lost, then the file. From here on it is this key that is gone on with.
    await keep(stored);
    offer();
    const content = await keyFile.write({ encrypted: key.encrypted, certificates: [key.certificate], alias: name }, password);
    Object.assign(stored, await place(picker.folder, form.dataset['ownerNumber'] ?? '', content));
    await keep(stored);
    field(form, 'input[name=csr]').value = key.request;
    if (generated) generated.value = password;
    status.good(text('web-made', { file: stored.fileName ?? '' }));
    form.submit();
  }));
}

function unlessWrongPassword(error: unknown): undefined {
  if (!(error instanceof WrongPassword)) throw error;
}

/** Writes a file under a free name, or downloads it. */
async function place(folder: FileSystemDirectoryHandle | undefined, owner: string, content: ArrayBuffer): Promise<Pick<StoredKey, 'fileName' | 'folder'>> {
  if (!folder) {
    const fileName = `DS${owner}0001.pfx`;
    folders.download(fileName, content);
    return { fileName };
  }
  const fileName = await folders.freeName(folder, owner);
  await folders.write(folder, fileName, content);
  return { fileName, folder };
}

/** The application's key on this device, opened; or the one in the file that was chosen. */
async function opened(within: Element, application: string): Promise<Key> {
  const password = field(within, '[data-password]').value;
  const file = within.querySelector<HTMLInputElement>('[data-pfx]')?.files?.[0];
  if (file) {
    const content = await keyFile.read(await file.arrayBuffer(), password);
    const [own] = content.certificates;
    if (!own) throw new Told(text('web-no-certificate'));
    return open(content.encrypted, password, keyFile.publicKey(own));
  }
  const stored = await find(application);
  if (!stored) {
    const choice = within.querySelector<HTMLElement>('[data-pfx-choice]');
    if (choice) choice.hidden = false;
    throw new Told(text('web-no-key-here'));
  }
  return open(stored.encrypted, password, stored.spki);
}

async function fetched(url: string): Promise<ArrayBuffer> {
  let answer: Response;
  try {
    answer = await fetch(url, { cache: 'no-store', redirect: 'error' });
  } catch {
    throw new Told(text('web-no-connection'));
  }
  if (!answer.ok) throw new Told(text('web-refused'));
  return answer.arrayBuffer();
}

/** Signs the statement of an application with its key and hands it in. */
function signStatement(form: HTMLFormElement): void {
  const status = new Status(form);
  const application = form.dataset['application'] ?? '';
  find(application).then(key => {
    const choice = form.querySelector<HTMLElement>('[data-pfx-choice]');
    if (choice && !key) choice.hidden = false;
  }).catch(() => undefined);
  onSubmit(form, status, async () => {
    status.busy(text('web-signing'));
    const key = await opened(form, application);
    const statement = await fetched(form.dataset['statementUrl'] ?? '');
    field(form, 'input[name=statement_cms]').value = await sign(key, statement);
    form.submit();
  });
}

/** Joins key and certificate in one file, puts it in its place, and shows the server that they belong together. */
function saveKey(section: HTMLElement): void {
  const form = section.querySelector('form');
  if (!form) return;
  const status = new Status(section);
  const picker = new folders.Picker(section, error => { status.bad(told(error)); });
  const { application = '', chainUrl = '', alias = '', ownerNumber = '', receiptUrl = '' } = section.dataset;
  const own = form.querySelector<HTMLFieldSetElement>('[data-new-password]');
  if (own) passwords.watch(own);
  const ask = (generated: boolean): void => {
    if (own) own.hidden = own.disabled = !generated;
  };
  find(application).then(key => { ask(key?.generated === true); }).catch(() => undefined);
  onSubmit(form, status, () => alone(application, async () => {
    status.busy(text('web-saving'));
    const found = await find(application);
    if (!found) throw new Told(text('web-no-key-here'));
    const typed = field(form, '[data-password]').value;
    const pkcs8 = await decrypt(found.encrypted, typed);
    // Whoever was sent a password has one of their own from here on, also in what this browser keeps.
    const password = found.generated === true && own ? passwords.chosen(own) : typed;
    if (password === undefined) throw new Told(text('web-password-rules'));
    const stored: StoredKey = password === typed ? found : { ...found, encrypted: await encrypt(pkcs8, password, ITERATIONS), generated: false };
    const encrypted = await encrypt(pkcs8, password, FILE_ITERATIONS);
    new Uint8Array(pkcs8).fill(0);
    const certificates = keyFile.chain(await fetched(chainUrl), stored.spki);
    if (certificates.length === 0) throw new Told(text('web-other-key'));
    const content = await keyFile.write({ encrypted, certificates, alias }, password);
    // What was written is opened as another program would: only then is it called saved.
    const back = await keyFile.read(content, password);
    const key = await open(back.encrypted, password, stored.spki);
    const { fileName, where } = await saved(picker.folder, stored, ownerNumber, content);
    if (stored !== found) await keep({ ...found, ...await find(application), encrypted: stored.encrypted, generated: false });
    const receipt = await sign(key, await fetched(receiptUrl));
    await handIn(receiptUrl, field(form, 'input[name=csrf]').value, receipt);
    status.good(where ? text('web-saved-eject', { file: fileName, folder: where }) : text('web-saved', { file: fileName }));
  }));
}

/** In the folder that is chosen now or was when the key was made, in the place of the file without a certificate. */
async function saved(
  chosen: FileSystemDirectoryHandle | undefined, stored: StoredKey, owner: string, content: ArrayBuffer,
): Promise<{ fileName: string; where: string }> {
  const before = stored.folder && stored.fileName && await folders.allowed(stored.folder).catch(() => false) ? stored.folder : undefined;
  const folder = chosen ?? before;
  if (!folder) {
    const fileName = stored.fileName ?? `DS${owner}0001.pfx`;
    folders.download(fileName, content);
    return { fileName, where: '' };
  }
  const same = before && stored.fileName && await folder.isSameEntry(before) && await folders.holds(folder, stored.fileName, stored.spki);
  const fileName = same && stored.fileName ? stored.fileName : await folders.freeName(folder, owner);
  await folders.write(folder, fileName, content);
  await keep({ ...stored, folder, fileName });
  return { fileName, where: folder.name || '/' };
}

async function handIn(url: string, csrf: string, receipt: string): Promise<void> {
  const body = new URLSearchParams({ csrf, receipt_cms: receipt });
  const answer = await fetch(url, { method: 'POST', body }).catch(() => undefined);
  if (!answer?.ok) throw new Told(text('web-receipt-refused'));
}

/** Gives a key file another password. Nothing leaves the device. */
function changePassword(form: HTMLFormElement): void {
  const status = new Status(form);
  passwords.watch(form);
  onSubmit(form, status, async () => {
    const password = passwords.chosen(form);
    if (password === undefined) throw new Told(text('web-password-rules'));
    const file = field(form, '[data-pfx]').files?.[0];
    if (!file) throw new Told(text('web-choose-file'));
    status.busy(text('web-saving'));
    const old = field(form, '[data-old-password]').value;
    const content = await keyFile.read(await file.arrayBuffer(), old);
    const pkcs8 = await decrypt(content.encrypted, old);
    const encrypted = await encrypt(pkcs8, password, FILE_ITERATIONS);
    new Uint8Array(pkcs8).fill(0);
    const written = await keyFile.write({ ...content, encrypted }, password);
    const back = await keyFile.read(written, password);
    if (!isSame(back.encrypted, encrypted)) throw new Told(text('web-not-the-same', { file: file.name }));
    const saved = await folders.saveAs(file.name, written).catch((error: unknown) => {
      // Whoever closes the window of the choice has changed their mind: the file is as it was.
      if (error instanceof DOMException && error.name === 'AbortError') return null;
      throw error;
    });
    if (saved === null) { status.clear(); return; }
    if (saved === undefined) folders.download(file.name, written);
    status.good(saved === undefined ? text('web-password-changed', { file: file.name }) : text('web-password-replaced', { file: saved }));
  });
}

/** Reads the serial number of a certificate's file, and asks about that. The file itself stays here. */
function readCertificate(form: HTMLFormElement): void {
  const status = new Status(form);
  const drop = form.querySelector<HTMLElement>('[data-drop]');
  const input = form.querySelector<HTMLInputElement>('[data-certificate-file]');
  if (!drop || !input) return;
  drop.hidden = false;
  const take = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    if (/\.(pfx|p12|key)$/i.test(file.name)) throw new Told(text('web-never-the-key'));
    try {
      field(form, 'input[name=serial]').value = keyFile.serial(await file.arrayBuffer());
    } catch {
      throw new Told(text('web-no-certificate'));
    }
    form.submit();
  };
  const taken = (file: File | undefined): void => {
    take(file).catch((error: unknown) => { input.value = ''; status.bad(told(error)); });
  };
  input.addEventListener('change', () => { taken(input.files?.[0]); });
  drop.addEventListener('dragover', event => { event.preventDefault(); });
  drop.addEventListener('drop', event => {
    event.preventDefault();
    taken(event.dataTransfer?.files[0]);
  });
}

const tasks: Record<string, (element: HTMLElement) => void> = {
  'make-key': element => { if (element instanceof HTMLFormElement) makeKey(element); },
  'sign-statement': element => { if (element instanceof HTMLFormElement) signStatement(element); },
  'save-key': saveKey,
  'change-password': element => { if (element instanceof HTMLFormElement) changePassword(element); },
  'read-certificate': element => { if (element instanceof HTMLFormElement) readCertificate(element); },
  'officer-key': officerKey,
  'officer-sign': element => { if (element instanceof HTMLFormElement) officerSign(element); },
  signing,
};

for (const element of document.querySelectorAll<HTMLElement>('[data-task]')) tasks[element.dataset['task'] ?? '']?.(element);
