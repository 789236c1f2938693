// Texts with several objects: what is taken, skipped and refused. The fields of one kind have tests of their own.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ParsedManifests, parseManifestSteps, parseManifests } from './parse-manifests.ts';

const read = (text: string) => parseManifests(text, { file: 'web.yaml' });

function linesOf({ problems }: ParsedManifests): readonly string[] {
  return problems.map(({ object, message }) => `${object} | ${message}`);
}

const idsOf = ({ manifests }: ParsedManifests) => manifests.map(({ id }) => id);

const service = (name: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'ns' },
  spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }] },
  ...more,
});

const yamlService = (name: string) => `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ns}
spec:
  clusterIP: 10.96.0.10
  ports:
  - port: 80
`;

describe('manifests of a text', () => {
  test('come from several documents, of which some are other kinds', () => {
    const parsed = read(`# services\n---\n${yamlService('a')}---\n# nothing\n---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---   # the last one
${yamlService('b')}...\n`);
    expect(idsOf(parsed)).toEqual(['Service "ns/a"', 'Service "ns/b"']);
    expect(parsed.manifests.map(({ place }) => place.document)).toEqual([1, 3]);
    expect(parsed.problems).toEqual([]);
    expect([...parsed.skipped]).toEqual([['Deployment', 1]]);
    expect(parsed.whole).toBe(true);
  });

  test('come from lists of every form', () => {
    const items = [service('a'), { apiVersion: 'v1', kind: 'List', items: [service('b')] }];
    const list = { apiVersion: 'v1', kind: 'List', items };
    const bare = { metadata: { name: 'a', namespace: 'ns' }, spec: { clusterIP: '10.96.0.10', ports: [] } };
    const typed = { kind: 'ServiceList', apiVersion: 'v1', items: [bare] };
    expect(idsOf(read(JSON.stringify(list)))).toEqual(['Service "ns/a"', 'Service "ns/b"']);
    expect(idsOf(read(JSON.stringify(typed)))).toEqual(['Service "ns/a"']);
    expect(idsOf(read(`${JSON.stringify(service('a'))}\n${JSON.stringify(list)}`))).toHaveLength(3);
    const block = yamlService('c')
      .trimEnd()
      .replaceAll('\n', '\n  ')
      .replace(/\{.*\}/, '\n    name: c');
    const parsed = read(`apiVersion: v1\nitems:\n- ${block}\n- kind: Pod\n  apiVersion: v1\nkind: List\n`);
    expect(idsOf(parsed)).toEqual(['Service "default/c"']);
    expect(parsed.manifests[0]?.place).toEqual({ document: 1, item: 1 });
    expect([...parsed.skipped]).toEqual([['Pod', 1]]);
  });

  test('of a long list are the same ones, whatever stands around the items', () => {
    const items = Array.from({ length: 2000 }, (_, i) => service(`web-${i}`, { note: '"]},{[\\' }));
    for (const list of [
      { apiVersion: 'v1', kind: 'List', items },
      { items, metadata: { a: [1, '{'] }, kind: 'List', apiVersion: 'v1' },
    ]) {
      for (const text of [JSON.stringify(list), JSON.stringify(list, null, 2)]) {
        const parsed = read(text);
        expect(parsed.problems).toEqual([]);
        expect(parsed.manifests).toHaveLength(2000);
        expect(parsed.manifests[1999]).toMatchObject({ id: 'Service "ns/web-1999"', place: { item: 2000 } });
      }
    }
    // Whatever was said of a list before something odd is forgotten, and the library reads it all.
    const yaml = Array.from(
      { length: 20 },
      (_, i) => `- ${yamlService(`web-${i}`).replaceAll('\n', '\n  ')}`,
    );
    const odd = read(`apiVersion: v1\nkind: List\nitems:\n${yaml.join('\n')}`);
    expect(odd.manifests).toHaveLength(20);
    expect(odd.problems).toEqual([]);
  });

  test('can be read step by step', () => {
    const items = Array.from({ length: 50 }, (_, i) => service(`web-${i}`));
    const steps = parseManifestSteps(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), {
      file: 'x',
    });
    let count = 0;
    while (!steps.next().done) count++;
    expect(count).toBeGreaterThanOrEqual(50);
  });

  test.each<readonly [string, string, readonly string[]]>([
    ['no object', '- a\n', ['web.yaml, document 1 | want a Kubernetes object, not ["a"]']],
    ['no kind', 'apiVersion: v1\n', ['web.yaml, document 1 | want a Kubernetes object: kind is missing']],
    [
      'no version',
      'kind: Service\n',
      ['web.yaml, document 1 | want a Kubernetes object: apiVersion is missing'],
    ],
    [
      'no name',
      'apiVersion: v1\nkind: Service\n',
      ['web.yaml, document 1: Service | metadata.name: is missing'],
    ],
    [
      'hostile names',
      `${JSON.stringify(service('../../x'))}${JSON.stringify(service('a', { metadata: { name: 'a', namespace: 'x;y' } }))}`,
      [
        'web.yaml, document 1: Service | metadata.name: "../../x" is not a name that Kubernetes allows',
        'web.yaml, document 1: Service | metadata.namespace: "x;y" is not a DNS label',
      ],
    ],
    [
      'keys given twice',
      'a: b\n---\nkind: Service\nkind: Service\n',
      [
        'web.yaml, document 1 | want a Kubernetes object: kind is missing',
        'web.yaml, document 2 | it is not YAML: line 4, column 1: key "kind" is given twice',
      ],
    ],
    [
      'a tag of its own',
      'a: !secret b\n',
      ['web.yaml, document 1 | it is not YAML: line 1, column 4: Unresolved tag: !secret'],
    ],
    [
      'a tag beyond the core schema',
      'a: !!binary aGVsbG8=\n',
      [
        'web.yaml, document 1 | it is not YAML: line 1, column 13: tag "tag:yaml.org,2002:binary" is not taken',
      ],
    ],
    [
      'lists without an end',
      JSON.stringify(
        Array.from({ length: 12 }).reduce<object>(
          (items) => ({ apiVersion: 'v1', kind: 'List', items: [items] }),
          {},
        ),
      ),
      ['web.yaml, document 1, item 1 | lists are nested more than 8 deep'],
    ],
  ])('tells of %s', (_, text, lines) => {
    expect(linesOf(read(text))).toEqual(lines);
  });

  test('that are half-written are not whole, and say where', () => {
    const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [service('a'), service('b')] });
    const half = read(text.slice(0, -30));
    expect(half.whole).toBe(false);
    expect(half.problems[0]?.message).toMatch(/^it is not JSON \(half-written\?\): /);
    const yaml = read(`${yamlService('a')}---\na: "b\n---\n${yamlService('c')}`);
    expect(idsOf(yaml)).toEqual(['Service "ns/a"', 'Service "ns/c"']);
    expect(yaml.whole).toBe(false);
    expect(linesOf(yaml)[0]).toMatch(
      /^web\.yaml, document 2 \| it is not YAML: line 1?\d, column \d+: Missing closing "quote/,
    );
  });

  test('are refused when aliases make them large', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefgh'].map((name, i) => {
      if (i === 0) return name;
      const before = String.fromCharCode(name.charCodeAt(0) - 1);
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(',')}]`;
    });
    expect(linesOf(read(bomb.join('\n')))[0]).toMatch(/Excessive alias count/);
    expect(read(`x: &x {kind: Service, apiVersion: v1}\n`).whole).toBe(true);
  });

  test('never throw, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]":,-\n #&*!|>\'%a1') })),
        (text) => {
          const { problems, manifests } = read(text);
          expect(problems.every(({ object }) => object.startsWith('web.yaml, document '))).toBe(true);
          expect(manifests).toEqual([]);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('never throw, whatever the values', () => {
    const field = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('10.0.0.1', 'None', 'TCP', 'ClientIP', 'IPv4', 80, -1, 'Local'),
    );
    const record = (...names: readonly string[]) =>
      fc.oneof(
        {
          weight: 5,
          arbitrary: fc.record(Object.fromEntries(names.map((name) => [name, field])), { requiredKeys: [] }),
        },
        { weight: 1, arbitrary: field },
      );
    const listOf = (entry: fc.Arbitrary<unknown>) => fc.oneof(fc.array(entry, { maxLength: 3 }), field);
    const object = fc.record(
      {
        apiVersion: fc.constantFrom('v1', 'discovery.k8s.io/v1'),
        kind: fc.constantFrom('Service', 'EndpointSlice', 'Endpoints', 'List'),
        metadata: fc.oneof(
          fc.record({
            name: fc.constantFrom('a', 'b'),
            labels: fc.oneof(fc.constant({ 'kubernetes.io/service-name': 'a' }), field),
            annotations: field,
          }),
          field,
        ),
        spec: fc.oneof(
          fc.record(
            {
              type: field,
              clusterIP: field,
              clusterIPs: listOf(field),
              ipFamilies: listOf(field),
              ports: listOf(record('name', 'port', 'protocol', 'nodePort')),
              externalIPs: listOf(field),
              loadBalancerSourceRanges: listOf(field),
              sessionAffinity: field,
              sessionAffinityConfig: record('clientIP'),
              externalTrafficPolicy: field,
              healthCheckNodePort: field,
              selector: field,
            },
            { requiredKeys: [] },
          ),
          field,
        ),
        status: record('loadBalancer'),
        addressType: fc.oneof(fc.constantFrom('IPv4', 'IPv6', 'FQDN'), field),
        ports: listOf(record('name', 'port', 'protocol')),
        endpoints: listOf(record('addresses', 'conditions', 'nodeName', 'hints', 'topology')),
        subsets: listOf(record('addresses', 'notReadyAddresses', 'ports')),
        items: listOf(field),
      },
      { requiredKeys: ['apiVersion', 'kind'] },
    );
    fc.assert(
      fc.property(object, (value) => {
        const text = JSON.stringify(value);
        const parsed = read(text);
        // What is taken is taken the same way once more.
        expect(read(text)).toEqual(parsed);
        for (const { usable, service: found, slices } of parsed.manifests) {
          if (!usable) expect(parsed.problems.length).toBeGreaterThan(0);
          for (const { port, nodePort } of found?.ports ?? []) {
            expect(port).toBeGreaterThan(0);
            expect(nodePort ?? 1).toBeGreaterThan(0);
          }
          for (const slice of slices) {
            for (const { address } of slice.endpoints) expect(address.family).toBe(slice.family);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
