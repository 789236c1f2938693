// Two projects: `unit` runs anywhere and touches no kernel; `kernel` runs in `scripts/sandbox`, in namespaces of its own.
const shared = {
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
      testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/cni/fuzz\\.'],
    },
  ],
};
