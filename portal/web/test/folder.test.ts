// What happens to files when a drive does not do as it should.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeName, holds, write } from '../src/folder';

/** A folder named DSKEYS in memory; `fault` is what its drive does when a file is written. */
function drive(files: Map<string, Uint8Array<ArrayBuffer>>, fault?: DOMException): FileSystemDirectoryHandle {
  const handle = (name: string) => ({
    getFile: () => Promise.resolve(new Blob([files.get(name) ?? new Uint8Array()])),
    createWritable: () => {
      let pending = new Uint8Array();
      return Promise.resolve({
        write: (content: ArrayBuffer) => {
          pending = new Uint8Array(content);
          return fault ? Promise.reject(fault) : Promise.resolve();
        },
        abort: () => Promise.resolve(),
        close: () => { files.set(name, pending); return Promise.resolve(); },
      });
    },
  });
  const folder = {
    name: 'DSKEYS',
    keys: () => files.keys(),
    getFileHandle: (name: string, options?: { create?: boolean }) => {
      if (!files.has(name)) {
        if (!options?.create) return Promise.reject(new DOMException('', 'NotFoundError'));
        files.set(name, new Uint8Array());
      }
      return Promise.resolve(handle(name));
    },
    removeEntry: (name: string) => { files.delete(name); return Promise.resolve(); },
  };
  return folder as unknown as FileSystemDirectoryHandle;
}

const content = Uint8Array.of(1, 2, 3, 4, 5);

test('the smallest free number is taken, whatever the letters of the other names', async () => {
  const files = new Map(['DS3012345670001.pfx', 'ds3012345670002.PFX', 'DS3012345670004.pfx'].map(name => [name, content]));
  assert.equal(await freeName(drive(files), '301234567'), 'DS3012345670003.pfx');
});

test('a drive that is pulled or full leaves no file under the name, and the old one as it was', async () => {
  for (const name of ['NotFoundError', 'QuotaExceededError']) {
    const files = new Map([['old.pfx', content]]);
    const broken = drive(files, new DOMException('', name));
    await assert.rejects(write(broken, 'new.pfx', content.buffer), { name });
    await assert.rejects(write(broken, 'old.pfx', Uint8Array.of(9).buffer), { name });
    assert.deepEqual([...files], [['old.pfx', content]]);
  }
});

test('only the file of the same key is taken for it', async () => {
  const files = new Map([['a.pfx', content]]);
  assert.equal(await holds(drive(files), 'a.pfx', Uint8Array.of(3, 4).buffer), true);
  assert.equal(await holds(drive(files), 'a.pfx', Uint8Array.of(4, 3).buffer), false);
  assert.equal(await holds(drive(files), 'b.pfx', Uint8Array.of(3, 4).buffer), false);
});
