/** Key files on drives: `DSKEYS/DS<number><NNNN>.pfx`, written through the File System Access API or, without it, downloaded. */
import { isSame } from './asn1';
import { Told, text, words } from './texts';

/** The folder that deployed clients look into. */
const DSKEYS = 'DSKEYS';

/** This browser writes into folders that a person chooses. */
export function canPick(): boolean {
  return typeof window.showDirectoryPicker === 'function';
}

/** Asks for a drive or folder. */
export async function pick(): Promise<FileSystemDirectoryHandle> {
  return window.showDirectoryPicker({ id: 'dskeys', mode: 'readwrite', startIn: 'desktop' });
}

/** May we (still) write there? The browser may ask the person again. */
export async function allowed(folder: FileSystemDirectoryHandle): Promise<boolean> {
  const mode = { mode: 'readwrite' } as const;
  return await folder.queryPermission(mode) === 'granted' || await folder.requestPermission(mode) === 'granted';
}

async function dskeys(folder: FileSystemDirectoryHandle): Promise<FileSystemDirectoryHandle> {
  return folder.name.toUpperCase() === DSKEYS ? folder : folder.getDirectoryHandle(DSKEYS, { create: true });
}

/** The first name that no file there has: running numbers from 0001. Nobody's key is written over. */
export async function freeName(folder: FileSystemDirectoryHandle, owner: string): Promise<string> {
  const taken = new Set<string>();
  for await (const name of (await dskeys(folder)).keys()) taken.add(name.toLowerCase());
  for (let number = 1; number <= 9999; number += 1) {
    const name = `DS${owner}${String(number).padStart(4, '0')}.pfx`;
    if (!taken.has(name.toLowerCase())) return name;
  }
  throw new Told(text('web-folder-full'));
}

/**
 * Is this the file of that key? The certificate in it is not encrypted. A folder is known by its path, and at the path of one
 * drive there may be another one today.
 */
export async function holds(folder: FileSystemDirectoryHandle, name: string, spki: ArrayBuffer): Promise<boolean> {
  try {
    const content = new Uint8Array(await (await (await (await dskeys(folder)).getFileHandle(name)).getFile()).arrayBuffer());
    const sought = new Uint8Array(spki);
    return content.some((_, at) => sought.every((octet, index) => content[at + index] === octet));
  } catch {
    return false;
  }
}

/**
 * Writes the file and reads it back. It is written beside and put in its place when it is whole: a drive that is pulled out
 * leaves the old file or none, never half of one.
 */
export async function write(folder: FileSystemDirectoryHandle, name: string, content: ArrayBuffer): Promise<void> {
  const place = await dskeys(folder);
  const file = await place.getFileHandle(name, { create: true });
  try {
    await fill(file, content);
  } catch (error) {
    // The name was taken with an empty file, which clients would list as a broken key.
    const { size } = await file.getFile().catch(() => ({ size: -1 }));
    if (size === 0) await place.removeEntry(name).catch(() => undefined);
    throw error;
  }
}

/** The browser writes beside the file and puts it in its place when it is closed. */
async function fill(file: FileSystemFileHandle, content: ArrayBuffer): Promise<void> {
  const stream = await file.createWritable({ keepExistingData: false });
  try {
    await stream.write(content);
  } catch (error) {
    await stream.abort().catch(() => undefined);
    throw error;
  }
  await stream.close();
  const back = await (await file.getFile()).arrayBuffer();
  if (!isSame(back, content)) throw new Told(text('web-not-the-same', { file: file.name }));
}

/**
 * Asks where the file goes, as what it replaces is in a place that only its owner knows, and writes it there: its name. Nothing
 * if this browser does not ask, or not so long after the button was pressed; then there are the downloads. The browser empties
 * a file that is chosen to be replaced before anything is written, so the content has to be whole and checked by now.
 */
export async function saveAs(name: string, content: ArrayBuffer): Promise<string | undefined> {
  if (typeof window.showSaveFilePicker !== 'function') return undefined;
  let file;
  try {
    file = await window.showSaveFilePicker({ id: 'dskeys', suggestedName: name, types: [{ accept: { 'application/x-pkcs12': ['.pfx', '.p12'] } }] });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'SecurityError') return undefined;
    throw error;
  }
  try {
    await fill(file, content);
  } catch (error) {
    // The file that was there is empty now, and this is the only copy of the key.
    download(name, content);
    throw new Told(`${words(error)} ${text('web-password-changed', { file: name })}`);
  }
  return file.name;
}

/** Hands the file to the browser's downloads. */
export function download(name: string, content: ArrayBuffer, type = 'application/x-pkcs12'): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => { URL.revokeObjectURL(link.href); }, 60_000);
}

/** The button that chooses a folder, if this browser can; what was chosen is in `folder`. */
export class Picker {
  folder: FileSystemDirectoryHandle | undefined;

  constructor(within: Element, failed: (error: unknown) => void) {
    const button = within.querySelector<HTMLButtonElement>('[data-pick-folder]');
    const shown = within.querySelector<HTMLElement>('[data-folder]');
    const note = within.querySelector<HTMLElement>('[data-no-picker]');
    if (note) note.hidden = canPick();
    if (shown && !canPick()) shown.hidden = true;
    if (!button || !canPick()) return;
    button.hidden = false;
    button.addEventListener('click', () => {
      pick().then(folder => {
        this.folder = folder;
        if (shown) shown.textContent = folder.name.toUpperCase() === DSKEYS ? folder.name : `${folder.name || '/'} › ${DSKEYS}`;
      }).catch((error: unknown) => {
        // Whoever closes the window of the choice has changed their mind.
        if (!(error instanceof DOMException && error.name === 'AbortError')) failed(error);
      });
    });
  }
}
