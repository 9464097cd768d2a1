/** Why a sign-in failed, as the key of a sentence. */

type Reason = 'wrong' | 'throttled' | 'offline' | 'failed';

/** `error` as raised by the session: no network, refused credentials, too many attempts, anything else. */
export function whyNot(error: unknown): Reason {
  const { name, code, status } = (error ?? {}) as { name?: string; code?: string; status?: number };
  if (name === 'Offline') return 'offline';
  if (code === 'throttled' || status === 429) return 'throttled';
  if (code === 'credentials_wrong' || status === 401) return 'wrong';
  return 'failed';
}
