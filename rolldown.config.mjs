// What scripts/build-program builds: a program of one file and what it loads later in place of a thousand modules (docs/adr/0015).
export default {
  input: Object.fromEntries(
    // As they are started: by scripts/netloom, scripts/netloom-cni, the lab, `netloom bench path` and `stores`, the agent (a thread), vagrant/check.
    [
      'cli/main',
      'cli/lab/main',
      'cni/main',
      'cli/bench/path/main',
      'cli/bench/scale/main',
      'agent/carrier/udp/worker-main',
      'vagrant/proof/worker-main',
    ].map((entry) => [entry, `${entry}.ts`]),
  ),
  platform: 'node',
  // A library in machine code; a formatter that only terminals need.
  external: ['koffi', 'pino-pretty'],
  plugins: [
    {
      name: 'never-loaded',
      // Half of the part of etcd: grpc-js would load it for services and reports that only a server has.
      resolveId: {
        filter: { id: /^@grpc\/proto-loader$/ },
        handler: (id) => `\0${id}`,
      },
      load: {
        filter: { id: /^\0@grpc\/proto-loader$/ },
        handler: () => 'throw new Error("@grpc/proto-loader is not built in")',
      },
    },
    {
      name: 'required-later',
      // What a source loads on demand, without waiting for it.
      transform: {
        filter: { code: 'createRequire(import.meta.url)(' },
        handler: (code) => code.replaceAll('createRequire(import.meta.url)(', 'require('),
      },
    },
  ],
  output: {
    // Not esm: an import of node:http there loads all of undici, for one property that nobody uses.
    format: 'cjs',
    entryFileNames: '[name].cjs',
    chunkFileNames: 'parts/[name]-[hash].cjs',
    // V8 keeps the text of what it runs: without comments, and in one byte a character, which a single ’ would make two.
    comments: { legal: true, annotation: false, jsdoc: false },
    minify: {
      compress: false,
      mangle: false,
      codegen: { removeWhitespace: false, asciiOnly: true, legalComments: 'inline' },
    },
  },
};
