// How large a face should be: the oval for every shape of picture, and what is said when a face is off.
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { type Box, type Kind, faceHint, guide, objection } from '../src/face';

/** A webcam, a phone upright, a square, a phone's tall screen, a panorama. */
const pictures = [[640, 480], [1536, 2048], [600, 600], [1080, 2340], [3000, 800]] as const;
const kinds: Kind[] = ['photo', 'selfie'];

// The words themselves are on the page; without one, a text is its key.
Object.assign(globalThis, { document: { getElementById: () => null } });
afterEach(() => { Reflect.deleteProperty(globalThis, 'FaceDetector'); });

function inside(box: Box, width: number, height: number): boolean {
  return box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
}

function apart(one: Box, other: Box): boolean {
  return one.x + one.width <= other.x || other.x + other.width <= one.x || one.y + one.height <= other.y || other.y + other.height <= one.y;
}

test('a photo has an oval of 60 to 80 % of its height, less only where it is too narrow for a face', () => {
  for (const [width, height] of pictures) {
    const { face, passport } = guide('photo', width, height);
    assert.equal(passport, undefined);
    assert.ok(inside(face, width, height));
    const share = face.height / height;
    assert.ok((share >= 0.6 && share <= 0.8) || face.width > 0.79 * width, `${width} x ${height}: ${share}`);
  }
});

test('a selfie has a smaller oval and a page apart from it', () => {
  for (const [width, height] of pictures) {
    const { face, passport } = guide('selfie', width, height);
    assert.ok(passport);
    assert.ok(inside(face, width, height) && inside(passport, width, height), `${width} x ${height}`);
    assert.ok(apart(face, passport), `${width} x ${height}`);
    assert.ok(face.height < guide('photo', width, height).face.height);
  }
});

/** A face of this share of the oval's height. */
function face(kind: Kind, share: number): Box {
  const tall = guide(kind, 640, 480).face.height * share;
  return { x: 10, y: 10, width: tall * 0.8, height: tall };
}

test('a face that fills the oval is fine, one that does not is told so', () => {
  for (const kind of kinds) {
    assert.equal(objection(kind, [face(kind, 0.8)], 640, 480), undefined);
    assert.equal(objection(kind, [face(kind, 0.4)], 640, 480), 'web-face-small');
    assert.equal(objection(kind, [face(kind, 1.3)], 640, 480), 'web-face-large');
    assert.equal(objection(kind, [], 640, 480), 'web-face-none');
  }
});

test('the photo in the passport is not taken for the face', () => {
  assert.equal(objection('selfie', [face('selfie', 0.2), face('selfie', 0.9)], 640, 480), undefined);
});

test('a browser without a detector, or with one that fails, says nothing', async () => {
  const picture = { width: 640, height: 480 } as HTMLCanvasElement;
  const detector = (detect: () => Promise<{ boundingBox: Box }[]>): void => {
    Object.assign(globalThis, { FaceDetector: class { detect = detect; } });
  };
  assert.equal(await faceHint('photo', picture), undefined);
  detector(() => Promise.reject(new DOMException('no service behind it', 'NotSupportedError')));
  assert.equal(await faceHint('photo', picture), undefined);
  Object.assign(globalThis, { FaceDetector: function () { throw new TypeError('not here'); } });
  assert.equal(await faceHint('photo', picture), undefined);
  detector(() => Promise.resolve([{ boundingBox: face('photo', 0.3) }]));
  assert.equal(await faceHint('photo', picture), 'web-face-small');
});
