/** Looking closely at a picture: the wheel or + and - enlarge it, dragging or the arrows move it, 0 puts it back. */

const STEP = 1.25;
const LARGEST = 8;
const MOVE = 40;

/** Makes a picture one to look at closely. */
export function attachZoom(image: HTMLImageElement): void {
  let [scale, x, y] = [1, 0, 0];
  image.tabIndex = 0;
  const show = (): void => {
    if (scale <= 1) [scale, x, y] = [1, 0, 0];
    image.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    image.style.cursor = scale > 1 ? 'grab' : 'zoom-in';
  };
  const enlarge = (by: number): void => { scale = Math.min(LARGEST, Math.max(1, scale * by)); show(); };
  const move = (dx: number, dy: number): void => { if (scale > 1) { x += dx; y += dy; show(); } };
  image.addEventListener('wheel', event => { event.preventDefault(); enlarge(event.deltaY < 0 ? STEP : 1 / STEP); }, { passive: false });
  image.addEventListener('click', event => { event.preventDefault(); if (scale === 1) enlarge(2); });
  image.addEventListener('pointerdown', event => { if (scale > 1) { event.preventDefault(); image.setPointerCapture(event.pointerId); } });
  image.addEventListener('pointermove', event => { if (image.hasPointerCapture(event.pointerId)) move(event.movementX, event.movementY); });
  image.addEventListener('keydown', event => {
    const does: Record<string, () => void> = {
      '+': () => { enlarge(STEP); }, '=': () => { enlarge(STEP); }, '-': () => { enlarge(1 / STEP); }, '0': () => { scale = 1; show(); },
      ArrowLeft: () => { move(MOVE, 0); }, ArrowRight: () => { move(-MOVE, 0); }, ArrowUp: () => { move(0, MOVE); }, ArrowDown: () => { move(0, -MOVE); },
    };
    const act = does[event.key];
    if (!act || (scale === 1 && event.key.startsWith('Arrow'))) return;
    event.preventDefault();
    act();
  });
  show();
}
