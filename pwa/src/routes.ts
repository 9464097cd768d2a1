/** Where in the app one is: the hash as a name, its parameters and its query; every object has an address. */

export type Params = Record<string, string>;
export interface Route {
  name: RouteName;
  params: Params;
  query: Params;
  path: string;
}

const patterns = {
  now: '/now',
  sign_in: '/sign-in',
  enrol: '/enrol/:token',
  first_steps: '/first-steps',
  alert: '/alerts/:alert',
  incidents: '/incidents',
  incident: '/incidents/:incident/:section?',
  order: '/orders/:order',
  checklist: '/checklists/:checklist',
  report: '/report',
  field_report: '/reports/:report',
  tally: '/tally',
  supplies: '/supplies',
  request: '/requests/:request',
  notice: '/notices/:notice',
  review: '/reviews/:incident',
  board: '/board/:incident?',
  plans: '/plans',
  plan: '/plans/:plan/:view?',
  library: '/library',
  library_plan: '/library/:plan',
  plan_editor: '/editor/:plan',
  simulator: '/simulator/:plan?',
  drills: '/drills',
  drill_new: '/drills/new',
  drill: '/drills/:drill',
  people: '/people',
  person: '/people/:person',
  staff: '/staff',
  staff_import: '/staff/import',
  staff_teams: '/staff/teams',
  staff_person: '/staff/people/:person',
  office_places: '/staff/places',
  office_place: '/staff/places/:place',
  office_stock: '/staff/stock',
  office_ladder: '/staff/ladder',
  me: '/me',
  push: '/me/push',
  outbox: '/me/outbox',
  refused: '/me/refused',
} as const;

export type RouteName = keyof typeof patterns | 'not_found';

const table = Object.entries(patterns).map(([name, pattern]) => {
  const keys: string[] = [];
  const source = pattern.replace(/\/:(\w+)(\??)/g, (_, key: string, optional: string) => {
    keys.push(key);
    return optional ? '(?:/([^/]+))?' : '/([^/]+)';
  });
  return { name: name as keyof typeof patterns, keys, test: new RegExp(`^${source}/?$`) };
});

/** Reads `#/alerts/1?answer=received`; an empty hash is Now. */
export function parse(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#/, '').split('?', 2);
  const query = Object.fromEntries(new URLSearchParams(search));
  if (path === '' || path === '/') return { name: 'now', params: {}, query, path: '/now' };
  for (const { name, keys, test } of table) {
    const found = test.exec(path);
    if (!found) continue;
    const params: Params = {};
    keys.forEach((key, n) => {
      const value = found[n + 1];
      if (value !== undefined) params[key] = decoded(value);
    });
    return { name, params, query, path };
  }
  return { name: 'not_found', params: {}, query, path };
}

/** The address of a place in the app, for `href`. */
export function to(
  name: keyof typeof patterns,
  params: Params = {},
  query: Record<string, string | undefined> = {},
): string {
  const path = patterns[name].replace(/\/:(\w+)\??/g, (_, key: string) =>
    params[key] === undefined ? '' : `/${encodeURIComponent(params[key])}`,
  );
  const asked = new URLSearchParams(
    Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  return `#${path}${asked.size ? `?${asked.toString()}` : ''}`;
}

export function go(href: string, replace = false): void {
  if (replace) location.replace(href);
  else location.hash = href;
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
