/** Who may import whom in the app; see docs and the plan of the rooms in pwa/README.md. */
const capabilities =
  'alerts|incidents|checklists|field-reports|supplies|notices|reviews|board|plans|drills|people|office';
const tests = '\\.test\\.ts$';

module.exports = {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'Two files that need each other are one idea or hide a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'api-has-few-callers',
      comment:
        'Only the queue, the feed, photos, the stream, the knock at a silent server, push, sign-in, what works only online and the desks where plans are written and people, places, stock and the ladder are kept speak to the server; all else reads the phone.',
      severity: 'error',
      from: {
        pathNot: `^src/(flush|pull|uploads|live|knock|subscription|push|notify|session|online|plans/plan-desk|people/staff|office/office|api)\\.ts$|${tests}`,
      },
      to: { path: '^src/api\\.ts$' },
    },
    {
      name: 'screens-hold-no-logic',
      comment: 'A screen asks its noun; it never reaches the store, the queue or the server itself.',
      severity: 'error',
      from: { path: '\\.svelte$' },
      to: { path: '^src/(db|outbox|api)\\.ts$' },
    },
    {
      name: 'capabilities-stand-alone',
      comment: 'A capability folder does not import another one.',
      severity: 'error',
      from: { path: `^src/(${capabilities})/`, pathNot: tests },
      to: { path: `^src/(${capabilities})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'ui-knows-no-capability',
      comment: 'Shared components are given what they show.',
      severity: 'error',
      from: { path: '^src/ui/' },
      to: { path: `^src/(${capabilities})/|^src/(db|outbox|api|sync|live|push|session)\\.ts$` },
    },
    {
      name: 'worker-has-no-screen',
      comment: 'The service worker runs without a document: nothing it reaches may need one.',
      severity: 'error',
      from: { path: '^src/sw\\.ts$' },
      to: {
        path: '\\.svelte(\\.ts)?$|^src/(ui|board)/|^src/main\\.ts$|node_modules/(svelte|leaflet|uplot)/',
        reachable: true,
      },
    },
    {
      name: 'known-packages-only',
      comment: 'Everything the app imports is named in package.json.',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.svelte', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['browser', 'import', 'types', 'default'],
    },
  },
};
