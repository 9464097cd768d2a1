/** Making pictures small: drawn anew on a canvas and written as JPEG. */

export const JPEG = 'image/jpeg';

/** This browser cannot read the picture; another format may work. */
export class PictureUnreadable extends Error {
  override name = 'PictureUnreadable';
}

interface Size {
  width: number;
  height: number;
}

/** The picture made small, on a `ground` where it is clear; the large one, a fifth of a gigabyte for the best cameras, is let go
 * at once. Raises `PictureUnreadable`. */
export async function shrunk(file: Blob, longest: number, ground?: string): Promise<HTMLCanvasElement> {
  let large: ImageBitmap;
  try {
    large = await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch {
    return await shrunkByElement(file, longest, ground);
  }
  try {
    return drawn(large, large, longest, ground);
  } finally {
    large.close();
  }
}

/** Safari reads some pictures (HEIC) only as an element of the page. */
async function shrunkByElement(file: Blob, longest: number, ground?: string): Promise<HTMLCanvasElement> {
  const picture = new Image();
  picture.src = URL.createObjectURL(file);
  try {
    await picture.decode();
    return drawn(picture, { width: picture.naturalWidth, height: picture.naturalHeight }, longest, ground);
  } catch {
    throw new PictureUnreadable(file.type);
  } finally {
    URL.revokeObjectURL(picture.src);
  }
}

/** Drawing anew leaves behind place, time and maker that the camera wrote into the file. */
export function drawn(picture: CanvasImageSource, size: Size, longest: number, ground?: string): HTMLCanvasElement {
  const factor = Math.min(1, longest / Math.max(size.width, size.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(size.width * factor));
  canvas.height = Math.max(1, Math.round(size.height * factor));
  const pen = canvas.getContext('2d');
  if (!pen) throw new PictureUnreadable('no canvas');
  pen.imageSmoothingQuality = 'high';
  if (ground !== undefined) {
    pen.fillStyle = ground;
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** The canvas as the bytes of a JPEG. Raises `PictureUnreadable`. */
export async function encoded(canvas: HTMLCanvasElement, quality: number): Promise<ArrayBuffer> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, JPEG, quality));
  if (!blob) throw new PictureUnreadable('no encoder');
  return await blob.arrayBuffer();
}
