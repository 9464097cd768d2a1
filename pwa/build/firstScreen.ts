/** What a page needs first travels first: the order of the chunks, and a hint in the page so that the second is fetched beside the first. */
import { resolve, sep } from 'node:path';

import type { Plugin } from 'vite';

interface Graph {
  getModuleInfo(id: string): { importedIds: readonly string[] } | null;
}

/**
 * Groups for the bundler, one for each of `steps` in their order: what its sources (relative to `root`) reach by static
 * imports and no earlier step does.
 */
export function inSteps(root: string, steps: Readonly<Record<string, readonly string[]>>) {
  let known: Map<string, string> | null = null;
  return Object.keys(steps).map((step, n) => ({
    debugName: step,
    priority: 100 - n,
    name: (id: string, graph: Graph): string | null => {
      known ??= reached(root, steps, graph);
      return known.get(id) === step ? step : null;
    },
  }));
}

function reached(root: string, steps: Readonly<Record<string, readonly string[]>>, graph: Graph): Map<string, string> {
  const known = new Map<string, string>();
  for (const [name, sources] of Object.entries(steps)) {
    const open = sources.map((source) => resolve(root, source).split(sep).join('/'));
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (known.has(id)) continue;
      known.set(id, name);
      open.push(...(graph.getModuleInfo(id)?.importedIds ?? []));
    }
  }
  return known;
}

/** Lets the browser fetch the chunks of these names while the entry is still on its way. */
export function fetchEarly(names: readonly string[]): Plugin {
  return {
    name: 'tocsin:fetch-early',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler: (_, { bundle }) =>
        Object.values(bundle ?? {})
          .filter((file) => file.type === 'chunk' && names.includes(file.name))
          .map(({ fileName }) => ({
            tag: 'link',
            attrs: { rel: 'modulepreload', crossorigin: true, href: `/${fileName}` },
            injectTo: 'head' as const,
          })),
    },
  };
}
