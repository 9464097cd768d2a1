/** Tone and vibration by level while the app is open; the browser allows both only after the first tap. */
import type { Colour } from '../types';

let context: AudioContext | null = null;

const PATTERNS: Record<Colour | 'none', { buzz: number[]; beeps: number; pitch: number }> = {
  red: { buzz: [600, 200, 600, 200, 600, 200, 600], beeps: 6, pitch: 960 },
  orange: { buzz: [500, 200, 500, 200, 500], beeps: 4, pitch: 880 },
  yellow: { buzz: [400, 200, 400], beeps: 3, pitch: 780 },
  blue: { buzz: [300, 200, 300], beeps: 2, pitch: 700 },
  none: { buzz: [300], beeps: 2, pitch: 700 },
};

/** Call once at start: the first tap anywhere unlocks sound. */
export function unlockSound(): void {
  const unlock = (): void => {
    context ??= new AudioContext();
    void context.resume();
  };
  addEventListener('pointerdown', unlock, { once: true });
  addEventListener('keydown', unlock, { once: true });
}

export function ring(level: Colour | 'none', critical: boolean): void {
  const { buzz, beeps, pitch } = PATTERNS[level];
  if (navigator.userActivation?.hasBeenActive !== false) navigator.vibrate?.(critical ? [...buzz, 400, ...buzz] : buzz);
  if (context?.state !== 'running') return;
  const start = context.currentTime;
  for (let n = 0; n < beeps; n++) beep(context, start + n * 0.35, n % 2 ? pitch * 0.8 : pitch);
}

function beep(audio: AudioContext, at: number, pitch: number): void {
  const tone = audio.createOscillator();
  const loudness = audio.createGain();
  tone.type = 'square';
  tone.frequency.value = pitch;
  loudness.gain.setValueAtTime(0, at);
  loudness.gain.linearRampToValueAtTime(0.25, at + 0.02);
  loudness.gain.setValueAtTime(0.25, at + 0.2);
  loudness.gain.linearRampToValueAtTime(0, at + 0.25);
  tone.connect(loudness).connect(audio.destination);
  tone.start(at);
  tone.stop(at + 0.26);
}
