// deploy/*.yml against the API's schemas, against themselves and against the commands that they run.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { DaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { ClusterRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRole';
import { ClusterRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRoleBinding';
import { Role } from 'kubernetes-models/rbac.authorization.k8s.io/v1/Role';
import { RoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { ServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';
import { decodeNetworkConfig } from '../../store/network-config.ts';
import { agentRules, proxyRules, type RbacRule } from '../../test/store/rbac-rules.ts';
import type { CommandContext } from '../context.ts';
import { buildProgram } from '../program.ts';

const deploy = new URL('../../deploy/', import.meta.url).pathname;
const read = (name: string): string => readFileSync(deploy + name, 'utf8');

const models = { DaemonSet, ClusterRole, ClusterRoleBinding, Role, RoleBinding, ConfigMap, ServiceAccount };
const modules: Readonly<Record<keyof typeof models, string>> = {
  DaemonSet: 'apps/v1/DaemonSet',
  ClusterRole: 'rbac.authorization.k8s.io/v1/ClusterRole',
  ClusterRoleBinding: 'rbac.authorization.k8s.io/v1/ClusterRoleBinding',
  Role: 'rbac.authorization.k8s.io/v1/Role',
  RoleBinding: 'rbac.authorization.k8s.io/v1/RoleBinding',
  ConfigMap: 'v1/ConfigMap',
  ServiceAccount: 'v1/ServiceAccount',
};

// biome-ignore lint/suspicious/noExplicitAny: what the schemas are asked about
type Manifest = any;

function documents(text: string): readonly Manifest[] {
  return parseAllDocuments(text)
    .map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS();
    })
    .filter((content) => content !== null);
}

function kindOf({ kind }: Manifest): keyof typeof models {
  const found = Object.keys(models).find((name) => name === kind);
  if (found === undefined) throw new Error(`Cannot check a manifest of kind "${kind}"`);
  // Found among the keys of models.
  return found as keyof typeof models;
}

/** What the schema says of its values. */
function validate(manifest: Manifest): void {
  new models[kindOf(manifest)](manifest).validate();
}

/** What the API's types say of its fields: the schemas let unknown ones pass. */
function unknownFields(manifests: readonly Manifest[]): readonly string[] {
  const file = `${deploy}manifests.ts`;
  const source = manifests
    .map((manifest, i) => {
      const kind = kindOf(manifest);
      const type = `import('kubernetes-models/${modules[kind]}').I${kind}`;
      return `export const m${i}: ${type} = ${JSON.stringify(manifest)};`;
    })
    .join('\n');
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    noEmit: true,
    skipLibCheck: true,
    strict: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (path) => path === file || fileExists(path);
  host.readFile = (path) => (path === file ? source : readFile(path));
  host.getSourceFile = (path, language, ...rest) =>
    path === file ? ts.createSourceFile(path, source, language) : getSourceFile(path, language, ...rest);
  const program = ts.createProgram([file], options, host);
  return program
    .getSemanticDiagnostics(program.getSourceFile(file))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe.each(['netloom.yml', 'netloom-proxy.yml'])('%s', (name) => {
  const manifests = documents(read(name));
  const set = manifests.find(({ kind }) => kind === 'DaemonSet');
  const pod = set.spec.template.spec;
  const containers: readonly Manifest[] = [...(pod.initContainers ?? []), ...pod.containers];

  test('the API would take the values of every object', () => {
    for (const manifest of manifests) validate(manifest);
  });

  test('what it names is there: labels, volumes, accounts, maps', () => {
    expect(set.spec.template.metadata.labels).toEqual(set.spec.selector.matchLabels);
    const volumes = pod.volumes.map((volume: Manifest) => volume.name);
    const mounted = containers.flatMap(({ volumeMounts }) =>
      volumeMounts.map((mount: Manifest) => mount.name),
    );
    expect([...new Set(mounted)].sort()).toEqual([...volumes].sort());
    // kubeadm's are there already.
    const kubeadm = ['ServiceAccount/kube-proxy', 'ConfigMap/kube-proxy'];
    const here = [...kubeadm, ...manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`)];
    expect(here).toContain(`ServiceAccount/${pod.serviceAccountName}`);
    for (const { configMap } of pod.volumes)
      if (configMap !== undefined) expect(here).toContain(`ConfigMap/${configMap.name}`);
    for (const { kind, roleRef, subjects } of manifests) {
      if (!kind.endsWith('RoleBinding')) continue;
      expect(here).toContain(`${roleRef.kind}/${roleRef.name}`);
      for (const subject of subjects) expect(here).toContain(`ServiceAccount/${subject.name}`);
    }
  });

  test('every image is the one of this version', () => {
    const { version } = JSON.parse(readFileSync(`${deploy}../package.json`, 'utf8'));
    for (const { image } of containers) expect(image).toBe(`netloom:${version}`);
    expect(read('Dockerfile')).toContain(`-t netloom:${version} `);
  });

  test.each(containers.map((container) => [container.name, container] as const))(
    'the command of container %s takes its arguments, and reads files that are mounted',
    async (_, container) => {
      const [called, ...flags] = container.args;
      const context: CommandContext = {
        program: 'netloom',
        terminal: {
          print: () => undefined,
          note: () => undefined,
          redraw: () => undefined,
          watched: false,
          columns: 80,
          style: { bold: String, dim: String, good: String, bad: String },
        },
        signal: new AbortController().signal,
        env: {},
        releaseSignals: () => undefined,
        fail: () => undefined,
      };
      const program = await buildProgram(context, called);
      const command = program.commands.find((child) => child.name() === called);
      const { unknown, operands } = command?.parseOptions(flags) ?? {};
      expect({ unknown, operands }).toEqual({ unknown: [], operands: [] });
      const paths = flags.flatMap((flag: string) => /^--[\w-]+=(\/.*)$/.exec(flag)?.[1] ?? []);
      const mounts = container.volumeMounts.map(({ mountPath }: Manifest) => mountPath);
      for (const path of paths)
        expect([
          path,
          mounts.some((mount: string) => `${path}/`.startsWith(mount) || mount.startsWith(`${path}/`)),
        ]).toEqual([path, true]);
    },
  );
});

test('the API knows every field; the checks find what is wrong', () => {
  const set = structuredClone(documents(read('netloom-proxy.yml'))[0]);
  set.spec.template.spec.containers[0].securityContext.privileged = 'yes';
  expect(() => validate(set)).toThrow('privileged must be boolean');
  const misspelt = structuredClone(documents(read('netloom-proxy.yml'))[0]);
  misspelt.spec.template.spec.hostNetworks = true;
  const all = ['netloom.yml', 'netloom-proxy.yml'].flatMap((name) => documents(read(name)));
  // One program for all: it takes seconds.
  expect(unknownFields([...all, misspelt])).toEqual([expect.stringContaining('hostNetworks')]);
});

/** One line a right. */
function lines(rules: readonly RbacRule[]): readonly string[] {
  const rights = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`)),
    ),
  );
  return [...new Set(rights)].sort();
}

test('the rights are those that the tests’ API servers allow, and no others', () => {
  const manifests = documents(read('netloom.yml'));
  expect(lines(manifests.flatMap(({ rules }) => rules ?? []))).toEqual(lines([...agentRules, ...proxyRules]));
  // What may be written anywhere is the node's own status; events are made in one namespace.
  const everywhere = manifests.find(({ kind }) => kind === 'ClusterRole').rules;
  expect(lines(everywhere).filter((right) => !/ (?:get|list|watch)$/.test(right))).toEqual([
    '/nodes/status patch',
  ]);
});

test('the network’s configuration and the settings are what their readers take', () => {
  const { data } = documents(read('netloom.yml')).find(({ kind }) => kind === 'ConfigMap');
  expect(decodeNetworkConfig(data['net-conf.json'])).toMatchObject({ backend: { kind: 'vxlan' } });
  expect(documents(data['netloom.yaml'])).toEqual([{ logLevel: 'info' }]);
});
