/** Why a sign-in failed, as the key of a sentence. */

type Reason = 'wrong' | 'throttled' | 'offline' | 'silent' | 'failed';

/** `error` as raised by the session: no network, no answer, refused credentials, too many attempts, anything else. */
export function whyNot(error: unknown): Reason {
  const { name, code, status, timedOut } = (error ?? {}) as {
    name?: string;
    code?: string;
    status?: number;
    timedOut?: boolean;
  };
  if (name === 'Offline') return timedOut ? 'silent' : 'offline';
  if (code === 'throttled' || status === 429) return 'throttled';
  if (code === 'credentials_wrong' || status === 401) return 'wrong';
  return 'failed';
}
