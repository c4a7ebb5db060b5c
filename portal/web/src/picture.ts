/** Pictures before they are sent: taken or chosen, turned and cut, looked at for what makes officers hand them back. */
import { drawGuide, faceHint, kindOf } from './face';
import { Status, Told, text, words } from './texts';

/** Enough to read a passport's page; more only makes it slow. Pixels of the longer side. */
const LONGEST = 3000;
/** The API takes 5 MiB. */
const LARGEST = 4.5 * 1024 * 1024;
/** Fewer pixels on the shorter side show too little of a face. */
const SHORTEST = 600;

/** A drag over less of the picture is a slip of the hand. */
const LEAST_KEPT = 0.1;

interface View { turns: number; top: number; right: number; bottom: number; left: number }

/** Gives a form with a file input camera, preview, rotation, cropping and hints. */
export function attachPicture(form: HTMLFormElement): void {
  const input = form.querySelector<HTMLInputElement>('input[type=file]');
  const canvas = form.querySelector<HTMLCanvasElement>('[data-preview]');
  const editor = form.querySelector<HTMLElement>('[data-editor]');
  if (!input || !canvas || !editor) return;
  const status = new Status(form);
  const view: View = { turns: 0, top: 0, right: 0, bottom: 0, left: 0 };
  const guide = editor.querySelector<SVGSVGElement>('[data-guide]');
  let bitmap: ImageBitmap | undefined;
  let drawn = 0;

  const redraw = async (): Promise<void> => {
    if (!bitmap) return;
    const now = drawn += 1;
    draw(canvas, bitmap, view);
    if (guide) drawGuide(guide, canvas.width, canvas.height);
    const hints = objections(canvas);
    say(form, hints);
    hand(input, await encoded(canvas));
    const face = guide && await faceHint(kindOf(guide), canvas);
    // Whoever turns and cuts quickly is told about the picture that they see.
    if (face && now === drawn) say(form, [...hints, face]);
  };
  const load = async (file: Blob): Promise<void> => {
    status.clear();
    editor.hidden = true;
    bitmap?.close();
    bitmap = await read(file);
    Object.assign(view, { turns: 0, top: 0, right: 0, bottom: 0, left: 0 });
    for (const range of form.querySelectorAll<HTMLInputElement>('[data-crop]')) range.value = '0';
    editor.hidden = false;
    await redraw();
  };
  const attempt = (work: Promise<void>): void => {
    work.catch((error: unknown) => { input.value = ''; status.bad(words(error)); });
  };

  input.addEventListener('change', () => {
    const [file] = input.files ?? [];
    if (file) attempt(load(file));
  });
  for (const button of form.querySelectorAll<HTMLButtonElement>('[data-rotate]')) {
    button.addEventListener('click', () => {
      view.turns = (view.turns + (button.dataset['rotate'] === 'left' ? 3 : 1)) % 4;
      attempt(redraw());
    });
  }
  for (const range of form.querySelectorAll<HTMLInputElement>('[data-crop]')) {
    range.addEventListener('change', () => {
      view[range.dataset['crop'] as 'top' | 'right' | 'bottom' | 'left'] = Number(range.value) / 100;
      attempt(redraw());
    });
  }
  crop(canvas, kept => {
    // A part of what is shown: the edges that are off already stay off.
    const [width, height] = [1 - view.left - view.right, 1 - view.top - view.bottom];
    view.left += kept.left * width;
    view.right += kept.right * width;
    view.top += kept.top * height;
    view.bottom += kept.bottom * height;
    for (const range of form.querySelectorAll<HTMLInputElement>('[data-crop]')) {
      range.value = String(Math.round(view[range.dataset['crop'] as 'top' | 'right' | 'bottom' | 'left'] * 100));
    }
    attempt(redraw());
  });
  camera(form, file => { attempt(load(file)); }, error => { status.bad(words(error)); });
}

/** Any size and any type that this browser reads, its pixels as they are meant to stand (Exif orientation). */
async function read(file: Blob): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch {
    const head = new TextDecoder('latin1').decode(await file.slice(0, 16).arrayBuffer());
    throw new Told(text(/ftyp(heic|heix|mif1|msf1|hevc)/.test(head) ? 'web-picture-heic' : 'web-picture-unreadable'));
  }
}

function draw(canvas: HTMLCanvasElement, bitmap: ImageBitmap, view: View): void {
  const upright = view.turns % 2 === 0;
  const [width, height] = upright ? [bitmap.width, bitmap.height] : [bitmap.height, bitmap.width];
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale * (1 - view.left - view.right)));
  canvas.height = Math.max(1, Math.round(height * scale * (1 - view.top - view.bottom)));
  const brush = canvas.getContext('2d', { willReadFrequently: true });
  if (!brush) throw new Told(text('web-failed'));
  brush.translate(-width * scale * view.left, -height * scale * view.top);
  brush.translate(width * scale / 2, height * scale / 2);
  brush.rotate(view.turns * Math.PI / 2);
  brush.drawImage(bitmap, -bitmap.width * scale / 2, -bitmap.height * scale / 2, bitmap.width * scale, bitmap.height * scale);
}

async function encoded(canvas: HTMLCanvasElement): Promise<Blob> {
  for (const quality of [0.92, 0.8, 0.65, 0.5]) {
    const blob = await new Promise<Blob | null>(done => { canvas.toBlob(done, 'image/jpeg', quality); });
    if (blob && blob.size <= LARGEST) return blob;
  }
  throw new Told(text('web-picture-large'));
}

/** Puts the picture where the form sends it from. */
function hand(input: HTMLInputElement, picture: Blob): void {
  const transfer = new DataTransfer();
  transfer.items.add(new File([picture], 'picture.jpg', { type: 'image/jpeg' }));
  input.files = transfer.files;
}

type Edges = Omit<View, 'turns'>;

/** A drag over the preview keeps what it went over; the ranges beside it do the same for those who do not drag. */
function crop(canvas: HTMLCanvasElement, keep: (edges: Edges) => void): void {
  const frame = document.createElement('div');
  frame.className = 'frame';
  frame.hidden = true;
  canvas.after(frame);
  let from: { x: number; y: number } | undefined;
  const place = (event: PointerEvent): { x: number; y: number } => {
    const box = canvas.getBoundingClientRect();
    const inside = (value: number, size: number): number => Math.min(1, Math.max(0, value / size));
    return { x: inside(event.clientX - box.left, box.width), y: inside(event.clientY - box.top, box.height) };
  };
  const edges = (to: { x: number; y: number }): Edges => {
    const start = from ?? to;
    return { left: Math.min(start.x, to.x), right: 1 - Math.max(start.x, to.x), top: Math.min(start.y, to.y), bottom: 1 - Math.max(start.y, to.y) };
  };
  canvas.addEventListener('pointerdown', event => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    from = place(event);
  });
  canvas.addEventListener('pointermove', event => {
    if (!from) return;
    const { left, top, right, bottom } = edges(place(event));
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = canvas;
    frame.style.left = `${offsetLeft + left * offsetWidth}px`;
    frame.style.top = `${offsetTop + top * offsetHeight}px`;
    frame.style.width = `${(1 - left - right) * offsetWidth}px`;
    frame.style.height = `${(1 - top - bottom) * offsetHeight}px`;
    frame.hidden = false;
  });
  const end = (event: PointerEvent): void => {
    const kept = from && edges(place(event));
    from = undefined;
    frame.hidden = true;
    // Whoever only taps has not chosen anything.
    if (kept && event.type === 'pointerup' && 1 - kept.left - kept.right > LEAST_KEPT && 1 - kept.top - kept.bottom > LEAST_KEPT) keep(kept);
  };
  canvas.addEventListener('pointerup', end);
  canvas.addEventListener('pointercancel', end);
}

/** What will probably be objected to. Nothing is forbidden here: an officer decides. */
function objections(canvas: HTMLCanvasElement): string[] {
  const hints: string[] = [];
  if (Math.min(canvas.width, canvas.height) < SHORTEST) hints.push(text('web-picture-small', { width: canvas.width, height: canvas.height }));
  const { brightness, sharpness } = measure(canvas);
  if (brightness < 60) hints.push(text('web-picture-dark'));
  if (brightness > 225) hints.push(text('web-picture-bright'));
  if (sharpness < 40) hints.push(text('web-picture-blurred'));
  return hints;
}

function say(form: HTMLFormElement, hints: string[]): void {
  form.querySelector('[data-hints]')?.replaceChildren(...hints.map(words => Object.assign(document.createElement('li'), { textContent: words })));
}

/** Mean lightness (0 to 255) and the variance of the Laplacian, the usual measure of focus, at 320 pixels' width. */
function measure(canvas: HTMLCanvasElement): { brightness: number; sharpness: number } {
  const width = Math.min(320, canvas.width);
  const height = Math.max(1, Math.round(canvas.height * width / canvas.width));
  const small = new OffscreenCanvas(width, height);
  const brush = small.getContext('2d');
  if (!brush) return { brightness: 128, sharpness: 1000 };
  brush.drawImage(canvas, 0, 0, width, height);
  const { data } = brush.getImageData(0, 0, width, height);
  const grey = Array.from({ length: width * height }, (_, n) =>
    0.299 * (data[n * 4] ?? 0) + 0.587 * (data[n * 4 + 1] ?? 0) + 0.114 * (data[n * 4 + 2] ?? 0));
  const brightness = grey.reduce((sum, value) => sum + value, 0) / grey.length;
  let [sum, squares, count] = [0, 0, 0];
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 1; x < width - 1; x += 1) {
      const at = (dx: number, dy: number): number => grey[(y + dy) * width + x + dx] ?? 0;
      const edge = 4 * at(0, 0) - at(1, 0) - at(-1, 0) - at(0, 1) - at(0, -1);
      sum += edge;
      squares += edge * edge;
      count += 1;
    }
  }
  return { brightness, sharpness: count ? squares / count - (sum / count) ** 2 : 0 };
}

function camera(form: HTMLFormElement, taken: (file: Blob) => void, failed: (error: unknown) => void): void {
  const button = form.querySelector<HTMLButtonElement>('[data-camera]');
  const finder = form.querySelector<HTMLElement>('[data-viewfinder]');
  const video = finder?.querySelector('video');
  // Only there in a secure context, and in browsers that have it.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (!button || !finder || !video || !devices) return;
  button.hidden = false;
  let stream: MediaStream | undefined;
  const close = (): void => {
    for (const track of stream?.getTracks() ?? []) track.stop();
    video.srcObject = null;
    finder.hidden = true;
    button.focus();
  };
  button.addEventListener('click', () => {
    devices.getUserMedia({ video: { width: { ideal: 1920 }, facingMode: 'user' } }).then(async opened => {
      stream = opened;
      video.srcObject = opened;
      finder.hidden = false;
      await video.play();
      const guide = finder.querySelector<SVGSVGElement>('[data-guide]');
      if (guide) drawGuide(guide, video.videoWidth, video.videoHeight);
      finder.querySelector<HTMLButtonElement>('[data-capture]')?.focus();
    }).catch((error: unknown) => {
      close();
      failed(error instanceof DOMException && error.name === 'NotAllowedError' ? new Told(text('web-camera-refused')) : new Told(text('web-camera-missing')));
    });
  });
  finder.querySelector('[data-camera-close]')?.addEventListener('click', close);
  finder.querySelector('[data-capture]')?.addEventListener('click', () => {
    const still = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    still.getContext('2d')?.drawImage(video, 0, 0);
    close();
    still.convertToBlob({ type: 'image/jpeg', quality: 0.95 }).then(taken, failed);
  });
}
