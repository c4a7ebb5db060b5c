/** The keys of this device: encrypted, by the application they were made for, in the browser's own database (IndexedDB). */

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

function request<T>(asked: IDBRequest<T>): Promise<T> {
  return new Promise((found, failed) => {
    asked.onsuccess = () => { found(asked.result); };
    asked.onerror = () => { failed(asked.error ?? new Error('IndexedDB')); };
  });
}

async function database(): Promise<IDBDatabase> {
  const opening = indexedDB.open('muhr', 1);
  opening.onupgradeneeded = () => { opening.result.createObjectStore('keys', { keyPath: 'application' }); };
  return request(opening);
}

/** The key of an application, if it was made on this device. */
export async function find(application: string): Promise<StoredKey | undefined> {
  const keys = (await database()).transaction('keys').objectStore('keys');
  return request(keys.get(application) as IDBRequest<StoredKey | undefined>);
}

/** Keeps a key; asks the browser not to throw it away when it needs room. Done when it is on the disk. */
export async function keep(key: StoredKey): Promise<void> {
  await navigator.storage.persist().catch(() => false);
  const transaction = (await database()).transaction('keys', 'readwrite', { durability: 'strict' });
  const written = new Promise<void>((done, failed) => {
    transaction.oncomplete = () => { done(); };
    transaction.onabort = () => { failed(transaction.error ?? new Error('IndexedDB')); };
  });
  transaction.objectStore('keys').put(key);
  await written;
}

/** One tab at a time makes or changes the key of an application (Web Locks). */
export async function alone<T>(application: string, work: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`muhr-key-${application}`, work) as Promise<T>;
}
