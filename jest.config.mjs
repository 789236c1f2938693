// `unit` runs anywhere and touches no kernel; `kernel` runs in `scripts/sandbox`, in namespaces of its own; `vm` and `vm-long` drive virtual
// machines, in `scripts/sandbox` too.
const shared = {
  // Not node_modules, whose 20,000 files jest would look at in every run.
  roots: ['agent', 'cli', 'cni', 'kernel', 'net', 'proxy', 'runtime', 'store', 'test', 'vagrant'].map(
    (folder) => `<rootDir>/${folder}`,
  ),
  // In the checkout: a virtual machine, that sees it, then finds what was compiled on this machine.
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript', explicitResourceManagement: true }, target: 'es2022' },
        module: { type: 'es6' },
      },
    ],
  },
  injectGlobals: false,
};

export default {
  // No test is about time: on a loaded machine it only takes longer.
  testTimeout: 60_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/**/*.test.ts'],
      // Of test/, what needs no kernel.
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/(?!cni/fuzz\\.)'],
    },
    {
      ...shared,
      displayName: 'kernel',
      testMatch: ['<rootDir>/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/cni/fuzz\\.', '<rootDir>/test/vm/'],
    },
    {
      ...shared,
      displayName: 'vm',
      testMatch: ['<rootDir>/test/vm/*.test.ts'],
    },
    {
      ...shared,
      displayName: 'vm-long',
      testMatch: ['<rootDir>/test/vm/long/*.test.ts'],
    },
  ],
};
