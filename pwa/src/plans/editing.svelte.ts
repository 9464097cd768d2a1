/** One text being edited: kept on this device at every pause, checked by the server after it, saved as a draft version. */
import { desk } from '../i18n/desk';
import {
  check,
  dropUnsaved,
  findingsOf,
  keepUnsaved,
  newestText,
  save,
  unsaved,
  whyNotKept,
  type Finding,
  type Rules,
} from './plan-desk';
import { bytesOf, MOST_BYTES, NEW, SKELETON } from './source';

const KEEP_MS = 300;
const CHECK_MS = 600;

export class Editing {
  text = $state('');
  findings = $state.raw<Finding[]>([]);
  /** The rules of the last text without errors. */
  rules = $state.raw<Rules | null>(null);
  ready = $state(false);
  /** Why the text could not be checked or saved. */
  problem = $state('');
  /** What saving did. */
  news = $state('');
  state = $state<'waiting' | 'checking' | 'checked'>('waiting');
  saving = $state(false);
  kept = $state<number | null>(null);
  keepFailed = $state(false);
  /** When what was restored was kept; null when nothing was. */
  restored = $state<number | null>(null);
  /** A version saved by somebody since this work began. */
  newer = $state<number | null>(null);
  /** Whether the last check found this very text without errors. */
  sound = $derived(this.state === 'checked' && !this.findings.some((one) => one.severity === 'error'));

  private base = '';
  private from = 0;
  private round = 0;
  private keeping: ReturnType<typeof setTimeout> | undefined;
  private waiting: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly key: string) {}

  /** What was typed before is there at once, what is saved when the server gives it. Raises `Offline` or `Refused` when there is neither. */
  async open(): Promise<void> {
    const draft = await unsaved(this.key);
    const newest = this.key === NEW ? Promise.resolve({ text: SKELETON, version: 0 }) : newestText(this.key);
    if (draft) {
      this.from = draft.from;
      this.text = draft.text;
      this.kept = this.restored = draft.at;
      newest.then((found) => this.begunFrom(found, draft.from)).catch(() => undefined);
    } else {
      this.begunFrom(await newest, Infinity);
      this.text = this.base;
    }
    this.ready = true;
    void this.check();
  }

  private begunFrom({ text, version }: { text: string; version: number }, before: number): void {
    this.base = text;
    this.from = version;
    if (version > before) this.newer = version;
  }

  typed = (): void => {
    this.news = '';
    this.state = 'waiting';
    this.kept = null;
    clearTimeout(this.keeping);
    clearTimeout(this.waiting);
    this.keeping = setTimeout(() => void this.keep(), KEEP_MS);
    this.waiting = setTimeout(() => void this.check(), CHECK_MS);
  };

  replace(text: string): void {
    this.text = text;
    this.typed();
  }

  /** Writes what is not kept yet; also when the page goes away. */
  async keep(): Promise<void> {
    clearTimeout(this.keeping);
    if (!this.ready || this.kept !== null) return;
    try {
      if (this.text === this.base) await dropUnsaved(this.key);
      else await keepUnsaved(this.key, { text: this.text, from: this.from, at: Date.now() });
      this.kept = Date.now();
      this.keepFailed = false;
    } catch {
      this.keepFailed = true;
    }
  }

  async check(): Promise<void> {
    clearTimeout(this.waiting);
    const mine = ++this.round;
    if (bytesOf(this.text) > MOST_BYTES) {
      this.problem = desk.t.too_big;
      return;
    }
    this.state = 'checking';
    try {
      const found = await check(this.text);
      if (mine !== this.round) return;
      this.findings = found.findings;
      this.rules = found.rules ?? this.rules;
      this.problem = '';
      this.state = 'checked';
    } catch (error) {
      if (mine !== this.round) return;
      this.problem = whyNotKept(error);
      this.state = 'waiting';
    }
  }

  /** Saves the text as a draft version; answers its key, or null when it was not saved. */
  async save(): Promise<string | null> {
    this.saving = true;
    this.problem = '';
    try {
      const asked = this.text;
      const done = await save(asked);
      const raised = done.text !== asked;
      if (this.text === asked) this.text = done.text;
      this.base = done.text;
      this.from = done.version;
      this.newer = this.restored = null;
      this.news = !done.fresh
        ? desk.t.saved_same(done.version)
        : raised
          ? desk.t.saved_raised(done.version)
          : desk.t.saved_as(done.version);
      this.kept = null;
      await this.keep();
      void this.check();
      return done.key;
    } catch (error) {
      this.problem = whyNotKept(error);
      this.findings = findingsOf(error).length ? findingsOf(error) : this.findings;
      return null;
    } finally {
      this.saving = false;
    }
  }

  /** Throws the changes on this device away and loads what is saved. */
  async startOver(): Promise<void> {
    clearTimeout(this.keeping);
    await dropUnsaved(this.key);
    this.restored = this.newer = this.kept = null;
    this.news = this.problem = '';
    this.ready = false;
  }

  close(): void {
    void this.keep();
    clearTimeout(this.waiting);
    this.round++;
  }
}
