/** How large a face should be on a picture: an oval to look through, and, where the browser finds faces, a word when it is off. */
import { text } from './texts';

/** What the picture is of. */
export type Kind = 'photo' | 'selfie';

/** A place on the picture, in its pixels. */
export interface Box { x: number; y: number; width: number; height: number }

/** Where the face belongs and, on a selfie, the passport's page beside it. */
export interface Guide { face: Box; passport?: Box }

/** A face from crown to chin is about three quarters as wide as high. */
const FACE = 3 / 4;
/** A passport's page with the photo is 125 by 88 mm (ICAO 9303, TD3), held upright as it is read. */
const PAGE = 125 / 88;
/** Of the frame's height: photos for passports want a face of 60 to 80 %. */
const PHOTO = 0.7;
/** A face of this height leaves room for the page. */
const SELFIE = 0.42;
/**
 * Of the oval's height. Detectors draw their box from the brow to the chin, about four fifths of what the oval is for, and
 * nobody has to hit it: a word is said only when an officer would probably say the same.
 */
const [LEAST, MOST] = [0.55, 1.15];

/** The guide for a picture of this size. In a narrow one the width decides. */
export function guide(kind: Kind, width: number, height: number): Guide {
  if (kind === 'photo') {
    const tall = Math.min(height * PHOTO, width * 0.8 / FACE);
    return { face: { x: (width - tall * FACE) / 2, y: (height - tall) / 2, width: tall * FACE, height: tall } };
  }
  // Side by side where there is room, else the page below the face, as arms hold it before a phone that stands upright.
  if (width >= height) {
    const tall = Math.min(height * SELFIE, width * 0.4 / FACE);
    const wide = Math.min(width * 0.4, height * 0.6);
    return {
      face: { x: width * 0.28 - tall * FACE / 2, y: height * 0.45 - tall / 2, width: tall * FACE, height: tall },
      passport: { x: width * 0.75 - wide / 2, y: height * 0.5 - wide / PAGE / 2, width: wide, height: wide / PAGE },
    };
  }
  const tall = Math.min(height * SELFIE, width * 0.7 / FACE);
  const wide = Math.min(width * 0.6, height * 0.3 * PAGE);
  return {
    face: { x: (width - tall * FACE) / 2, y: height * 0.32 - tall / 2, width: tall * FACE, height: tall },
    passport: { x: (width - wide) / 2, y: height * 0.76 - wide / PAGE / 2, width: wide, height: wide / PAGE },
  };
}

/** Draws the guide over a picture of this size. Each line twice, dark and light: it is seen on any picture. */
export function drawGuide(svg: SVGSVGElement, width: number, height: number): void {
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const { face, passport } = guide(kindOf(svg), width, height);
  const shapes = ['casing', 'line'].flatMap(look => [
    shape('ellipse', look, { cx: face.x + face.width / 2, cy: face.y + face.height / 2, rx: face.width / 2, ry: face.height / 2 }),
    ...(passport ? [shape('rect', look, { ...passport, rx: passport.height / 20 })] : []),
  ]);
  svg.replaceChildren(...shapes);
}

/** What the picture is of, as the template says. */
export function kindOf(svg: SVGSVGElement): Kind {
  return svg.dataset['guide'] === 'selfie' ? 'selfie' : 'photo';
}

function shape(name: string, look: string, places: Record<string, number>): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  made.setAttribute('class', look);
  for (const [place, value] of Object.entries(places)) made.setAttribute(place, value.toFixed(1));
  return made;
}

/** The Shape Detection API, which some browsers have and TypeScript's library has not. */
interface FaceDetector { detect(picture: CanvasImageSource): Promise<{ boundingBox: Box }[]> }
type FaceDetectorMaker = new (options: { maxDetectedFaces: number }) => FaceDetector;

/**
 * What is wrong with the size of the face, if this browser can tell. Never a failure: a browser may have the interface and no
 * detector behind it, and then says so only when it is asked.
 */
export async function faceHint(kind: Kind, picture: HTMLCanvasElement): Promise<string | undefined> {
  const { FaceDetector: Maker } = globalThis as { FaceDetector?: FaceDetectorMaker };
  if (!Maker) return undefined;
  try {
    // On a selfie the passport's photo is a face as well.
    const faces = await new Maker({ maxDetectedFaces: 4 }).detect(picture);
    return objection(kind, faces.map(face => face.boundingBox), picture.width, picture.height);
  } catch {
    return undefined;
  }
}

/** The words for these faces; none if the largest is of a good size. */
export function objection(kind: Kind, faces: Box[], width: number, height: number): string | undefined {
  if (faces.length === 0) return text('web-face-none');
  const share = Math.max(...faces.map(face => face.height)) / guide(kind, width, height).face.height;
  if (share < LEAST) return text('web-face-small');
  if (share > MOST) return text('web-face-large');
  return undefined;
}
