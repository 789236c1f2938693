// Who may import whom (docs/architecture.md, "Layout"). A folder's rule lists all of our folders that it may import.
const folders = [
  'agent',
  'proxy',
  'cni',
  'net',
  'kernel',
  'store',
  'runtime',
  'cli',
  'web',
  'test',
  'vagrant',
];
const allowed = {
  net: [],
  kernel: ['net'],
  store: ['net', 'runtime'],
  runtime: [],
  agent: ['net', 'kernel', 'store', 'runtime'],
  proxy: ['net', 'kernel', 'store', 'runtime'],
  cni: ['net', 'kernel', 'runtime', 'agent/wiring', 'agent/ipam'],
  cli: ['agent', 'proxy', 'cni', 'net', 'kernel', 'store', 'runtime'],
  web: ['agent', 'proxy', 'cni', 'net', 'kernel', 'store', 'runtime', 'cli'],
  vagrant: ['net', 'kernel', 'runtime', 'cli'],
};
// Tests beside their source may also use what the shared test folder offers to all (fakes live beside their drivers).
const source = '(?<!\\.test)\\.ts$';

const layers = Object.entries(allowed).map(([folder, targets]) => ({
  name: `${folder}-imports`,
  comment: `${folder}/ may import ${targets.length === 0 ? 'only libraries' : targets.join(', ')}`,
  severity: 'error',
  from: { path: `^${folder}/.*${source}` },
  to: { path: `^(${folders.join('|')})/`, pathNot: `^(${[folder, ...targets].join('|')})/` },
}));

export default {
  forbidden: [
    ...layers,
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'kernel-boundary',
      comment: 'Only kernel/ starts processes and calls the C library; vagrant/ starts ssh, on the host',
      severity: 'error',
      from: { pathNot: '^(kernel|test|vagrant)/|\\.test\\.ts$' },
      to: { path: '(^|/)(child_process|koffi|execa)(/|$)', dependencyTypesNot: ['local'] },
    },
    {
      name: 'no-tests-in-sources',
      severity: 'error',
      from: { path: source, pathNot: '^test/' },
      to: { path: '\\.test\\.ts$|^test/' },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '(main|\\.test)\\.ts$' },
      to: {},
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'runtime-dependencies-only',
      severity: 'error',
      from: { path: source, pathNot: '^test/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
