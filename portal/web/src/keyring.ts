/**
 * The keys of this device in the browser's own databases (IndexedDB): those of applicants encrypted, by the application they were
 * made for; those of officers as keys that nothing can read, by login.
 */

/** A key that waits for its certificate, or has it. */
export interface StoredKey {
  /** The application's name. */
  application: string;
  /** EncryptedPrivateKeyInfo, DER. */
  encrypted: ArrayBuffer;
  /** SubjectPublicKeyInfo, DER. */
  spki: ArrayBuffer;
  createdAt: string;
  /** The file in `DSKEYS`, once there is one. */
  fileName?: string;
  /** Its password was made by a counter's page: the owner replaces it when the key is saved. */
  generated?: boolean;
  /** Where that file is, if the browser lets us write there again. */
  folder?: FileSystemDirectoryHandle;
}

/** An officer's key. */
export interface OfficerKey {
  login: string;
  /** Not extractable. */
  privateKey: CryptoKey;
  /** SubjectPublicKeyInfo, DER. */
  spki: ArrayBuffer;
  /** DER, once there is one. */
  certificate?: ArrayBuffer;
}

interface Place { name: string; store: string; keyPath: string }

const APPLICANTS: Place = { name: 'muhr', store: 'keys', keyPath: 'application' };
/** A database of its own: pages that have the other one open do not hold this one up. */
const OFFICERS: Place = { name: 'muhr-officers', store: 'keys', keyPath: 'login' };

function request<T>(asked: IDBRequest<T>): Promise<T> {
  return new Promise((found, failed) => {
    asked.onsuccess = () => { found(asked.result); };
    asked.onerror = () => { failed(asked.error ?? new Error('IndexedDB')); };
  });
}

async function objects({ name, store, keyPath }: Place, mode: IDBTransactionMode): Promise<IDBObjectStore> {
  const opening = indexedDB.open(name, 1);
  opening.onupgradeneeded = () => { opening.result.createObjectStore(store, { keyPath }); };
  return (await request(opening)).transaction(store, mode, { durability: 'strict' }).objectStore(store);
}

async function get<T>(place: Place, key: string): Promise<T | undefined> {
  return request((await objects(place, 'readonly')).get(key) as IDBRequest<T | undefined>);
}

/** Changes what is there, and is done when that is on the disk. */
async function change(place: Place, command: (objects: IDBObjectStore) => void): Promise<void> {
  const store = await objects(place, 'readwrite');
  const written = new Promise<void>((done, failed) => {
    store.transaction.oncomplete = () => { done(); };
    store.transaction.onabort = () => { failed(store.transaction.error ?? new Error('IndexedDB')); };
  });
  command(store);
  await written;
}

/** The key of an application, if it was made on this device. */
export async function find(application: string): Promise<StoredKey | undefined> {
  return get(APPLICANTS, application);
}

/** Keeps a key; asks the browser not to throw it away when it needs room. Done when it is on the disk. */
export async function keep(key: StoredKey): Promise<void> {
  await navigator.storage.persist().catch(() => false);
  await change(APPLICANTS, keys => { keys.put(key); });
}

/** An officer's key, if this browser has it. */
export async function findOfficer(login: string): Promise<OfficerKey | undefined> {
  return get(OFFICERS, login);
}

/** Keeps an officer's key in the place of the one before, with the same care. */
export async function keepOfficer(key: OfficerKey): Promise<void> {
  await navigator.storage.persist().catch(() => false);
  await change(OFFICERS, keys => { keys.put(key); });
}

/** Forgets an officer's key: it is nowhere else. */
export async function forgetOfficer(login: string): Promise<void> {
  await change(OFFICERS, keys => { keys.delete(login); });
}

/** One tab at a time makes or changes the key of an application (Web Locks). */
export async function alone<T>(application: string, work: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`muhr-key-${application}`, work) as Promise<T>;
}
