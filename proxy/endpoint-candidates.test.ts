import { describe, expect, test } from '@jest/globals';
import { candidatesOf, countingSlices } from './endpoint-candidates.ts';
import { type SampleSliceFields, sampleSlice } from './sample-services.ts';

const port = { name: '', protocol: 'tcp', nodeName: 'here' } as const;

/** "10.0.0.1:8080 ready" lines. */
function merged(...slices: readonly SampleSliceFields[]): readonly string[] {
  return candidatesOf(slices.map(sampleSlice), port).map(({ endpoint, said }) => {
    const state = said.ready ? 'ready' : said.terminating ? 'terminating' : 'unready';
    return `${endpoint.address}:${endpoint.port} ${state}`;
  });
}

const terminating = { address: '10.0.0.1', ready: false, terminating: true } as const;
const unready = { address: '10.0.0.1', ready: false, serving: false } as const;

describe('candidatesOf', () => {
  test.each([
    ['a pod that got the address of one that terminates', [terminating, '10.0.0.1'], ['10.0.0.1:8080 ready']],
    ['the other way round', ['10.0.0.1', terminating], ['10.0.0.1:8080 ready']],
    ['it is not ready yet', [terminating, unready], ['10.0.0.1:8080 unready']],
    ['the last that does not terminate', [unready, '10.0.0.1', terminating], ['10.0.0.1:8080 ready']],
    ['only one that terminates', [terminating], ['10.0.0.1:8080 terminating']],
  ])('one address twice: %s', (_name, endpoints, expected) => {
    expect(merged({ endpoints })).toEqual(expected);
    expect(merged(...endpoints.map((one) => ({ endpoints: [one] })))).toEqual(expected);
  });

  test('merges slices; one address with two ports is two endpoints', () => {
    expect(
      merged(
        { endpoints: ['10.0.0.2', '10.0.0.1'] },
        { endpoints: ['10.0.0.1', '10.0.0.3'] },
        { endpoints: ['10.0.0.1'], ports: [{ port: 9090 }] },
      ),
    ).toEqual(['10.0.0.1:8080 ready', '10.0.0.1:9090 ready', '10.0.0.2:8080 ready', '10.0.0.3:8080 ready']);
  });

  test('joins by name and protocol', () => {
    const slice = sampleSlice({
      endpoints: ['10.0.0.1'],
      ports: [
        { name: 'dns', protocol: 'udp', port: 53 },
        { name: 'dns', protocol: 'tcp', port: 5353 },
        { name: 'web', port: 80 },
      ],
    });
    const portsOf = (name: string, protocol: 'tcp' | 'udp' | 'sctp') =>
      candidatesOf([slice], { name, protocol, nodeName: 'here' }).map(({ endpoint }) => endpoint.port);
    expect([portsOf('dns', 'udp'), portsOf('dns', 'tcp'), portsOf('web', 'tcp')]).toEqual([
      [53],
      [5353],
      [80],
    ]);
    expect([portsOf('', 'tcp'), portsOf('web', 'udp'), portsOf('dns', 'sctp')]).toEqual([[], [], []]);
  });

  test('says which are here, and which may be', () => {
    const endpoints = [
      { address: '10.0.0.1', nodeName: 'here' },
      { address: '10.0.0.2', nodeName: 'there' },
      { address: '10.0.0.3' },
    ];
    const found = candidatesOf([sampleSlice({ endpoints })], port);
    expect(found.map(({ endpoint: { local, nodeUnknown } }) => [local, nodeUnknown])).toEqual([
      [true, false],
      [false, false],
      [false, true],
    ]);
  });
});

test('slices of Endpoints objects count where there is no other', () => {
  const [real, more] = [sampleSlice({ name: 'a' }), sampleSlice({ name: 'b' })];
  const mirrored = sampleSlice({ name: 'm', mirrored: true });
  expect(countingSlices([mirrored])).toEqual([mirrored]);
  expect(countingSlices([real, more, mirrored])).toEqual([real, more]);
  expect(countingSlices([])).toEqual([]);
});
